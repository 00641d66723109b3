"""SIGTERM during load, as a deploy sends it: quick, with code 0, and nobody notices."""

import asyncio
import time

from shared.declaration import check_queues
from tests.conftest import MakeProcessPipeline, MakeRmm
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.stage import Stage

SYNCING = ("fetcher", "normalizer", "writer", "scheduler")
# Ten times what it takes on a machine that has nothing else to do.
QUICK_SECONDS = 15.0


async def test_every_replica_restarted_in_turn_during_syncs_loses_nothing(
    stage: Stage, simulator: MakeRmm, pipeline: MakeProcessPipeline
) -> None:
    rmm = await simulator(devices=900, companies=12, latency_ms=60)
    flow = await pipeline(stage, rmm, *SYNCING, replicas=2, rmm_page_size=8)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    busy: list[bool] = []

    for replica in list(flow.replicas):
        # Joins the run that is going; a machine that starts processes slowly takes several runs for all of them.
        run_id = (await desk.sync(added.id)).run_id
        await desk.pages_read(run_id, 1)
        busy.append((await desk.run(run_id))["status"] == "running")
        taken = await flow.terminate(replica)
        assert taken < QUICK_SECONDS, f"{replica.name} took {taken:.1f} s"
        flow.start_again(replica)
        await flow.ready(replica)

    assert sum(busy) >= len(busy) // 2, "the syncs were too short to tell anything"
    await books.quiet()
    await flow.stop()
    runs = await desk.rows("select status from sync_runs")
    assert {run["status"] for run in runs} == {"succeeded"}
    # Nothing was asked for twice: what a stopping fetcher had in hand it finished.
    assert len(await rmm.requests("device_list_v2")) == await desk.value("select count(*) from sync_pages")
    await books.check(rmm, added.id, logs=flow.logs())


async def test_all_services_stopped_at_once_and_started_again_go_on_where_they_were(
    stage: Stage, simulator: MakeRmm, pipeline: MakeProcessPipeline
) -> None:
    rmm = await simulator(devices=400, companies=8, latency_ms=150)
    flow = await pipeline(stage, rmm, *SYNCING, rmm_page_size=10)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.pages_read(added.run_id, 8)

    began = time.monotonic()
    await flow.stop()
    assert time.monotonic() - began < QUICK_SECONDS
    assert (await desk.run(added.run_id))["status"] == "running"
    for replica in flow.replicas:
        flow.start_again(replica)

    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id, logs=flow.logs())


async def test_a_service_is_ready_when_it_consumes_and_not_before(
    stage: Stage, simulator: MakeRmm, pipeline: MakeProcessPipeline
) -> None:
    rmm = await simulator(devices=10, companies=1)
    flow = await pipeline(stage, rmm, "normalizer", "writer")

    # The pipeline waits for the first success of /health/ready.
    found = await check_queues(stage.amqp_url, ("normalizer.pages", "writer.pages"))

    assert [finding.consumers for finding in found] == [1, 1]
    await asyncio.gather(*(flow.terminate(replica) for replica in flow.replicas))
