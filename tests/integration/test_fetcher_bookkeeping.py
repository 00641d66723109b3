"""The fetcher's bookkeeping on a real Postgres: a run begins once, a page is recorded once, few lists go at a time."""

import asyncio
import contextlib
import itertools
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.fetcher.backpressure import Room, Waiting, WriterBehind
from services.fetcher.bookkeeping import PageTask, PostgresRuns, RunStart, SyncOrder
from services.fetcher.planning import Scope
from shared.errors import BadMessage, IntegrationInactive, UnknownIntegration
from shared.events.syncs import PageDue
from shared.postgres import Pool
from shared.rmm.companies import Company, Site
from tests.integration.world import Tenant, World, device
from tests.support.waiting import PATIENCE_SECONDS

COMPANIES = [Company(f"c{number}", f"Company {number}") for number in range(6)]
SITES = [Site("s0", "Main", "c0"), Site("s1", "Branch", "c1"), Site("s2", "Nobody's")]
SCOPES = [Scope((company.company_id,)) for company in COMPANIES]


@pytest.fixture
def world(pool: Pool, account_id: UUID) -> World:
    return World(pool, account_id)


@pytest.fixture
def runs(world: World) -> PostgresRuns:
    return PostgresRuns(world.pool, world.outbox, scopes_at_once=2)


def order(integration_id: UUID, run_id: UUID | None = None, **changed: Any) -> SyncOrder:
    values: dict[str, Any] = {
        "integration_id": integration_id,
        "request_id": uuid4(),
        "run_id": run_id,
        "kind": "full",
        "target": None,
        "created": False,
    }
    return SyncOrder(**values | changed)


async def queued(world: World, integration_id: UUID, **columns: Any) -> RunStart:
    run_id = await world.run(integration_id, status="queued", **columns)
    return RunStart(run_id, integration_id, "full", None)


async def began(world: World, runs: PostgresRuns, scopes: list[Scope] = SCOPES) -> RunStart:
    start = await queued(world, await world.integration())
    await runs.begin(start, COMPANIES, SITES, scopes)
    return start


async def tasks(world: World, runs: PostgresRuns) -> list[PageTask]:
    """What every page that was announced so far still is."""
    due = [PageDue.model_validate(each) for each in world.bus.of("sync.page_due")]
    return [task for each in due if (task := await runs.page_task(each.scope_id, each.page_no))]


async def record(
    runs: PostgresRuns,
    task: PageTask,
    next_cursor: int | None = None,
    *,
    fetch_id: UUID | None = None,
    devices: int = 0,
    goes_on: bool = False,
) -> bool:
    return await runs.record_page(
        task, fetch_id or uuid4(), devices=devices, chunks=0, next_cursor=next_cursor, goes_on=goes_on
    )


async def listing(world: World) -> int:
    found: int = await world.value("select count(*) from sync_scopes where status = 'listing'")
    return found


# -- beginning -----------------------------------------------------------------------------------------------------


async def test_the_run_that_was_queued_with_the_order_begins(world: World, runs: PostgresRuns) -> None:
    integration = await world.integration()
    run_id = await world.run(integration, status="queued", kind="company", target="c1")
    assert await runs.start_for(order(integration, run_id)) == RunStart(run_id, integration, "company", "c1")


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "cancelled"])
async def test_a_run_that_is_not_queued_any_more_does_not_begin(world: World, runs: PostgresRuns, status: str) -> None:
    integration = await world.integration()
    assert await runs.start_for(order(integration, await world.run(integration, status=status))) is None


async def test_an_order_of_a_stranger_queues_a_run_of_its_own_once(world: World, runs: PostgresRuns) -> None:
    integration = await world.integration()
    wish = order(integration, kind="company", target="c1")
    first = await runs.start_for(wish)
    assert first is not None
    assert await runs.start_for(wish) == first, "delivered twice"
    row = await world.row("select * from sync_runs")
    assert (row["id"], row["started_by"], row["kind"], row["target"]) == (first.run_id, "event", "company", "c1")


async def test_an_order_of_a_stranger_joins_the_run_that_goes(world: World, runs: PostgresRuns) -> None:
    integration = await world.integration()
    await world.run(integration)
    assert await runs.start_for(order(integration)) is None
    assert await world.count("sync_runs") == 1


@pytest.mark.parametrize("status", ["paused_credentials", "paused_quota", "disabled", "removed"])
async def test_an_order_for_an_integration_that_stands_still_cancels_its_run(
    world: World, runs: PostgresRuns, status: str
) -> None:
    integration = await world.integration(status=status)
    run_id = await world.run(integration, status="queued")
    with pytest.raises(IntegrationInactive):
        await runs.start_for(order(integration, run_id))
    run = await world.row("select * from sync_runs")
    assert (run["status"], run["reason_code"]) == ("cancelled", "integration_inactive")
    assert run["reason"] == f"the integration is {status}"
    assert world.bus.of("sync.failed")[0]["status"] == "cancelled"


async def test_an_order_for_an_integration_that_nobody_knows_is_wrong(runs: PostgresRuns) -> None:
    with pytest.raises(UnknownIntegration):
        await runs.start_for(order(uuid4()))


async def test_an_order_of_another_account_is_wrong_and_touches_nothing(world: World, runs: PostgresRuns) -> None:
    integration = await world.integration()
    run_id = await world.run(integration, status="queued")
    for run in (run_id, None):
        with pytest.raises(BadMessage):
            await runs.start_for(order(integration, run, account_id=await world.account()))
    assert [row["status"] for row in await world.rows("select status from sync_runs")] == ["queued"]


async def test_a_run_begins_with_its_names_and_its_first_lists(world: World, runs: PostgresRuns) -> None:
    start = await began(world, runs)
    assert await world.value("select status from sync_runs") == "running"
    names = {row["company_id"]: row["name"] for row in await world.rows("select * from companies")}
    assert names == {company.company_id: company.name for company in COMPANIES}
    assert await world.count("sites") == 3
    scopes = await world.rows("select * from sync_scopes order by position")
    assert [row["company_ids"] for row in scopes] == [list(scope.company_ids) for scope in SCOPES]
    assert [row["status"] for row in scopes] == ["listing"] * 2 + ["pending"] * 4
    told = world.bus.of("sync.page_due")
    assert {(each["run_id"], each["page_no"]) for each in told} == {(str(start.run_id), 0)}
    assert [each["scope_id"] for each in told] == [str(row["id"]) for row in scopes[:2]]


async def test_a_run_begins_once(world: World, runs: PostgresRuns) -> None:
    start = await queued(world, await world.integration())
    await asyncio.gather(*(runs.begin(start, COMPANIES, SITES, SCOPES) for _ in range(4)))
    assert await world.count("sync_scopes") == len(SCOPES)
    assert len(world.bus.of("sync.page_due")) == 2


async def test_a_run_that_was_cancelled_meanwhile_does_not_begin(world: World, runs: PostgresRuns) -> None:
    start = await queued(world, await world.integration())
    await world.execute("update sync_runs set status = 'cancelled'")
    await runs.begin(start, COMPANIES, SITES, SCOPES)
    assert await world.count("sync_scopes") == await world.count("companies") == 0


async def test_companies_and_sites_that_come_twice_are_kept_once(world: World, runs: PostgresRuns) -> None:
    """Lists that are read in pages may shift under the reading."""
    start = await queued(world, await world.integration())
    await runs.begin(start, [*COMPANIES, *COMPANIES[:2]], [*SITES, SITES[0]], SCOPES)
    assert await world.count("companies") == len(COMPANIES)
    assert await world.count("sites") == len(SITES)


async def test_names_follow_the_rmm_and_unchanged_ones_are_not_written(world: World, runs: PostgresRuns) -> None:
    integration = await world.integration()
    for companies in (COMPANIES, [Company("c0", "Renamed"), *COMPANIES[1:]]):
        start = await queued(world, integration)
        await runs.begin(start, companies, SITES, SCOPES)
        await world.execute("update sync_runs set status = 'succeeded'")
    assert await world.value("select name from companies where company_id = 'c0'") == "Renamed"
    writers = await world.rows("select distinct xmin::text from companies")
    assert len(writers) == 2
    assert len(await world.rows("select distinct xmin::text from sites")) == 1


async def test_a_tenant_without_companies_is_done_at_once(world: World, runs: PostgresRuns) -> None:
    start = await queued(world, await world.integration())
    await runs.begin(start, [], [], [])
    assert await world.value("select status from sync_runs") == "succeeded"


async def test_a_run_that_can_not_begin_fails_with_the_reason(world: World, runs: PostgresRuns) -> None:
    start = await queued(world, await world.integration())
    for _ in range(2):
        await runs.fail(start.run_id, reason_code="no_such_target", reason="the RMM knows no company c9")
    run = await world.row("select * from sync_runs")
    assert (run["status"], run["reason_code"]) == ("failed", "no_such_target")
    assert len(world.bus.of("sync.failed")) == 1


# -- pages ---------------------------------------------------------------------------------------------------------


async def test_a_due_page_knows_all_that_it_needs(world: World, runs: PostgresRuns) -> None:
    start = await queued(world, await world.integration(quirks={"list_method": "get"}))
    await runs.begin(start, COMPANIES, SITES, [Scope(("c0", "c1")), Scope(("c2",), device_id="d1", site_id="s2")])
    first, second = await tasks(world, runs)
    assert (first.run_id, first.account_id) == (start.run_id, world.account_id)
    assert (first.company_ids, first.page_no, first.cursor, first.device_id) == (("c0", "c1"), 0, None, None)
    assert first.companies == {"c0": "Company 0", "c1": "Company 1"}
    assert first.sites == {"s0": "Main", "s1": "Branch"}
    assert (second.device_id, second.site_id, second.sites) == ("d1", "s2", {})
    assert first.integration.id == start.integration_id
    assert first.integration.quirks == {"list_method": "get"}
    assert first.waiting == Waiting(own=0, total=0, syncing=1)


async def test_a_page_steps_the_cursor_and_announces_the_next(world: World, runs: PostgresRuns) -> None:
    await began(world, runs, SCOPES[:1])
    (task,) = await tasks(world, runs)
    more = await runs.record_page(task, uuid4(), devices=500, chunks=2, next_cursor=500, goes_on=False)
    assert not more, "the next page is the next turn's"
    (following,) = await tasks(world, runs)
    assert (following.page_no, following.cursor) == (1, 500)
    page = await world.row("select * from sync_pages")
    assert (page["devices"], page["chunk_count"], page["page_no"], page["scope_id"]) == (500, 2, 0, task.scope_id)
    assert following.waiting == Waiting(own=2, total=2, syncing=1)
    assert await world.count("outbox") == 0


async def test_of_two_fetches_of_one_page_one_is_recorded(world: World, runs: PostgresRuns) -> None:
    """A crash made a fork: both have published their chunks, and one of them counts."""
    await began(world, runs, SCOPES[:1])
    (task,) = await tasks(world, runs)
    told = len(world.bus.said)
    await asyncio.gather(*(record(runs, task, 500, devices=number) for number in range(5)))
    assert await world.count("sync_pages") == 1
    assert len(world.bus.said) == told + 1
    assert await world.value("select page_no from sync_scopes") == 1


async def test_a_page_that_was_recorded_is_nothing_when_it_is_due_again(world: World, runs: PostgresRuns) -> None:
    await began(world, runs, SCOPES[:1])
    (task,) = await tasks(world, runs)
    due = PageDue.model_validate(world.bus.of("sync.page_due")[0])
    await record(runs, task, 500)
    assert await runs.page_task(due.scope_id, due.page_no) is None


async def test_a_turn_that_goes_on_announces_nothing_and_keeps_its_message_good(
    world: World, runs: PostgresRuns
) -> None:
    await began(world, runs, SCOPES[:1])
    (task,) = await tasks(world, runs)
    for cursor in (500, 1000):
        assert await record(runs, task, cursor, goes_on=True)
        assert len(world.bus.of("sync.page_due")) == 1
        assert await world.count("outbox") == 0
        (task,) = await tasks(world, runs)
        assert (task.page_no, task.cursor) == (cursor // 500, cursor), "by the message of the first page"
    assert not await record(runs, task, 1500)
    (following,) = await tasks(world, runs)
    assert following.page_no == 3, "the first message is nothing any more"
    assert [each["page_no"] for each in world.bus.of("sync.page_due")] == [0, 3]


async def test_a_turn_ends_with_its_list(world: World, runs: PostgresRuns) -> None:
    await began(world, runs, SCOPES[:1])
    (task,) = await tasks(world, runs)
    assert await record(runs, task, 500, goes_on=True)
    (task,) = await tasks(world, runs)
    assert not await record(runs, task, None, goes_on=True)
    assert await world.value("select status from sync_runs") == "succeeded"


async def test_of_two_turns_that_a_crash_made_of_one_the_slower_ends(world: World, runs: PostgresRuns) -> None:
    """The message came again while its first handler still lived: both go on where the list stands."""
    await began(world, runs, SCOPES[:1])
    (task,) = await tasks(world, runs)
    going = await asyncio.gather(*(record(runs, task, 500, goes_on=True) for _ in range(5)))
    assert sorted(going) == [False] * 4 + [True]
    assert await world.count("sync_pages") == await world.value("select page_no from sync_scopes") == 1


@pytest.mark.parametrize("status", ["cancelled", "failed", "partial", "succeeded"])
async def test_a_page_of_a_run_that_ended_is_nothing(world: World, runs: PostgresRuns, status: str) -> None:
    await began(world, runs, SCOPES[:1])
    await world.execute("update sync_runs set status = $1", status)
    assert await tasks(world, runs) == []


@pytest.mark.parametrize("status", ["pending", "done", "failed", "split"])
async def test_a_page_of_a_list_that_does_not_go_is_nothing(world: World, runs: PostgresRuns, status: str) -> None:
    await began(world, runs, SCOPES[:1])
    (task,) = await tasks(world, runs)
    await world.execute("update sync_scopes set status = $1", status)
    assert await tasks(world, runs) == []
    await record(runs, task)
    assert await world.count("sync_pages") == 0


async def test_the_last_page_of_a_list_starts_the_next_list(world: World, runs: PostgresRuns) -> None:
    await began(world, runs)
    order_of_starts = [task.company_ids[0] for task in await tasks(world, runs)]
    while open_tasks := await tasks(world, runs):
        assert await listing(world) == min(2, len(open_tasks))
        await record(runs, open_tasks[0])
        order_of_starts += [
            task.company_ids[0] for task in await tasks(world, runs) if task.company_ids[0] not in order_of_starts
        ]
    assert order_of_starts == [f"c{number}" for number in range(6)]
    run = await world.row("select * from sync_runs")
    assert (run["status"], run["seen"]) == ("succeeded", 0)


async def test_never_more_lists_than_are_allowed_go_at_once_whoever_ends_when(world: World) -> None:
    """Three fetchers end lists at the same time; each of them starts the next."""
    fetchers = [PostgresRuns(world.pool, world.outbox, scopes_at_once=3) for _ in range(3)]
    scopes = [Scope((f"c{number}",)) for number in range(20)]
    start = await queued(world, await world.integration())
    await fetchers[0].begin(start, [], [], scopes)
    started: set[str] = set()
    while open_tasks := await tasks(world, fetchers[0]):
        assert len(open_tasks) <= 3
        assert await listing(world) == len(open_tasks)
        started |= {task.company_ids[0] for task in open_tasks}
        await asyncio.gather(
            *(record(each, task) for each, task in zip(itertools.cycle(fetchers), open_tasks, strict=False))
        )
    assert started == {f"c{number}" for number in range(20)}
    assert len(world.bus.of("sync.page_due")) == 20
    assert await world.value("select status from sync_runs") == "succeeded"


async def test_the_lists_of_one_run_are_no_matter_to_another(world: World, runs: PostgresRuns) -> None:
    await began(world, runs)
    await began(world, runs)
    assert await listing(world) == 4


# -- splitting -----------------------------------------------------------------------------------------------------


async def test_a_list_that_the_rmm_does_not_take_is_split_into_one_for_each_company(
    world: World, runs: PostgresRuns
) -> None:
    start = await began(world, runs, [Scope(("c0", "c1", "c2")), Scope(("c3",)), Scope(("c4",))])
    packed = next(task for task in await tasks(world, runs) if len(task.company_ids) == 3)
    await asyncio.gather(*(runs.split_scope(packed) for _ in range(3)))
    rows = await world.rows("select * from sync_scopes where run_id = $1 order by position, company_ids", start.run_id)
    assert [(row["company_ids"], row["status"] == "split") for row in rows] == [
        (["c0"], False),
        (["c0", "c1", "c2"], True),
        (["c1"], False),
        (["c2"], False),
        (["c3"], False),
        (["c4"], False),
    ]
    assert await listing(world) == 2
    while open_tasks := await tasks(world, runs):
        await record(runs, open_tasks[0])
    run = await world.row("select * from sync_runs")
    assert (run["status"], run["reason_code"]) == ("succeeded", None)


async def test_a_list_that_is_refused_after_pages_of_it_were_read_is_split_at_once_and_listed_anew(
    world: World, runs: PostgresRuns
) -> None:
    await began(world, runs, [Scope(("c0", "c1"))])
    (first,) = await tasks(world, runs)
    await record(runs, first, 500)
    (second,) = await tasks(world, runs)
    await runs.split_scope(second)
    assert await world.count("sync_pages") == 0
    assert {task.company_ids for task in await tasks(world, runs)} == {("c0",), ("c1",)}
    while open_tasks := await tasks(world, runs):
        await record(runs, open_tasks[0])
    assert (await world.row("select * from sync_runs"))["status"] == "succeeded"


async def test_a_list_that_stands_elsewhere_or_has_one_company_is_not_split(world: World, runs: PostgresRuns) -> None:
    await began(world, runs, [Scope(("c0", "c1")), Scope(("c2",))])
    packed, single = await tasks(world, runs)
    await record(runs, packed, 500)
    await runs.split_scope(packed)
    await runs.split_scope(single)
    assert await world.value("select count(*) from sync_scopes where status = 'split'") == 0


# -- what is known of devices --------------------------------------------------------------------------------------


async def test_a_known_device_has_its_place(world: World, runs: PostgresRuns) -> None:
    tenant = await world.tenant()
    await world.see(tenant, device("d1", company_id="c1", site_id="s1"), device("d2", company_id="c1"), device("d3"))
    assert await runs.device_place(tenant.id, "D1") == ("c1", "s1")
    assert await runs.device_place(tenant.id, "d2") == ("c1", None)
    assert await runs.device_place(tenant.id, "d3") is None, "without a company it can't be asked for"
    assert await runs.device_place(tenant.id, "d9") is None
    assert await runs.device_place((await world.tenant()).id, "d1") is None


async def test_whether_companies_had_devices_is_known(world: World, runs: PostgresRuns) -> None:
    tenant = await world.tenant()
    await world.see(tenant, device("d1", company_id="c1"), device("d2", company_id="c2"))
    await world.execute("update devices set state = 'archived' where device_id = 'd2'")

    async def had(*companies: str, integration_id: UUID = tenant.id) -> bool:
        scope_id = await world.scope(await world.run(integration_id, kind="company", status="running"), *companies)
        run_id = await world.value("select run_id from sync_scopes where id = $1", scope_id)
        task = await runs.page_task(scope_id, 0)
        assert task is not None
        await world.execute("update sync_runs set status = 'succeeded' where id = $1", run_id)
        return await runs.had_devices(task)

    await world.execute("update sync_runs set status = 'succeeded'")
    assert await had("c1")
    assert await had("c2", "c1")
    assert not await had("c2"), "archived devices are gone"
    assert not await had("c3")
    assert not await had("c1", integration_id=await world.integration())


# -- room ----------------------------------------------------------------------------------------------------------


async def waiting(world: World, tenant: Tenant, chunks: int) -> None:
    """A recorded page of which so many chunks are not written."""
    page_no = await world.count("sync_pages")
    row = {"fetch_id": uuid4(), "run_id": tenant.run_id, "scope_id": tenant.scope_id, "page_no": page_no}
    await world.insert("sync_pages", row | {"devices": chunks, "chunk_count": chunks})


async def counted(world: World, runs: PostgresRuns, tenant: Tenant) -> Waiting:
    task = await runs.page_task(tenant.scope_id, 0)
    assert task is not None
    return task.waiting


async def placed(room: Room, integration_id: UUID, waiting: Waiting) -> None:
    """Wait for a place, and give it back."""
    async with room.place(integration_id, waiting):
        pass


async def test_a_page_that_is_read_counts_as_one_that_waits(world: World) -> None:
    tenant, other = await world.tenant(), await world.tenant()
    await waiting(world, tenant, 1)
    room = Room(world.pool, own=2, total=99, wait_seconds=0.1)
    one = Waiting(own=1, total=1, syncing=2)
    async with room.place(tenant.id, one):
        with pytest.raises(WriterBehind):
            await placed(room, tenant.id, one)
        await placed(room, other.id, one)
    await placed(room, tenant.id, one)


async def test_the_place_of_a_page_that_failed_is_free_again(world: World) -> None:
    tenant = await world.tenant()
    room = Room(world.pool, own=1, total=99)
    none = Waiting(own=0, total=0, syncing=1)
    waits: list[asyncio.Task[None]] = []

    async def fail() -> None:
        async with room.place(tenant.id, none):
            waits.append(asyncio.create_task(placed(room, tenant.id, none)))
            assert not (await asyncio.wait(waits, timeout=0.2))[0]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await asyncio.wait_for(waits[0], PATIENCE_SECONDS)


async def test_what_waits_for_the_writer_is_counted_for_each_and_for_all(world: World, runs: PostgresRuns) -> None:
    one, two, done = [await world.tenant() for _ in range(3)]
    await waiting(world, one, 3)
    await waiting(world, two, 4)
    await waiting(world, done, 9)
    await world.execute("update sync_runs set status = 'cancelled' where id = $1", done.run_id)
    assert await counted(world, runs, one) == Waiting(own=3, total=7, syncing=2)
    assert await counted(world, runs, two) == Waiting(own=4, total=7, syncing=2)
    await world.write(world.chunk(one, device("d1")))
    assert await counted(world, runs, one) == Waiting(own=2, total=6, syncing=2)


async def test_a_page_waits_until_the_writer_has_made_room(world: World) -> None:
    tenant = await world.tenant()
    room = Room(world.pool, own=2, total=10)
    hearing = asyncio.create_task(room.listen())
    chunks = [world.chunk(tenant, device(f"d{number}")) for number in range(2)]
    for chunk in chunks:
        await world.record(chunk)
    waits = asyncio.create_task(placed(room, tenant.id, Waiting(own=2, total=2, syncing=1)))
    assert not (await asyncio.wait({waits}, timeout=0.2))[0]
    await world.write(chunks[0])
    await asyncio.wait_for(waits, PATIENCE_SECONDS)
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)


async def test_a_page_of_a_tenant_with_nothing_waiting_never_stands_behind_others(world: World) -> None:
    room = Room(world.pool, own=2, total=2)
    await asyncio.wait_for(placed(room, uuid4(), Waiting(own=0, total=99, syncing=3)), PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("own", "syncing", "fits"), [(5, 1, True), (6, 1, False), (2, 2, True), (3, 2, False), (2, 9, False)]
)
async def test_integrations_that_sync_share_what_may_wait(world: World, own: int, syncing: int, fits: bool) -> None:
    tenant = await world.tenant()
    await waiting(world, tenant, own)
    for _ in range(syncing - 1):
        await world.tenant()
    room = Room(world.pool, own=6, total=99, wait_seconds=0.1)
    for counted_first in (Waiting(own, own, syncing), Waiting(own=98, total=98, syncing=syncing)):
        with contextlib.nullcontext() if fits else pytest.raises(WriterBehind):
            await placed(room, tenant.id, counted_first)


@pytest.mark.parametrize(("own", "total"), [(2, 2), (1, 5)])
async def test_a_page_without_room_goes_to_the_ladder_and_burns_nothing(world: World, own: int, total: int) -> None:
    tenant, other = await world.tenant(), await world.tenant()
    await waiting(world, tenant, own)
    await waiting(world, other, total - own or 1)
    room = Room(world.pool, own=2, total=5, wait_seconds=0.1)
    with pytest.raises(WriterBehind) as caught:
        await placed(room, tenant.id, Waiting(own, total, syncing=2))
    assert not caught.value.counts_as_attempt
    assert not caught.value.bounded_by_age
