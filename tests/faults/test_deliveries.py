"""Messages that come twice, out of order, again after the end, late, or not at all: the tables are the same."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support import queues
from tests.support.books import Books, tables_as_text
from tests.support.desk import Desk
from tests.support.queues import Said, Tap, shuffled
from tests.support.seeds import seeded
from tests.support.stage import Stage
from tests.support.waiting import until

# What a replay may not change; the outbox and the budget come and go.
KEPT = (
    *("assets", "devices", "companies", "sites", "integrations", "identity_ambiguities"),
    *("sync_runs", "sync_requests", "sync_scopes", "sync_pages", "sync_chunks", "sync_rejects"),
    *("parked_messages", "audit_log"),
)


@pytest.mark.parametrize("seed", [1, 2])
async def test_everything_twice_and_out_of_order_gives_the_same_as_once(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline, seed: int
) -> None:
    rmm = await simulator(devices=500, companies=10)
    async with Tap(stage.amqp_url, seeded(seed)).open() as tap:
        flow = await in_process(stage, rmm, replicas=2, rmm_page_size=25)
        desk, books = Desk(stage), Books(stage)
        added = await desk.add_integration(rmm)
        first = await desk.ended(added.run_id)
        await rmm.control("POST", "churn", {"share": 0.2})
        changed = await rmm.control("POST", "vanish", {"count": 5})
        second = await desk.synced(added.id)
        await books.quiet()
    await books.quiet()
    await flow.stop()

    count = len(await rmm.devices())
    assert (first["status"], first["seen"]) == ("succeeded", first["created"])
    assert (second["status"], second["seen"]) == ("succeeded", count)
    assert second["created"] == second["repeated"] == 0
    assert tap.passed > 100
    await books.check(rmm, added.id, gone=changed["ids"])


async def test_a_replay_of_every_message_after_the_end_changes_nothing_and_asks_the_rmm_nothing(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=400, companies=8)
    flow = await in_process(stage, rmm, rmm_page_size=50)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    await rmm.control("POST", "churn", {"share": 0.3})
    changed = await rmm.control("POST", "vanish", {"count": 5})
    await desk.synced(added.id)
    await books.quiet()
    said = await queues.journal(stage.amqp_url)
    assert {"integration.created", "sync.requested", "sync.page_due", "asset.page_normalized"} <= {
        each.routing_key for each in said
    }
    before, asked = await tables_as_text(stage, *KEPT), await rmm.request_count()

    await queues.publish(stage.amqp_url, shuffled(seeded(7), said + said))
    await books.quiet()

    assert await tables_as_text(stage, *KEPT) == before
    assert await rmm.request_count() == asked
    await flow.stop()
    await books.check(rmm, added.id, gone=changed["ids"])


async def test_an_older_page_that_comes_late_never_overwrites_a_newer_one(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=5)
    flow = await in_process(stage, rmm, rmm_page_size=50)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    await books.quiet()
    old = await queues.journal(stage.amqp_url, "device.page_fetched", "asset.page_normalized")
    await rmm.control("POST", "churn", {"share": 0.5})
    changed = await rmm.control("POST", "vanish", {"count": 5})
    for _ in range(2):
        await desk.synced(added.id)
    await books.quiet()
    before = await tables_as_text(stage, "assets", "devices")

    # As from fetches that nobody has recorded: a fetcher that was killed between its publish and its commit.
    await queues.publish(stage.amqp_url, shuffled(seeded(3), [_of_another_fetch(said) for said in old]))
    await books.quiet()

    assert await tables_as_text(stage, "assets", "devices") == before
    assert (await desk.synced(added.id))["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id, gone=changed["ids"])


def _of_another_fetch(said: Said) -> Said:
    body: dict[str, Any] = json.loads(said.body)
    body["data"]["fetch_id"] = str(uuid4())
    return Said(said.routing_key, json.dumps(body).encode(), {})


@pytest.mark.parametrize("moment", ["writing", "waiting-for-the-writer"])
async def test_a_run_whose_messages_are_all_lost_is_finished_by_the_scheduler(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline, moment: str
) -> None:
    rmm = await simulator(devices=400, companies=8, latency_ms=20)
    services = ("fetcher", "normalizer", "scheduler")
    flow = await in_process(
        stage, rmm, *services, rmm_page_size=20, stuck_after_seconds=1.5, chunks_waiting_own=5, chunks_waiting_all=8
    )
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    if moment == "writing":
        await flow.start("writer")
    await desk.pages_read(added.run_id, 5)
    if moment != "writing":
        # Nobody has written yet: as many chunks as may wait are lost.
        async def all_wait() -> bool:
            return (await queues.depths(stage.amqp_url)).get("writer.pages", 0) >= 5

        await until("five chunks wait for a writer", all_wait)
    await queues.purge(stage.amqp_url)
    if moment != "writing":
        await flow.start("writer")

    run = await desk.ended(added.run_id)

    assert run["status"] == "succeeded"
    assert run["seen"] == len(await rmm.devices())
    await flow.start("writeback")
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_created_event_that_is_lost_is_announced_again(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=200, companies=4)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await queues.purge(stage.amqp_url)
    flow = await in_process(stage, rmm, stuck_after_seconds=1)

    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_an_event_that_was_stored_and_never_published_is_swept_out(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=200, companies=4)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    (created,) = await queues.journal(stage.amqp_url, "integration.created")
    await queues.purge(stage.amqp_url)
    # As a command leaves it that is killed between its commit and its publish.
    await desk.execute(
        "insert into outbox (routing_key, body, correlation_id) values ($1, $2, 'lost')",
        created.routing_key,
        created.body.decode(),
    )
    flow = await in_process(stage, rmm)

    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)
