"""An integration that is switched off or removed in the middle of a sync: nothing goes on, nothing comes back."""

import asyncio
from datetime import timedelta

import pytest

from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support import queues
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.pipelines import LoopPipeline
from tests.support.rmm import LISTS, Rmm
from tests.support.seeds import seeded
from tests.support.stage import Stage
from tests.support.waiting import until

# Rows that belong to one integration and go with it. Runs stay: they are history.
OWN = (
    *("devices", "companies", "sites", "sync_chunks", "sync_rejects", "identity_ambiguities"),
    "rmm_tokens",
)
DELAY_MS = 1500
LEFT = "select count(*) from sync_pages where run_id in (select id from sync_runs where integration_id = $1)"


async def leftovers(desk: Desk, integration_id: object) -> dict[str, int]:
    """What is still there of an integration, by table."""
    counts = {
        table: await desk.value(f"select count(*) from {table} where integration_id = $1", integration_id)
        for table in OWN
    }
    counts |= {"sync_pages": await desk.value(LEFT, integration_id)}
    return {table: count for table, count in counts.items() if count}


async def caught_up(desk: Desk, books: Books) -> None:
    """Wait for the sync that follows by itself, and see that it succeeded."""
    await books.quiet()
    catch_up = await desk.row("select * from sync_runs where started_by = 'resumed'")
    assert catch_up is not None
    assert catch_up["status"] == "succeeded"


async def asked_so_far(flow: LoopPipeline, rmm: Rmm) -> int:
    """How many requests the RMM has seen, with those that a fetcher had in hand: it ends them when it stops."""
    await flow.stop("fetcher")
    count = await rmm.request_count()
    await flow.start("fetcher", replicas=2)
    return count


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_removal_in_the_middle_of_a_sync_leaves_no_row_and_none_comes_back(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline, seed: int
) -> None:
    rmm = await simulator(devices=300, companies=8, latency_ms=25)
    flow = await in_process(stage, rmm, replicas=2, rmm_page_size=15)
    desk, books = Desk(stage), Books(stage)
    other = await desk.add_integration(rmm, name="other", key="second")
    await desk.ended(other.run_id)
    added = await desk.add_integration(rmm, name="removed")
    await desk.pages_read(added.run_id, seeded(seed).randint(0, 8))

    await desk.remove(added.id)

    assert (await desk.ended(added.run_id))["status"] == "cancelled"
    await books.quiet()
    await queues.publish(stage.amqp_url, await queues.journal(stage.amqp_url))
    await books.quiet()
    assert await leftovers(desk, added.id) == {}
    assert await desk.parked() == []
    removed = await desk.integration(added.id)
    assert (removed["status"], removed["client_secret_sealed"]) == ("removed", None)
    # What the other integration sees stays as it was.
    assert (await desk.synced(other.id))["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, other.id)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("v1/token$", id="sign-in"),
        pytest.param("companies$", id="companies"),
        pytest.param(LISTS, id="list"),
    ],
)
async def test_a_removal_while_a_request_is_in_flight_leaves_no_row(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline, where: str
) -> None:
    rmm = await simulator(devices=200, companies=4)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    armed = await rmm.fault({"path": where, "times": 1}, delay_ms=DELAY_MS)
    added = await desk.add_integration(rmm)

    async def in_flight() -> bool:
        return await rmm.fired(armed) == 1

    await until("the request is in flight", in_flight)
    await desk.remove(added.id)

    async def answered() -> bool:
        return any(each["ms"] >= DELAY_MS for each in await rmm.requests())

    await until("the answer has come", answered)
    await books.quiet()
    await flow.stop()
    assert await leftovers(desk, added.id) == {}
    assert await desk.parked() == []


async def test_a_disabled_integration_stops_in_the_middle_and_catches_up_when_enabled(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=8, latency_ms=75)
    flow = await in_process(stage, rmm, replicas=2, rmm_page_size=15)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.pages_read(added.run_id, 3)
    await until("devices are stored", lambda: desk.states(added.id))

    await desk.disable(added.id)

    run = await desk.ended(added.run_id)
    assert (run["status"], run["reason_code"]) == ("cancelled", "integration_disabled")
    await books.quiet()
    asked = await asked_so_far(flow, rmm)
    await queues.publish(stage.amqp_url, await queues.journal(stage.amqp_url))
    await books.quiet()
    assert await asked_so_far(flow, rmm) == asked
    assert await desk.parked() == []
    kept = await desk.states(added.id)
    assert kept

    await desk.enable(added.id)
    await caught_up(desk, books)
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_removal_that_is_undone_stops_in_the_middle_and_catches_up(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=8, latency_ms=75)
    flow = await in_process(stage, rmm, replicas=2, rmm_page_size=15)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.pages_read(added.run_id, 3)
    await until("devices are stored", lambda: desk.states(added.id))

    await desk.remove(added.id, undo_for=timedelta(hours=1))

    run = await desk.ended(added.run_id)
    assert (run["status"], run["reason_code"]) == ("cancelled", "integration_removed")
    await books.quiet()
    asked, kept = await asked_so_far(flow, rmm), await desk.states(added.id)
    assert kept
    await queues.publish(stage.amqp_url, await queues.journal(stage.amqp_url))
    await books.quiet()
    assert await asked_so_far(flow, rmm) == asked
    assert await desk.states(added.id) == kept
    assert await desk.parked() == []

    await desk.restore(added.id)
    await caught_up(desk, books)
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_removed_integration_that_is_added_again_is_another_one(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=200, companies=4)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    first = await desk.add_integration(rmm)
    await desk.ended(first.run_id)
    await books.quiet()
    old = await queues.journal(stage.amqp_url)
    await desk.remove(first.id)
    assert await desk.value("select count(*) from assets") == 0

    again = await desk.add_integration(rmm)
    await asyncio.gather(queues.publish(stage.amqp_url, old), desk.ended(again.run_id))
    await books.quiet()

    assert again.id != first.id
    assert await leftovers(desk, first.id) == {}
    await flow.stop()
    await books.check(rmm, again.id)
