"""The broker or the database goes away in the middle of a sync and comes back: everybody waits and goes on."""

import asyncio
import time

from tests.conftest import MakeProcessPipeline, MakeRmm
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.pipelines import ProcessPipeline
from tests.support.servers import PrivateServers
from tests.support.stage import Stage
from tests.support.waiting import until

SYNCING = ("fetcher", "normalizer", "writer", "scheduler")


async def not_ready(flow: ProcessPipeline) -> None:
    """Return when no replica says that it is ready; all of them live on."""

    async def ask() -> bool:
        answers = await asyncio.gather(*(flow.health(replica) for replica in flow.replicas))
        return all(answer.status_code == 503 for answer in answers)

    await until("nobody is ready", ask)


async def test_a_killed_broker_loses_nothing_that_it_had_confirmed(
    private_servers: PrivateServers, private_stage: Stage, simulator: MakeRmm, pipeline: MakeProcessPipeline
) -> None:
    stage = private_stage
    rmm = await simulator(devices=700, companies=12, latency_ms=25)
    flow = await pipeline(stage, rmm, *SYNCING, replicas=2, rmm_page_size=10)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.pages_read(added.run_id, 15)

    await private_servers.broker.kill()
    await not_ready(flow)
    assert (await desk.run(added.run_id))["status"] == "running"
    await private_servers.broker.start()
    began = time.monotonic()
    await flow.ready()
    back = time.monotonic() - began

    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    assert back < 45, f"consuming again after {back:.0f} s"
    assert all(replica.runs() for replica in flow.replicas)
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id, logs=flow.logs())


async def test_a_restarted_broker_loses_nothing(
    private_servers: PrivateServers, private_stage: Stage, simulator: MakeRmm, pipeline: MakeProcessPipeline
) -> None:
    stage = private_stage
    rmm = await simulator(devices=700, companies=12, latency_ms=25)
    flow = await pipeline(stage, rmm, *SYNCING, rmm_page_size=10)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.pages_read(added.run_id, 15)

    await private_servers.broker.restart()

    await flow.ready()
    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id, logs=flow.logs())


async def test_a_database_that_is_restarted_at_once_is_waited_for_and_burns_no_try(
    private_servers: PrivateServers, private_stage: Stage, simulator: MakeRmm, pipeline: MakeProcessPipeline
) -> None:
    stage = private_stage
    rmm = await simulator(devices=700, companies=12, latency_ms=25)
    # One try: whoever counts the database's absence as one parks its message.
    flow = await pipeline(stage, rmm, *SYNCING, replicas=2, rmm_page_size=10, max_attempts=1)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)

    for pages in (10, 30):
        await desk.pages_read(added.run_id, pages)
        await private_servers.database.restart()

    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    assert all(replica.runs() for replica in flow.replicas)
    await flow.ready()
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id, logs=flow.logs())


async def test_a_database_that_stays_away_for_a_while_stops_everybody_and_spends_no_request(
    private_servers: PrivateServers, private_stage: Stage, simulator: MakeRmm, pipeline: MakeProcessPipeline
) -> None:
    stage = private_stage
    rmm = await simulator(devices=500, companies=8, latency_ms=25)
    flow = await pipeline(stage, rmm, *SYNCING, rmm_page_size=10, max_attempts=1)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.pages_read(added.run_id, 10)

    await private_servers.database.stop()
    await not_ready(flow)
    asked = await rmm.request_count()
    await asyncio.sleep(2)  # what is asked for although nobody could keep it
    assert await rmm.request_count() == asked
    await private_servers.database.start()

    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    await flow.ready()
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id, logs=flow.logs())
