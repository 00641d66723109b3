"""Runs on a real Postgres: asked for once, closed once, balanced, and careful with what they did not see."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import UnknownIntegration
from shared.events.bulk import AssetPageNormalized
from shared.integrations.status import cancel_run
from shared.observability import metrics
from shared.outbox import Outbox
from shared.postgres import Pool, open_pool, transaction
from shared.runs.closing import accept_review, close_if_done
from shared.runs.requests import RunRequest, request_run
from shared.runs.scopes import fail_run
from tests.integration.world import Tenant, World, device, many, reject

PARTS = ("created", "updated", "unchanged", "rejected", "repeated")


@pytest.fixture
def world(pool: Pool, account_id: UUID) -> World:
    return World(pool, account_id)


@pytest.fixture
async def other_pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database_url, service="other")
    yield opened
    await opened.close()


def ended_as(status: str) -> float:
    """How many runs of this process were counted as ended so."""
    found: float = metrics.RUNS.labels(status=status)._value.get()
    return found


def sheet(run: asyncpg.Record) -> dict[str, int]:
    """The columns of a balance sheet that are not zero."""
    return {name: run[name] for name in ("seen", *PARTS, "missing", "archived") if run[name]}


async def ask(world: World, integration_id: UUID, request_id: UUID | None = None, **more: Any) -> RunRequest:
    async with transaction(world.pool) as conn:
        return await request_run(
            conn, integration_id, request_id=request_id or uuid4(), started_by="manual", actor="tester", **more
        )


# -- asking --------------------------------------------------------------------------------------------------------


async def test_a_request_queues_a_run(world: World) -> None:
    integration = await world.integration()
    request_id = uuid4()
    asked = await ask(world, integration, request_id, kind="company", target="c1")
    run = await world.row("select * from sync_runs")
    assert (asked.run_id, asked.joined, asked.repeated) == (run["id"], False, False)
    assert (run["status"], run["kind"], run["target"], run["correlation_id"]) == ("queued", "company", "c1", request_id)


async def test_a_request_joins_the_run_that_goes(world: World) -> None:
    integration = await world.integration()
    first = await ask(world, integration)
    second = await ask(world, integration)
    assert (second.run_id, second.joined) == (first.run_id, True)
    assert await world.count("sync_runs") == 1


@pytest.mark.parametrize(
    ("going", "wanted", "due"),
    [("device", "full", True), ("company", "full", True), ("full", "full", False), ("device", "company", False)],
)
async def test_a_full_run_that_joins_a_narrower_one_is_due_when_that_has_ended(
    world: World, going: str, wanted: str, due: bool
) -> None:
    integration = await world.integration(next_sync_at=datetime.now(UTC) + timedelta(hours=5))
    run_id = await world.run(integration, kind=going)
    assert await ask(world, integration, kind=wanted) == RunRequest(run_id, joined=True)
    assert await world.value("select next_sync_at <= now() from integrations") is due


async def test_the_same_request_twice_is_the_same_run_also_after_its_end(world: World) -> None:
    integration, request_id = await world.integration(), uuid4()
    first = await ask(world, integration, request_id)
    await world.execute("update sync_runs set status = 'succeeded'")
    again = await ask(world, integration, request_id)
    assert (again.run_id, again.joined, again.repeated) == (first.run_id, False, True)
    assert await world.count("sync_runs") == 1


async def test_of_many_requesters_one_queues_and_the_others_join(world: World) -> None:
    integration = await world.integration()
    asked = await asyncio.gather(*(ask(world, integration) for _ in range(8)))
    assert len({each.run_id for each in asked}) == 1
    assert sum(not each.joined for each in asked) == 1


async def test_runs_of_two_integrations_do_not_join(world: World) -> None:
    one, two = await ask(world, await world.integration()), await ask(world, await world.integration())
    assert one.run_id != two.run_id
    assert not two.joined


async def test_nobody_can_ask_for_an_integration_that_is_not_known(world: World) -> None:
    with pytest.raises(UnknownIntegration):
        await ask(world, uuid4())


# -- when it closes ------------------------------------------------------------------------------------------------


async def close(world: World, tenant: Tenant) -> str | None:
    return await close_if_done(world.pool, world.outbox, tenant.run_id, source="test")


async def done(world: World, tenant: Tenant) -> None:
    await world.execute("update sync_scopes set status = 'done' where run_id = $1", tenant.run_id)


async def test_a_run_closes_when_its_last_list_and_its_last_chunk_are_in_whichever_comes_first(world: World) -> None:
    for chunk_first in (True, False):
        tenant = await world.tenant()
        chunk = world.chunk(tenant, device("d1"))
        if chunk_first:
            await world.write(chunk)
            assert await close(world, tenant) is None, "its page is not recorded"
            await world.record(chunk)
            assert await close(world, tenant) is None, "its list has not ended"
            await done(world, tenant)
        else:
            await world.record(chunk)
            await done(world, tenant)
            assert await close(world, tenant) is None, "its chunk is not written"
            await world.write(chunk)
        assert await close(world, tenant) == "succeeded"


@pytest.mark.parametrize("status", ["pending", "listing"])
async def test_a_run_stays_open_while_a_list_does(world: World, status: str) -> None:
    tenant = await world.tenant()
    await world.see(tenant, device("d1"))
    await done(world, tenant)
    await world.scope(tenant.run_id, status=status, position=1)
    assert await close(world, tenant) is None


async def test_every_chunk_of_a_page_counts(world: World) -> None:
    tenant = await world.tenant()
    fetch_id = uuid4()
    chunks = [
        world.chunk(tenant, device(f"d{number}"), fetch_id=fetch_id, chunk_no=number, chunk_count=3)
        for number in range(3)
    ]
    await world.record(*chunks)
    await done(world, tenant)
    for chunk in chunks:
        assert await close(world, tenant) is None
        await world.write(chunk)
    assert await close(world, tenant) == "succeeded"


async def test_a_run_is_closed_once_by_any_number_of_closers(world: World, other_pool: Pool) -> None:
    tenant = await world.tenant()
    await world.see(tenant, *many(5))
    await done(world, tenant)
    pools = [world.pool, other_pool] * 4
    closed = await asyncio.gather(
        *(close_if_done(pool, Outbox(pool, world.bus), tenant.run_id, source="test") for pool in pools)  # type: ignore[arg-type]
    )
    assert sorted(str(status) for status in closed) == ["None"] * 7 + ["succeeded"]
    assert await close(world, tenant) is None
    assert len(world.bus.of("sync.completed")) == 1


@pytest.mark.parametrize("status", ["queued", "cancelled", "failed", "succeeded", "needs_review"])
async def test_a_run_that_does_not_go_is_not_closed(world: World, status: str) -> None:
    integration = await world.integration()
    tenant = await world.next_run(integration, status=status)
    await done(world, tenant)
    assert await close(world, tenant) is None
    assert world.bus.said == []


async def test_a_run_that_nobody_knows_is_not_closed(world: World) -> None:
    assert await close_if_done(world.pool, world.outbox, uuid4(), source="test") is None


async def test_what_a_run_came_to_is_told(world: World) -> None:
    integration = await world.integration()
    await world.synced(integration, *many(3))
    told = world.bus.of("sync.completed")[-1]
    run = await world.row("select * from sync_runs")
    assert (told["integration_id"], told["run_id"]) == (str(integration), str(run["id"]))
    assert (told["status"], told["seen"], told["created"], told["missing"]) == ("succeeded", 3, 3, 0)
    event = world.bus.said[-1]
    assert event["correlationid"] == str(run["correlation_id"])
    assert event["accountid"] == str(world.account_id)


async def test_the_planner_is_told_of_a_first_run_that_is_news_to_it(world: World) -> None:
    """A hundred small tenants beside a large one do not have its tables read a hundred times."""

    async def known() -> int:
        return int(await world.value("select reltuples from pg_class where oid = 'devices'::regclass"))

    async def first_run(devices: int) -> None:
        integration = await world.integration()
        await world.synced(integration, *(device(f"{integration}-{number}") for number in range(devices)))

    await first_run(30)
    assert await known() == 30
    await first_run(2)
    assert await known() == 30, "less than a tenth"
    await first_run(10)
    assert await known() == 42


async def test_a_success_makes_the_integration_active_and_leaves_a_paused_one_paused(world: World) -> None:
    fresh, paused = await world.integration(status="never_synced"), await world.integration()
    tenant = await world.next_run(paused)
    await world.see(tenant, device("d1"))
    await world.execute("update integrations set status = 'paused_credentials', reason = 'why' where id = $1", paused)
    await world.close(tenant)
    await world.synced(fresh, device("d1"))
    rows = {row["id"]: row for row in await world.rows("select id, status, reason, last_success_at from integrations")}
    assert (rows[fresh]["status"], rows[paused]["status"]) == ("active", "paused_credentials")
    assert rows[paused]["reason"] == "why"
    assert all(row["last_success_at"] for row in rows.values())


async def test_only_a_whole_success_is_the_integrations_last(world: World) -> None:
    integration = await world.integration()
    tenant = await world.next_run(integration, kind="company")
    await world.see(tenant, device("d1"))
    assert (await world.close(tenant))["status"] == "succeeded"
    assert await world.value("select last_success_at from integrations") is None


# -- the balance ---------------------------------------------------------------------------------------------------


async def test_a_balance_counts_each_device_once_and_the_rest_as_repeated(world: World) -> None:
    integration = await world.integration()
    await world.synced(integration, device("same"), device("changed"))
    tenant = await world.next_run(integration)
    await world.see(tenant, device("same"), device("new"), device("new"), rejects=[reject("r1")])
    await world.see(tenant, device("new"), device("changed", model="x"), device("same"))
    await world.see(tenant, device("changed", model="x"))
    run = await world.close(tenant)
    assert run["status"] == "succeeded_with_rejects"
    assert sheet(run) == {"seen": 8, "created": 1, "updated": 1, "unchanged": 1, "rejected": 1, "repeated": 4}


async def test_a_fetch_that_a_crash_left_unrecorded_counts_for_nothing_but_what_it_created(world: World) -> None:
    """The page was fetched twice: the first fetch wrote the devices, the second is the one that counts."""
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d1"), device("d2"), device("only in the first fetch")))
    await world.see(tenant, device("d1"), device("d2"))
    run = await world.close(tenant)
    assert (run["status"], sheet(run)) == ("succeeded", {"seen": 2, "created": 2, "missing": 1})


async def test_a_run_that_does_not_balance_failed_and_judges_nobody(world: World) -> None:
    integration = await world.integration()
    await world.synced(integration, device("d1"), device("d2"))
    tenant = await world.next_run(integration)
    chunk = world.chunk(tenant, device("d1"))
    await world.write(chunk)
    await world.record(chunk, devices=2)
    run = await world.close(tenant)
    assert (run["status"], run["reason_code"]) == ("failed", "unbalanced")
    assert await world.states(integration) == {"d1": "active", "d2": "active"}
    assert world.bus.of("sync.failed")[0]["reason_code"] == "unbalanced"


names = st.lists(st.sampled_from([f"d{number}" for number in range(8)]), max_size=6)
pages = st.lists(st.tuples(names, st.integers(0, 2), st.integers(1, 3), st.booleans()), min_size=1, max_size=4)


@given(pages, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_pages_balance(world: World, listed: list[tuple[list[str], int, int, bool]], random: Random) -> None:
    """Devices on several pages, rejects, pages in several chunks, and fetches that were cut off, in any order."""
    tenant = await world.tenant()
    to_write: list[AssetPageNormalized] = []
    for page, rejects, parts, torn in listed:
        for counts in (False, True) if torn else (True,):
            fetch_id = uuid4()
            chunks = [
                world.chunk(
                    tenant,
                    *(device(name, model=str(random.randrange(2))) for name in page[number::parts]),
                    rejects=[reject()] * (rejects if number == 0 else 0),
                    fetch_id=fetch_id,
                    chunk_no=number,
                    chunk_count=parts,
                )
                for number in range(parts)
            ]
            # A fetch that was cut off has published some of its chunks.
            to_write += chunks if counts else chunks[: random.randrange(parts + 1)]
            if counts:
                await world.record(*chunks)
    random.shuffle(to_write)
    for chunk in to_write:
        await world.write(chunk)
    run = await world.close(tenant)
    seen = {name for page, *_ in listed for name in page}
    total = sum(len(page) + rejects for page, rejects, *_ in listed)
    assert run["seen"] == total == sum(run[part] for part in PARTS)
    assert run["created"] == len(seen)
    assert run["rejected"] == sum(rejects for _, rejects, *_ in listed)
    assert run["status"] in {"succeeded", "succeeded_with_rejects"}


# -- what it did not see -------------------------------------------------------------------------------------------


async def test_a_device_that_is_not_listed_is_missing_then_archived_and_comes_back(world: World) -> None:
    integration = await world.integration()
    await world.synced(integration, device("d1"), device("d2"))
    seen: list[tuple[str, str, int, int]] = []
    for _ in range(4):
        run = await world.synced(integration, device("d2"))
        asset = await world.asset_of(integration, "d1")
        seen.append((asset["device_state"], asset["state"], run["missing"], run["archived"]))
    assert seen == [
        ("missing", "missing", 1, 0),
        ("missing", "missing", 1, 0),
        ("archived", "archived", 0, 1),
        ("archived", "archived", 0, 0),
    ]
    assert await world.value("select last_seen_at from devices where device_id = 'd1'") is not None
    run = await world.synced(integration, device("d1"), device("d2"))
    asset = await world.asset_of(integration, "d1")
    assert (asset["device_state"], asset["state"]) == ("active", "active")
    assert sheet(run) == {"seen": 2, "updated": 1, "unchanged": 1}
    assert await world.value("select last_seen_at from devices where device_id = 'd1'") is None


async def test_a_device_that_is_seen_in_between_starts_anew(world: World) -> None:
    integration = await world.integration()
    both, one = [device("d1"), device("d2")], [device("d2")]
    for fleet in (both, one, one, both, one, one):
        await world.synced(integration, *fleet)
    assert await world.states(integration) == {"d1": "missing", "d2": "active"}


async def test_an_asset_that_another_integration_still_lists_stays_active(world: World) -> None:
    one, two = await world.integration(), await world.integration()
    await world.synced(one, device("a1", serial="S1|DELL"), device("a2"))
    await world.synced(two, device("b1", serial="S1|DELL"))
    await world.synced(one, device("a2"))
    asset = await world.asset_of(one, "a1")
    assert (asset["device_state"], asset["state"]) == ("missing", "active")
    assert (await world.states(two)) == {"b1": "active"}


async def test_devices_of_other_integrations_are_nobodys_to_judge(world: World) -> None:
    one, two = await world.integration(), await world.integration()
    await world.synced(one, device("d1"), device("d2"))
    await world.synced(two, device("d1"), device("d2"))
    await world.synced(one, device("d1"))
    assert await world.states(two) == {"d1": "active", "d2": "active"}


@pytest.mark.parametrize("trouble", ["failed scope", "lost chunk"])
async def test_a_partial_run_judges_nobody(world: World, trouble: str) -> None:
    integration = await world.integration()
    await world.synced(integration, device("d1"), device("d2"))
    tenant = await world.next_run(integration)
    await world.see(tenant, device("d1"))
    if trouble == "failed scope":
        await world.scope(tenant.run_id, status="failed", position=1, reason="page 1: the rmm said 500")
    else:
        lost = world.chunk(tenant, device("d2"))
        await world.record(lost)
        await world.insert(
            "sync_chunks",
            {
                "fetch_id": UUID(lost.fetch_id),
                "chunk_no": 0,
                "run_id": tenant.run_id,
                "integration_id": integration,
                "observed_seq": lost.observed_seq,
                "lost": True,
            },
        )
    run = await world.close(tenant)
    assert (run["status"], run["reason_code"], run["missing"]) == ("partial", "incomplete", 0)
    assert await world.states(integration) == {"d1": "active", "d2": "active"}
    if trouble == "failed scope":
        assert run["reason"] == "1 of 2 lists could not be read to the end; first: page 1: the rmm said 500"
    assert world.bus.of("sync.completed")[-1]["status"] == "partial"


async def test_a_run_of_which_every_list_failed_failed_though_one_was_split_before(world: World) -> None:
    integration = await world.integration()
    run_id = await world.run(integration)
    await world.scope(run_id, "c1", "c2", status="split")
    for position, company in enumerate(("c1", "c2"), start=1):
        await world.scope(run_id, company, status="failed", position=position, reason="page 1: the rmm said 500")
    assert await close_if_done(world.pool, world.outbox, run_id, source="test") == "failed"
    run = await world.row("select * from sync_runs where id = $1", run_id)
    assert run["reason"] == "2 of 2 lists could not be read to the end; first: page 1: the rmm said 500"


async def test_a_run_of_a_company_judges_nobody(world: World) -> None:
    integration = await world.integration()
    await world.synced(integration, device("d1", company_id="c1"), device("d2", company_id="c1"))
    tenant = await world.next_run(integration, kind="company")
    await world.see(tenant, device("d1", company_id="c1"))
    assert (await world.close(tenant))["status"] == "succeeded"
    assert await world.states(integration) == {"d1": "active", "d2": "active"}


@pytest.mark.parametrize(("company", "status"), [("c1", "failed"), ("c2", "succeeded")])
async def test_a_company_of_which_nothing_was_seen_failed_where_there_was_something(
    world: World, company: str, status: str
) -> None:
    integration = await world.integration()
    await world.synced(integration, device("d1", company_id="c1"))
    run_id = await world.run(integration, kind="company", target=company)
    tenant = Tenant(integration, world.account_id, run_id, await world.scope(run_id, company))
    await world.record(world.chunk(tenant), devices=0)
    await world.execute("update sync_pages set chunk_count = 0 where run_id = $1", run_id)
    assert (await world.close(tenant))["status"] == status


# -- review --------------------------------------------------------------------------------------------------------


async def reviewed(world: World, *, before: int, listed: int) -> tuple[UUID, asyncpg.Record]:
    """A fleet, and a run that lists fewer of it."""
    integration = await world.integration()
    await world.synced(integration, *many(before))
    return integration, await world.synced(integration, *many(listed))


@pytest.mark.parametrize(
    ("before", "listed", "status"),
    [(40, 20, "succeeded"), (40, 19, "needs_review"), (210, 189, "succeeded"), (209, 188, "needs_review")],
)
async def test_a_run_that_would_make_many_missing_waits_for_a_person(
    world: World, before: int, listed: int, status: str
) -> None:
    integration, run = await reviewed(world, before=before, listed=listed)
    assert run["status"] == status
    missing = list((await world.states(integration)).values()).count("missing")
    assert missing == (0 if status == "needs_review" else before - listed)


async def test_a_run_that_saw_nothing_where_there_was_something_waits_for_a_person(world: World) -> None:
    integration, run = await reviewed(world, before=3, listed=0)
    assert (run["status"], run["reason_code"]) == ("needs_review", "saw_nothing")
    assert set((await world.states(integration)).values()) == {"active"}
    told = world.bus.of("sync.failed")[-1]
    assert (told["status"], told["reason_code"]) == ("needs_review", "saw_nothing")
    assert told["next_action"]


async def test_an_accepted_run_judges_what_it_did_not_see(world: World) -> None:
    integration, run = await reviewed(world, before=40, listed=10)
    assert await accept_review(world.pool, world.outbox, run["id"], source="test") == "succeeded"
    states = await world.states(integration)
    assert list(states.values()).count("missing") == 30
    accepted = await world.row("select * from sync_runs where id = $1", run["id"])
    assert (accepted["status"], accepted["missing"], accepted["reason_code"]) == ("succeeded", 30, None)
    assert world.bus.of("sync.completed")[-1]["missing"] == 30


async def test_a_review_is_accepted_once(world: World) -> None:
    _, run = await reviewed(world, before=40, listed=10)
    accepted = await asyncio.gather(
        *(accept_review(world.pool, world.outbox, run["id"], source="test") for _ in range(4))
    )
    assert sorted(str(status) for status in accepted) == ["None"] * 3 + ["succeeded"]
    assert await world.value("select max(missed_runs) from devices") == 1


@pytest.mark.parametrize("status", ["running", "succeeded", "partial", "failed", "cancelled"])
async def test_only_a_run_that_waits_for_review_can_be_accepted(world: World, status: str) -> None:
    tenant = await world.next_run(await world.integration(), status=status)
    assert await accept_review(world.pool, world.outbox, tenant.run_id, source="test") is None
    assert await accept_review(world.pool, world.outbox, uuid4(), source="test") is None


async def test_a_review_that_is_accepted_late_does_not_judge_what_was_seen_since(world: World) -> None:
    integration, run = await reviewed(world, before=40, listed=10)
    later = await world.synced(integration, *many(39), device("new since"))
    assert later["status"] == "succeeded"
    await accept_review(world.pool, world.outbox, run["id"], source="test")
    states = await world.states(integration)
    assert {name for name, state in states.items() if state != "active"} == {"d0039"}


async def test_a_review_does_not_keep_the_next_run_from_going(world: World) -> None:
    integration, _ = await reviewed(world, before=40, listed=10)
    asked = await ask(world, integration)
    assert not asked.joined


# -- failing -------------------------------------------------------------------------------------------------------


async def test_a_run_fails_once(world: World) -> None:
    tenant, counted = await world.tenant(), ended_as("failed")
    for _ in range(2):
        async with transaction(world.pool) as conn:
            pending = await fail_run(
                conn,
                tenant.run_id,
                status="failed",
                reason_code="why",
                reason="because",
                next_action="do",
                source="test",
            )
        await world.outbox.publish(*pending)
    run = await world.row("select * from sync_runs")
    assert (run["status"], run["reason_code"], run["reason"], run["next_action"]) == ("failed", "why", "because", "do")
    assert datetime.now(UTC) - run["finished_at"] < timedelta(minutes=5)
    assert len(world.bus.of("sync.failed")) == 1
    assert await close(world, tenant) is None
    assert ended_as("failed") == counted + 1


async def test_a_run_is_cancelled_and_counted_once(world: World) -> None:
    tenant, counted = await world.tenant(), ended_as("cancelled")
    for _ in range(2):
        async with transaction(world.pool) as conn:
            pending = await cancel_run(
                conn,
                tenant.id,
                tenant.account_id,
                reason_code="why",
                reason="because",
                next_action="do",
                source="test",
            )
        await world.outbox.publish(*pending)
    assert [each["status"] for each in world.bus.of("sync.failed")] == ["cancelled"]
    assert ended_as("cancelled") == counted + 1
