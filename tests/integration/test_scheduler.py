"""The scheduler on a real Postgres: what is due, what got stuck, and what became of the dead."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.scheduler.clock import Clock
from services.scheduler.dead import DeadMessage, read_dead
from services.scheduler.parking import PostgresParking
from services.scheduler.settings import SchedulerSettings
from shared import headers as names
from shared.events.bulk import AssetPageNormalized, encode_bulk, new_bulk
from shared.integrations.status import cancel_run
from shared.observability import metrics
from shared.postgres import Pool, transaction
from shared.runs.scopes import fail_run
from tests.integration.world import STORY, Tenant, World, device, many
from tests.support.waiting import PATIENCE_SECONDS

HOUR = timedelta(hours=1)


@pytest.fixture
def world(pool: Pool, account_id: UUID) -> World:
    return World(pool, account_id)


def clock(world: World, **changed: Any) -> Clock:
    addresses: dict[str, Any] = {"amqp_url": "amqp://nobody/", "database_url": "postgresql://nobody/"}
    return Clock(world.pool, world.outbox, SchedulerSettings(**addresses, **changed))


@pytest.fixture
def ours(world: World) -> Clock:
    return clock(world, stuck_after_seconds=60, stuck_announcements=3, scopes_at_once=2)


async def age(world: World, by: timedelta) -> None:
    """As if that much time went by without progress."""
    await world.execute("update sync_runs set progress_at = progress_at - $1::interval", by)
    await world.execute("update sync_scopes set progress_at = progress_at - $1::interval", by)
    await world.execute("update sync_chunks set written_at = written_at - $1::interval", by)


# -- due syncs -----------------------------------------------------------------------------------------------------


async def due(world: World, by: timedelta = timedelta(seconds=1), **columns: Any) -> UUID:
    return await world.integration(next_sync_at=datetime.now(UTC) - by, sync_every=timedelta(hours=10), **columns)


async def test_a_due_sync_is_queued_told_and_due_again_with_jitter(world: World, ours: Clock) -> None:
    integrations = [await due(world) for _ in range(20)]
    before = datetime.now(UTC)
    await ours.request_due_syncs()
    runs = {row["integration_id"]: row for row in await world.rows("select * from sync_runs")}
    assert set(runs) == set(integrations)
    assert {(run["status"], run["kind"], run["started_by"]) for run in runs.values()} == {
        ("queued", "full", "scheduled")
    }
    told = world.bus.of("sync.requested")
    assert {each["run_id"] for each in told} == {str(run["id"]) for run in runs.values()}
    steps = [row["next_sync_at"] - before for row in await world.rows("select next_sync_at from integrations")]
    assert all(9 * HOUR <= step <= 11 * HOUR + timedelta(minutes=1) for step in steps)
    assert max(steps) - min(steps) > timedelta(minutes=10), "tenants spread over the day"


async def test_a_sync_that_is_not_due_is_left(world: World, ours: Clock) -> None:
    await due(world, by=-HOUR)
    await world.integration(next_sync_at=None)
    for status in ("paused_credentials", "paused_quota", "disabled", "removed"):
        await due(world, status=status)
    await ours.request_due_syncs()
    assert await world.count("sync_runs") == 0
    assert world.bus.said == []


async def test_a_due_sync_joins_the_run_that_goes(world: World, ours: Clock) -> None:
    integration = await due(world)
    await world.run(integration)
    await ours.request_due_syncs()
    assert await world.count("sync_runs") == 1
    assert world.bus.said == []
    assert await world.value("select next_sync_at > now() from integrations")


@pytest.mark.parametrize("kind", ["company", "device"])
@pytest.mark.parametrize("end", ["closed", "failed", "cancelled"])
async def test_a_full_sync_that_is_due_while_less_is_read_is_queued_when_that_has_ended(
    world: World, ours: Clock, kind: str, end: str
) -> None:
    integration = await due(world)
    tenant = await world.next_run(integration, kind=kind)
    await ours.request_due_syncs()
    assert await world.count("sync_runs") == 1
    if end == "closed":
        await world.see(tenant, device("d1"))
        await world.close(tenant)
    reason: dict[str, Any] = {"reason_code": "test", "reason": "it is a test", "next_action": "nothing"}
    async with transaction(world.pool) as conn:
        if end == "failed":
            await fail_run(conn, tenant.run_id, status="failed", source="test", **reason)
        if end == "cancelled":
            await cancel_run(conn, integration, world.account_id, source="test", **reason)
    for _ in range(2):
        await ours.request_due_syncs()
    runs = await world.rows("select kind, status, started_by from sync_runs where id <> $1", tenant.run_id)
    assert [tuple(run) for run in runs] == [("full", "queued", "scheduled")]
    assert await world.value("select next_sync_at > now() from integrations")


async def test_several_schedulers_share_the_due_syncs(world: World) -> None:
    for _ in range(30):
        await due(world)
    await asyncio.gather(*(clock(world).request_due_syncs() for _ in range(4)))
    await clock(world).request_due_syncs()
    assert await world.count("sync_runs") == 30
    assert len(world.bus.of("sync.requested")) == 30


async def test_a_scheduler_does_not_wait_for_what_another_has_in_hand(world: World, ours: Clock) -> None:
    in_hand, free = await due(world, by=2 * HOUR), await due(world)
    async with transaction(world.pool) as conn:
        await conn.execute("select from integrations where id = $1 for update", in_hand)
        await asyncio.wait_for(ours.request_due_syncs(), PATIENCE_SECONDS)
    assert [row["integration_id"] for row in await world.rows("select integration_id from sync_runs")] == [free]


async def test_more_than_one_batch_is_due(world: World, ours: Clock) -> None:
    for _ in range(60):
        await due(world)
    await ours.request_due_syncs()
    assert await world.count("sync_runs") == 50
    await ours.request_due_syncs()
    assert await world.count("sync_runs") == 60


# -- probes --------------------------------------------------------------------------------------------------------


async def test_a_due_probe_is_announced_and_again_after_a_while(world: World, ours: Clock) -> None:
    past = datetime.now(UTC) - HOUR
    paused = await world.integration(status="paused_credentials", probe_due_at=past)
    await world.integration(status="paused_credentials")
    await world.integration(status="active", probe_due_at=past)
    for _ in range(2):
        await ours.announce_due_probes()
    assert [each["integration_id"] for each in world.bus.of("integration.probe_due")] == [str(paused)]
    await world.execute("update integrations set probe_due_at = probe_due_at - interval '11 minutes'")
    await ours.announce_due_probes()
    assert len(world.bus.of("integration.probe_due")) == 2


# -- pushes --------------------------------------------------------------------------------------------------------


async def push(
    world: World, integration_id: UUID, *, due_in: timedelta = timedelta(seconds=-1), status: str = "waiting"
) -> None:
    """A date that is to be written to an RMM."""
    await world.execute(
        "insert into date_pushes (integration_id, device_id, field, account_id, asset_id, status, wished_at,"
        " trying_since, next_try_at) values ($1, $2, 'purchase_date', $3, $4, $5, now(), now(), now() + $6)",
        *(integration_id, str(uuid4()), world.account_id, uuid4(), status, due_in),
    )


def woken(world: World) -> list[str]:
    return sorted(each["integration_id"] for each in world.bus.of("date.push_due"))


async def test_a_due_push_is_announced_once_and_again_where_the_wake_up_got_lost(world: World, ours: Clock) -> None:
    integration = await world.integration()
    await push(world, integration)
    for _ in range(2):
        await ours.announce_due_pushes()
    assert woken(world) == [str(integration)]
    await world.execute("update date_turns set announced_at = announced_at - interval '31 seconds'")
    await ours.announce_due_pushes()
    assert woken(world) == [str(integration)] * 2


async def test_a_push_is_due_when_its_backoff_or_its_dead_holders_claim_is_over(world: World, ours: Clock) -> None:
    backing_off, claimed = await world.integration(), await world.integration()
    await push(world, backing_off, due_in=HOUR)
    await push(world, claimed, status="writing")
    await world.execute("update date_pushes set leased_until = now() + $1 where status = 'writing'", HOUR)
    await ours.announce_due_pushes()
    assert woken(world) == []
    await world.execute("update date_pushes set next_try_at = now() where integration_id = $1", backing_off)
    await world.execute("update date_pushes set leased_until = now() where integration_id = $1", claimed)
    await ours.announce_due_pushes()
    assert woken(world) == sorted([str(backing_off), str(claimed)])


async def test_a_push_that_is_held_is_announced_when_what_held_it_is_over(world: World, ours: Clock) -> None:
    integration = await world.integration(status="paused_credentials")
    await push(world, integration, status="held")
    await ours.announce_due_pushes()
    assert woken(world) == []
    await world.execute("update integrations set status = 'active'")
    await ours.announce_due_pushes()
    assert woken(world) == [str(integration)]


async def test_several_schedulers_announce_each_due_push_once(world: World) -> None:
    integrations = [await world.integration() for _ in range(20)]
    for integration in integrations:
        await push(world, integration)
    await asyncio.gather(*(clock(world).announce_due_pushes() for _ in range(4)))
    assert woken(world) == sorted(map(str, integrations))


# -- stuck runs ----------------------------------------------------------------------------------------------------


async def test_a_queued_run_that_nobody_began_is_told_again(world: World, ours: Clock) -> None:
    run_id = await world.run(await world.integration(), status="queued", kind="company", target="c1")
    await ours.revive_stuck_runs()
    assert world.bus.said == []
    await age(world, timedelta(seconds=61))
    await ours.revive_stuck_runs()
    (told,) = world.bus.of("sync.requested")
    assert (told["run_id"], told["kind"], told["target"]) == (str(run_id), "company", "c1")


async def test_each_time_it_waits_twice_as_long(world: World, ours: Clock) -> None:
    await world.run(await world.integration(), status="queued")
    await age(world, timedelta(seconds=61))
    told: list[int] = []
    for passed in (0, 30, 31, 117, 3):
        await age(world, timedelta(seconds=passed))
        await ours.revive_stuck_runs()
        told.append(len(world.bus.said))
    assert told == [1, 1, 2, 2, 3]


async def test_lists_that_stand_still_are_told_again_in_the_turn_that_goes(world: World, ours: Clock) -> None:
    """A fetcher that still works on it is not disturbed: its turn and the one that is told go on at the same page."""
    tenant = await world.tenant()
    await world.execute("update sync_scopes set page_no = 5, turn_page = 3, cursor = 900")
    await world.scope(tenant.run_id, status="done", position=1)
    waiting = await world.scope(tenant.run_id, status="pending", position=2)
    await age(world, timedelta(seconds=61))
    await ours.revive_stuck_runs()
    told = {each["scope_id"]: each["page_no"] for each in world.bus.of("sync.page_due")}
    assert told == {str(tenant.scope_id): 3, str(waiting): 0}
    assert await world.value("select status from sync_scopes where id = $1", waiting) == "listing"


@pytest.mark.parametrize("progress", ["page", "chunk", "run"])
async def test_a_run_that_makes_progress_is_left(world: World, ours: Clock, progress: str) -> None:
    tenant = await world.tenant()
    chunk = world.chunk(tenant, device("d1"))
    await world.record(chunk)
    await age(world, timedelta(seconds=61))
    if progress == "page":
        await world.execute("update sync_scopes set progress_at = now()")
    elif progress == "chunk":
        await world.write(chunk)
    else:
        await world.execute("update sync_runs set progress_at = now()")
    await ours.revive_stuck_runs()
    assert world.bus.of("sync.page_due") == []


@pytest.mark.parametrize("status", ["succeeded", "partial", "needs_review", "failed", "cancelled"])
async def test_a_run_that_ended_is_never_stuck(world: World, ours: Clock, status: str) -> None:
    await world.next_run(await world.integration(), status=status)
    await age(world, HOUR)
    await ours.revive_stuck_runs()
    assert world.bus.said == []


async def test_a_run_of_which_only_the_closing_was_missed_is_closed(world: World, ours: Clock) -> None:
    tenant = await world.tenant()
    await world.see(tenant, device("d1"))
    await world.execute("update sync_scopes set status = 'done'")
    await age(world, timedelta(seconds=61))
    await ours.revive_stuck_runs()
    assert await world.value("select status from sync_runs") == "succeeded"
    assert world.bus.of("sync.page_due") == []


async def test_lists_whose_chunks_are_gone_for_good_are_listed_anew_and_the_run_succeeds(
    world: World, ours: Clock
) -> None:
    tenant = await world.tenant()
    await world.see(tenant, device("d1"))
    gone = world.chunk(tenant, device("d2"), device("d3"))
    whole = Tenant(tenant.id, tenant.account_id, tenant.run_id, await world.scope(tenant.run_id, "c2", position=1))
    await world.record(gone)
    await world.see(whole, device("d4"))
    await world.execute("update sync_scopes set status = 'done'")
    await age(world, timedelta(seconds=61))
    await ours.revive_stuck_runs()
    (told,) = world.bus.of("sync.page_due")
    redone = await world.row("select * from sync_scopes where id = $1", UUID(told["scope_id"]))
    assert (redone["status"], redone["company_ids"], redone["page_no"], redone["position"]) == ("listing", ["c1"], 0, 0)
    assert await world.value("select status from sync_scopes where id = $1", tenant.scope_id) == "split"
    anew = Tenant(tenant.id, tenant.account_id, tenant.run_id, redone["id"])
    await world.see(anew, device("d1"), device("d2"), device("d3"))
    run = await world.close(anew)
    assert (run["status"], run["seen"], run["created"], run["unchanged"]) == ("succeeded", 4, 4, 0)
    # What was thought to be gone comes after all: nothing changes.
    await world.write(gone)
    assert (await world.row("select * from sync_runs"))["status"] == "succeeded"


async def test_several_schedulers_revive_a_run_once(world: World) -> None:
    tenant = await world.tenant()
    await world.record(world.chunk(tenant, device("d1")))
    await world.execute("update sync_scopes set status = 'done'")
    await age(world, HOUR)
    await asyncio.gather(*(clock(world, stuck_after_seconds=60).revive_stuck_runs() for _ in range(4)))
    assert len(world.bus.of("sync.page_due")) == 1
    assert await world.value("select announced from sync_runs") == 1


async def test_a_run_that_goes_on_again_is_given_its_whole_patience_anew(world: World, ours: Clock) -> None:
    tenant = await world.tenant()
    for _ in range(2):
        await age(world, HOUR)
        await ours.revive_stuck_runs()
    assert await world.value("select announced from sync_runs") == 2
    await world.see(tenant, device("d1"))
    await ours.revive_stuck_runs()
    assert await world.value("select announced from sync_runs") == 0


async def test_what_the_reaper_starts_itself_is_no_progress(world: World, ours: Clock) -> None:
    tenant = await world.tenant()
    await world.scope(tenant.run_id, status="pending", position=1)
    await age(world, HOUR)
    await ours.revive_stuck_runs()
    await ours.revive_stuck_runs()
    assert await world.value("select count(*) from sync_scopes where status = 'listing'") == 2
    assert await world.value("select announced from sync_runs") == 1


async def give_up(world: World, ours: Clock) -> None:
    """Without progress as often as is allowed, and once more."""
    for _ in range(4):
        await age(world, 10 * HOUR)
        await ours.revive_stuck_runs()


async def test_a_queued_run_that_nobody_ever_begins_fails_with_the_reason(world: World, ours: Clock) -> None:
    await world.run(await world.integration(), status="queued")
    await give_up(world, ours)
    run = await world.row("select * from sync_runs")
    assert (run["status"], run["reason_code"]) == ("failed", "no_progress")
    assert run["reason"] == "no progress although it was told again 3 times"
    assert len(world.bus.of("sync.requested")) == 3
    assert len(world.bus.of("sync.failed")) == 1


async def test_a_run_whose_lists_never_go_on_ends_as_partial_with_what_is_in(world: World, ours: Clock) -> None:
    tenant = await world.tenant()
    await world.see(tenant, device("d1"))
    await world.scope(tenant.run_id, status="pending", position=1)
    await give_up(world, ours)
    run = await world.row("select * from sync_runs")
    assert (run["status"], run["seen"], run["created"]) == ("partial", 1, 1)
    assert "2 of 2 lists could not be read to the end" in run["reason"]
    assert world.bus.of("sync.completed")[0]["status"] == "partial"


async def test_a_run_whose_chunks_never_come_ends_as_partial_and_judges_nobody(world: World, ours: Clock) -> None:
    integration = await world.integration()
    await world.synced(integration, device("d1"), device("d2"))
    tenant = await world.next_run(integration)
    await world.see(tenant, device("d1"))
    await world.record(world.chunk(tenant, device("d2")))
    await world.execute("update sync_scopes set status = 'failed', reason = 'why' where run_id = $1", tenant.run_id)
    await world.execute("update sync_runs set announced = 3 where id = $1", tenant.run_id)
    await age(world, 10 * HOUR)
    await ours.revive_stuck_runs()
    run = await world.row("select * from sync_runs where id = $1", tenant.run_id)
    assert (run["status"], run["missing"]) == ("partial", 0)
    assert await world.states(integration) == {"d1": "active", "d2": "active"}
    assert await world.value("select count(*) from sync_chunks where lost") == 1


async def test_a_chunk_that_was_given_up_and_comes_after_all_keeps_its_place_in_time(world: World) -> None:
    """It changed nothing when it came, and is later than what came after it all the same."""
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d1", model="a"), seq=10))
    late = world.chunk(tenant, device("d1", model="a"), seq=30)
    row = {
        "fetch_id": UUID(late.fetch_id),
        "chunk_no": 0,
        "run_id": tenant.run_id,
        "integration_id": tenant.id,
        "observed_seq": 0,
        "lost": True,
    }
    await world.insert("sync_chunks", row)
    await world.write(late)
    await world.write(world.chunk(tenant, device("d1", model="b"), seq=20))
    assert (await world.asset_of(tenant, "d1"))["model"] == "a"


# -- the outbox and the bookkeeping --------------------------------------------------------------------------------


async def test_the_sweep_publishes_what_was_left_and_tells_its_age(world: World, ours: Clock) -> None:
    body = json.dumps({"type": "sync.requested", "correlationid": STORY, "data": {}})
    for seconds in (100, 3):
        await world.execute(
            "insert into outbox (routing_key, body, correlation_id, created_at)"
            " values ('sync.requested', $1, $2, now() - $3 * interval '1 second')",
            body,
            STORY,
            seconds,
        )
    await ours.sweep_outbox()
    assert world.bus.types() == ["sync.requested"]
    assert 3 <= metrics.OUTBOX_AGE._value.get() < 60


async def test_pruning_keeps_the_last_three_runs_and_everything_of_three_days(world: World, ours: Clock) -> None:
    integration = await world.integration()
    runs = []
    for days in (9, 8, 7, 6, 5, 2):
        tenant = await world.next_run(integration)
        await world.see(tenant, device("d1"))
        await world.close(tenant)
        ago = timedelta(days=days)
        await world.execute(
            "update sync_runs set requested_at = now() - $2::interval, finished_at = now() - $2::interval"
            " where id = $1",
            tenant.run_id,
            ago,
        )
        runs.append(tenant.run_id)
    await world.next_run(integration)
    other = await world.integration()
    await world.synced(other, device("e1"))
    await ours.prune()
    kept = {
        row["run_id"]
        for row in await world.rows("select run_id from sync_chunks where integration_id = $1", integration)
    }
    assert kept == set(runs[3:])
    assert await world.value("select count(*) from sync_chunks where integration_id = $1", other) == 1
    assert await world.count("sync_runs") == 8


# -- the dead ------------------------------------------------------------------------------------------------------


def parking(world: World) -> PostgresParking:
    return PostgresParking(world.pool, world.outbox, scopes_at_once=1)


def dead(event_type: str, data: dict[str, Any], *, queue: str = "fetcher.pages", **changed: Any) -> DeadMessage:
    body = {"id": "e-1", "type": event_type, "correlationid": STORY, "data": data}
    given_values: dict[str, Any] = {
        "routing_key": queue,
        "body": json.dumps(body).encode(),
        "headers": {
            names.ATTEMPT: 4,
            names.REASON_CODE: "rmm_server_error",
            names.REASON: "the rmm said 500",
            names.NEXT_ACTION: "wait",
            names.FIRST_FAILED_AT: "2026-01-01T00:00:00+00:00",
        },
        "content_type": "application/cloudevents+json",
        "message_id": str(uuid4()),
        "correlation_id": STORY,
    }
    return read_dead(**given_values | changed)


def page(tenant: Tenant, page_no: int = 0) -> dict[str, Any]:
    ids = {"integration_id": tenant.id, "run_id": tenant.run_id, "scope_id": tenant.scope_id}
    return {name: str(value) for name, value in ids.items()} | {"page_no": page_no}


def of_chunk(chunk: AssetPageNormalized) -> DeadMessage:
    body = encode_bulk(new_bulk(chunk, source="normalizer", account_id=chunk.account_id))
    return dead("asset.page_normalized", {}, queue="writer.pages", body=body)


async def test_a_dead_message_is_kept_with_all_that_a_person_needs(world: World) -> None:
    message = dead("sync.page_due", {"integration_id": str(uuid4())})
    await parking(world).keep(message)
    row = await world.row("select * from parked_messages")
    assert (row["queue"], row["event_type"], row["event_id"]) == ("fetcher.pages", "sync.page_due", "e-1")
    assert (row["reason_code"], row["reason"], row["next_action"]) == ("rmm_server_error", "the rmm said 500", "wait")
    assert (row["attempts"], row["first_failed_at"]) == (4, datetime(2026, 1, 1, tzinfo=UTC))
    assert (row["status"], row["body"], row["correlation_id"]) == ("parked", message.body, STORY)
    assert row["integration_id"] == message.id_of("integration_id")
    assert row["headers"][names.REASON_CODE] == "rmm_server_error"


async def test_a_dead_message_that_is_delivered_twice_is_kept_once_and_has_its_consequence_once(world: World) -> None:
    tenant = await world.tenant()
    await world.scope(tenant.run_id, status="pending", position=1)
    await world.scope(tenant.run_id, status="pending", position=2)
    message = dead("sync.page_due", page(tenant))
    await asyncio.gather(*(parking(world).keep(message) for _ in range(4)))
    assert await world.count("parked_messages") == 1
    assert len(world.bus.of("sync.page_due")) == 1


async def test_the_same_id_in_two_queues_is_two_messages(world: World) -> None:
    for queue in ("fetcher.pages", "writer.pages"):
        await parking(world).keep(dead("x", {}, queue=queue, message_id="m-1"))
    assert await world.count("parked_messages") == 2


@pytest.mark.parametrize("status", ["parked", "retried", "discarded"])
async def test_another_body_under_the_same_id_is_another_message(world: World, status: str) -> None:
    first, other = (dead("x", {"number": number}, message_id="m-1") for number in range(2))
    await parking(world).keep(first)
    await world.execute("update parked_messages set status = $1", status)
    for _ in range(2):
        await parking(world).keep(other)
    rows = await world.rows("select status, body from parked_messages order by parked_at")
    assert [(row["status"], row["body"]) for row in rows] == [(status, first.body), ("parked", other.body)]


async def test_a_message_that_comes_back_dead_is_one_row_with_its_body_and_its_new_reason(world: World) -> None:
    first = dead("x", {}, message_id="m-1")
    await parking(world).keep(first)
    await world.execute("update parked_messages set status = 'retried'")
    await parking(world).keep(dead("x", {}, message_id="m-1", headers={names.REASON: "the rmm said 400"}))
    (row,) = await world.rows("select status, body, reason from parked_messages")
    assert (row["status"], row["body"], row["reason"]) == ("parked", first.body, "the rmm said 400")


@pytest.mark.parametrize(("status", "after"), [("retried", "parked"), ("parked", "parked"), ("discarded", "discarded")])
async def test_the_same_message_again_is_open_again_where_it_was_retried(world: World, status: str, after: str) -> None:
    await parking(world).keep(dead("x", {}, message_id="m-1"))
    await world.execute("update parked_messages set status = $1", status)
    await parking(world).keep(dead("x", {}, message_id="m-1"))
    assert [row["status"] for row in await world.rows("select status from parked_messages")] == [after]


headers_of_strangers = st.dictionaries(
    st.text(max_size=6) | st.sampled_from([names.REASON, names.ATTEMPT, names.FIRST_FAILED_AT, names.TRACEBACK]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=6) | st.binary(max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=4,
)
bodies = st.binary(max_size=40) | st.dictionaries(
    st.sampled_from(["id", "type", "correlationid", "accountid", "data"]),
    st.text(max_size=8) | st.sampled_from(["sync.page_due", "asset.page_normalized", "sync.requested"]),
).map(lambda value: json.dumps(value).encode())


@given(bodies, headers_of_strangers, st.text(max_size=6), st.text(max_size=6))
@example(b'{"id": "a\\u0000", "type": "\\ud800", "correlationid": "\\u0000"}', {}, "m", "c")
@example(b"", {names.REASON: "\0", names.TRACEBACK: "\0", "\0": [{"\0": "\0"}]}, "\0", "\0")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_ends_dead_can_be_kept(
    world: World, body: bytes, headers: dict[str, Any], message_id: str, correlation_id: str
) -> None:
    queue = f"q-{uuid4()}"
    message = dead(
        "",
        {},
        queue=queue,
        body=body,
        headers=headers,
        message_id=message_id,
        correlation_id=correlation_id,
        content_type=correlation_id,
    )
    await parking(world).keep(message)
    assert await world.value("select body from parked_messages where queue = $1", queue) == body


NUMBERS = [None, -1, 2**31, 2**63, 2**70, 1.5, True, "0"]


@pytest.mark.parametrize("number", NUMBERS)
async def test_numbers_that_no_page_has_are_kept_and_have_no_consequence(world: World, number: object) -> None:
    tenant = await world.tenant()
    await parking(world).keep(dead("sync.page_due", page(tenant) | {"page_no": number}))
    chunk = {"fetch_id": str(uuid4()), **page(tenant), "chunk_no": number, "observed_seq": number}
    await parking(world).keep(dead("device.page_fetched", chunk))
    assert await world.count("parked_messages") == 2
    assert await world.count("sync_chunks") == 0
    assert await world.value("select status from sync_scopes") == "listing"


async def test_a_dead_page_fails_its_list_and_the_next_one_starts(world: World) -> None:
    tenant = await world.tenant()
    waiting = await world.scope(tenant.run_id, status="pending", position=1)
    await parking(world).keep(dead("sync.page_due", page(tenant)))
    scope = await world.row("select * from sync_scopes where id = $1", tenant.scope_id)
    assert (scope["status"], scope["reason_code"]) == ("failed", "rmm_server_error")
    assert scope["reason"] == "page 1: the rmm said 500"
    assert [each["scope_id"] for each in world.bus.of("sync.page_due")] == [str(waiting)]


async def test_a_page_that_is_dead_in_the_middle_of_a_turn_is_named(world: World) -> None:
    tenant = await world.tenant()
    await world.execute("update sync_scopes set page_no = 6, turn_page = 4")
    await parking(world).keep(dead("sync.page_due", page(tenant, 4)))
    assert await world.value("select reason from sync_scopes") == "page 7: the rmm said 500"


async def test_a_run_with_a_dead_page_ends_as_partial_and_judges_nobody(world: World) -> None:
    integration = await world.integration()
    await world.synced(integration, device("d1"), device("d2"))
    tenant = await world.next_run(integration)
    await world.see(tenant, device("d1"))
    await world.execute("update sync_scopes set page_no = 1, turn_page = 1 where id = $1", tenant.scope_id)
    await parking(world).keep(dead("sync.page_due", page(tenant, 1)))
    run = await world.row("select * from sync_runs where id = $1", tenant.run_id)
    assert (run["status"], run["reason_code"]) == ("partial", "incomplete")
    assert run["reason"] == "1 of 1 lists could not be read to the end; first: page 2: the rmm said 500"
    assert await world.states(integration) == {"d1": "active", "d2": "active"}


async def test_a_run_of_which_nothing_could_be_read_failed(world: World) -> None:
    tenant = await world.tenant()
    await parking(world).keep(dead("sync.page_due", page(tenant)))
    assert await world.value("select status from sync_runs") == "failed"
    assert len(world.bus.of("sync.failed")) == 1


@pytest.mark.parametrize("status", ["done", "failed", "split"])
async def test_a_dead_page_of_a_list_that_ended_changes_nothing(world: World, status: str) -> None:
    tenant = await world.tenant()
    await world.execute("update sync_scopes set status = $1", status)
    await world.scope(tenant.run_id, status="listing", position=1)
    await parking(world).keep(dead("sync.page_due", page(tenant)))
    assert await world.value("select status from sync_scopes where id = $1", tenant.scope_id) == status
    assert world.bus.said == []


async def test_a_dead_page_that_was_read_after_all_changes_nothing(world: World) -> None:
    """A copy of the announcement died; the list is in its next turn already."""
    tenant = await world.tenant()
    await world.execute("update sync_scopes set page_no = 1, turn_page = 1")
    await parking(world).keep(dead("sync.page_due", page(tenant, 0)))
    assert await world.value("select status from sync_scopes") == "listing"


@pytest.mark.parametrize("before_its_page", [True, False])
async def test_a_run_with_a_dead_chunk_goes_on_and_ends_as_partial(world: World, before_its_page: bool) -> None:
    integration = await world.integration()
    await world.synced(integration, device("d1"), device("d2"))
    tenant = await world.next_run(integration)
    await world.see(tenant, device("d1"))
    chunk = world.chunk(tenant, device("d2"))
    if before_its_page:
        await parking(world).keep(of_chunk(chunk))
        await world.record(chunk)
        run = await world.close(tenant)
    else:
        await world.record(chunk)
        await world.execute("update sync_scopes set status = 'done' where id = $1", tenant.scope_id)
        await parking(world).keep(of_chunk(chunk))
        run = await world.row("select * from sync_runs where id = $1", tenant.run_id)
    assert (run["status"], run["reason"], run["missing"]) == ("partial", "1 parts of pages are parked", 0)
    assert await world.states(integration) == {"d1": "active", "d2": "active"}


async def test_a_dead_chunk_that_was_written_already_is_not_lost(world: World) -> None:
    """Written, and its ack was lost each time."""
    tenant = await world.tenant()
    chunk = world.chunk(tenant, device("d1"))
    await world.write(chunk)
    await world.record(chunk)
    await parking(world).keep(of_chunk(chunk))
    assert await world.value("select lost from sync_chunks") is False
    assert (await world.close(tenant))["status"] == "succeeded"


async def test_a_dead_chunk_that_is_retried_while_its_run_goes_makes_the_run_whole(world: World) -> None:
    tenant = await world.tenant()
    chunk = world.chunk(tenant, *many(3))
    await world.record(chunk)
    await parking(world).keep(of_chunk(chunk))
    await world.write(chunk)
    run = await world.close(tenant)
    assert (run["status"], run["seen"], run["created"]) == ("succeeded", 3, 3)


async def test_a_dead_chunk_that_is_retried_after_its_run_ended_is_in(world: World) -> None:
    tenant = await world.tenant()
    await world.see(tenant, device("d0"))
    chunk = world.chunk(tenant, device("d1"))
    await world.record(chunk)
    await parking(world).keep(of_chunk(chunk))
    run = await world.close(tenant)
    assert run["status"] == "partial"
    await world.write(chunk)
    await world.assets.close_if_done(tenant.run_id)
    assert await world.states(tenant.id) == {"d0": "active", "d1": "active"}
    assert await world.value("select status from sync_runs") == "partial"
    assert len(world.bus.of("sync.completed")) == 1


async def test_a_run_whose_beginning_is_dead_failed_with_the_reason(world: World) -> None:
    for event_type in ("sync.requested", "integration.created"):
        integration = await world.integration()
        run_id = await world.run(integration, status="queued")
        message = dead(event_type, {"integration_id": str(integration), "run_id": str(run_id)}, queue="fetcher.syncs")
        await parking(world).keep(message)
        run = await world.row("select * from sync_runs where id = $1", run_id)
        assert (run["status"], run["reason_code"], run["reason"], run["next_action"]) == (
            "failed",
            "rmm_server_error",
            "the rmm said 500",
            "wait",
        )
    assert len(world.bus.of("sync.failed")) == 2


async def test_a_dead_wish_of_a_stranger_has_no_run_to_fail(world: World) -> None:
    integration = await world.integration()
    run_id = await world.run(integration, status="queued")
    await parking(world).keep(dead("sync.requested", {"integration_id": str(integration)}, queue="fetcher.syncs"))
    assert await world.value("select status from sync_runs where id = $1", run_id) == "queued"


async def test_keeping_and_its_consequence_are_one(world: World, pool: Pool) -> None:
    """Where the consequence fails, the message is not kept, and comes again."""
    tenant = await world.tenant()
    await world.execute("alter table sync_scopes add constraint no_failing check (status <> 'failed')")
    with pytest.raises(asyncpg.CheckViolationError):
        await parking(world).keep(dead("sync.page_due", page(tenant)))
    assert await world.count("parked_messages") == 0


async def test_what_only_the_broker_gave_up_is_kept_as_the_crash_limit(world: World) -> None:
    death = [
        {"reason": "delivery_limit", "time": datetime(2026, 1, 1, tzinfo=UTC), "queue": "writer.pages", "count": 1}
    ]
    await parking(world).keep(dead("x", {}, headers={"x-death": death, "x-delivery-count": 21}))
    row = await world.row("select * from parked_messages")
    assert row["reason_code"] == "crash_limit"
    assert row["headers"]["x-death"][0]["reason"] == "delivery_limit"
