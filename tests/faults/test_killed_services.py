"""kill -9 of a service in the middle of a sync, at random moments, two replicas each: nothing lost, nothing twice."""

import asyncio

import pytest

from tests.conftest import MakeProcessPipeline, MakeRmm
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.seeds import seeded
from tests.support.stage import Stage

SYNCING = ("fetcher", "normalizer", "writer", "scheduler")
SEEDS = (1, 2)
KILLS = 3


@pytest.mark.parametrize("service", SYNCING)
async def test_a_killed_service_loses_nothing_and_does_nothing_twice(
    stage: Stage, simulator: MakeRmm, pipeline: MakeProcessPipeline, service: str
) -> None:
    rmm = await simulator(devices=700, companies=12, latency_ms=25)
    flow = await pipeline(stage, rmm, *SYNCING, replicas=2, rmm_page_size=10)
    desk, books = Desk(stage), Books(stage)
    count = len(await rmm.devices())
    integration_id = None
    for seed in SEEDS:
        random = seeded(seed)
        if integration_id is None:
            added = await desk.add_integration(rmm)
            integration_id, run_id = added.id, added.run_id
        else:
            # Every device differs, so that every page has something to write.
            await rmm.control("POST", "churn", {"share": 1})
            run_id = (await desk.sync(integration_id)).run_id
        asked = len(await rmm.requests("device_list_v2"))

        for moment in sorted(random.sample(range(1, 50), KILLS)):
            await desk.pages_read(run_id, moment)
            await asyncio.sleep(random.uniform(0, 0.05))  # the random moment itself
            victim = random.choice(flow.of(service))
            await flow.kill(victim)
            flow.start_again(victim)
        run = await desk.ended(run_id)

        assert run["status"] == "succeeded"
        assert run["created" if seed == SEEDS[0] else "updated"] == run["seen"] == count
        pages = await desk.value("select count(*) from sync_pages where run_id = $1", run_id)
        asked = len(await rmm.requests("device_list_v2")) - asked
        # What a killed fetcher had in hand is asked for once more, at most.
        assert pages <= asked <= pages + (KILLS * 8 if service == "fetcher" else 0)
    await flow.ready()
    await books.quiet()
    await flow.stop()
    await books.check(rmm, integration_id, logs=flow.logs())
