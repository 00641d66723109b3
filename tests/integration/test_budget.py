"""The request budget on a real Postgres: never too many in any window, none wasted, edits first."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lifecycle.data.integrations import list_integrations
from shared.errors import QuotaExhausted
from shared.postgres import Pool, connection, open_pool
from shared.rmm.rates import Priority, RateReading
from shared.rmm_access.budget import LONGEST_SLEEP, UNSAID_WAIT, PostgresBudget
from shared.rmm_access.rules import BudgetRules, pace_of
from tests.integration.world import World

WRITE, LIST, DETAIL = 0, 1, 2
ZERO = timedelta(0)
NEVER = timedelta(days=1)

# Each grant is kept for the test, whatever the function deletes.
_LOG = """
    create table grants_log (integration_id uuid, granted_at timestamptz, priority smallint);
    create function keep_grant() returns trigger language plpgsql as $$
    begin
        insert into grants_log values (new.integration_id, new.granted_at, new.priority);
        return new;
    end
    $$;
    create trigger keep_grant after insert on request_grants for each row execute function keep_grant();
"""


@pytest.fixture
async def world(pool: Pool, account_id: UUID) -> World:
    made = World(pool, account_id)
    await made.execute(_LOG)
    return made


@pytest.fixture
async def pools(database_url: str) -> AsyncIterator[list[Pool]]:
    """The pools of four processes."""
    async with AsyncExitStack() as stack:
        opened = [await open_pool(database_url, service=f"p{number}", size=2) for number in range(4)]
        for each in opened:
            stack.push_async_callback(each.close)
        yield opened


class Takers:
    """One integration's budget, asked by SQL."""

    def __init__(
        self, world: World, *, budget: int, window: timedelta, reserve: int = 0, soon: timedelta = ZERO
    ) -> None:
        self.world = world
        self.integration_id = uuid4()
        self.rules = (budget, window, reserve, soon)

    async def take(self, priority: int = LIST, pool: Pool | None = None) -> tuple[timedelta, int]:
        row = await (pool or self.world.pool).fetchrow(
            "select wait, seq from take_request($1, $2::smallint, $3, $4, $5, $6)",
            self.integration_id,
            priority,
            *self.rules,
        )
        assert row is not None
        return row["wait"], row["seq"]

    async def granted(self, priority: int = LIST) -> bool:
        wait, _ = await self.take(priority)
        return wait == ZERO

    async def drain(self, priority: int = LIST) -> int:
        """How many are granted at once."""
        count = 0
        while await self.granted(priority):
            count += 1
        return count

    async def have(self, *ages: timedelta) -> None:
        """Grants of these ages."""
        await self.world.pool.executemany(
            "insert into request_grants values ($1, clock_timestamp() - $2::interval, 1)",
            [(self.integration_id, age) for age in ages],
        )

    async def pass_time(self, passed: timedelta) -> None:
        """As if that much time went by: everything that was written is older by so much."""
        await self.world.execute("update request_grants set granted_at = granted_at - $1::interval", passed)
        await self.world.execute(
            "update request_budgets set blocked_until = blocked_until - $1::interval where isfinite(blocked_until)",
            passed,
        )

    async def log(self) -> list[datetime]:
        rows = await self.world.rows("select granted_at from grants_log where integration_id = $1", self.integration_id)
        return sorted(row["granted_at"] for row in rows)


def most_in_a_window(granted: list[datetime], window: timedelta) -> int:
    """The true count: for each grant, how many lie in the window that ends with it."""
    most, first = 0, 0
    for last, at in enumerate(granted):
        while granted[first] <= at - window:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_the_sliding_count_of_these_tests_is_true() -> None:
    start = datetime(2026, 1, 1)  # noqa: DTZ001 - only differences matter
    at = [start + timedelta(seconds=second) for second in (0, 0, 9, 10, 10, 19)]
    assert most_in_a_window(at, timedelta(seconds=10)) == 3
    assert most_in_a_window(at, timedelta(seconds=11)) == 5
    assert most_in_a_window([], timedelta(seconds=1)) == 0


# -- never too many, and none wasted -------------------------------------------------------------------------------


async def test_greedy_takers_of_many_processes_never_get_too_many_and_leave_none(
    world: World, pools: list[Pool]
) -> None:
    """20 in any second, asked for as fast as they can by eight takers of four processes, for some seconds."""
    budget, window, seconds = 20, timedelta(seconds=1), 4
    takers = Takers(world, budget=budget, window=window, reserve=2, soon=window * 0.05)
    ends = time.monotonic() + seconds

    async def greedy(pool: Pool, priority: int) -> None:
        while time.monotonic() < ends:
            await takers.take(priority, pool)

    await asyncio.gather(*(greedy(pool, priority) for pool in pools for priority in (WRITE, LIST)))
    granted = await takers.log()
    assert most_in_a_window(granted, window) == budget
    # What a machine under load takes to ask again is not the function's: count whole windows of the time that was used.
    windows = int((granted[-1] - granted[0]) / window)
    assert windows >= seconds - 2
    inside = sum(at - granted[0] < windows * window for at in granted)
    assert 0.95 * budget * windows <= inside <= budget * windows


async def test_takers_that_sleep_as_they_are_told_get_it_all_and_never_too_many(
    world: World, pools: list[Pool]
) -> None:
    """The adapter that the services use, with its margin over the window."""
    rules = BudgetRules(requests=20, window=timedelta(seconds=1), reserve=2)
    integration_id = uuid4()
    budgets = [PostgresBudget(pool, integration_id, rules) for pool in pools]
    left = iter(range(50))

    async def work(budget: PostgresBudget, priority: Priority) -> None:
        for _ in left:
            await budget.take(priority)

    await asyncio.wait_for(
        asyncio.gather(*(work(budget, priority) for budget in budgets for priority in (Priority.WRITE, Priority.LIST))),
        60,
    )
    rows = await world.rows("select granted_at from grants_log where integration_id = $1", integration_id)
    granted = sorted(row["granted_at"] for row in rows)
    assert len(granted) == 50
    assert most_in_a_window(granted, rules.window) <= 20


async def test_the_window_is_a_little_longer_than_the_rmms(world: World, pool: Pool) -> None:
    """A request reaches the RMM a little after its grant, so a grant of 300.5 s ago still counts."""
    takers = Takers(world, budget=1, window=timedelta(seconds=303))
    await takers.have(timedelta(seconds=301))
    budget = PostgresBudget(pool, takers.integration_id, BudgetRules(1, timedelta(seconds=300), 0))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(budget.take(Priority.WRITE), 0.5)


async def test_what_has_left_the_window_is_forgotten(world: World) -> None:
    takers = Takers(world, budget=10, window=timedelta(seconds=300))
    await takers.have(*[timedelta(seconds=301)] * 10)
    assert await takers.drain() == 10
    assert await world.count("request_grants") == 10


async def test_each_request_has_a_number_of_its_own_and_later_ones_are_larger(world: World, pools: list[Pool]) -> None:
    takers = Takers(world, budget=1000, window=NEVER)
    first = [(await takers.take())[1] for _ in range(3)]
    assert all(earlier < later for earlier, later in pairwise(first))
    together = [seq for _, seq in await asyncio.gather(*(takers.take(LIST, pool) for pool in pools for _ in range(10)))]
    assert len({*first, *together}) == 43
    assert min(together) > max(first)


async def test_a_request_that_is_not_granted_takes_no_number(world: World) -> None:
    takers = Takers(world, budget=1, window=NEVER)
    await takers.take()
    wait, seq = await takers.take()
    assert wait > ZERO
    assert seq == 0


async def test_integrations_share_nothing(world: World) -> None:
    one, two = (Takers(world, budget=5, window=NEVER) for _ in range(2))
    assert await one.drain() == 5
    assert await two.drain() == 5


# -- the reserve ---------------------------------------------------------------------------------------------------

HOUR = timedelta(hours=1)


async def test_lists_leave_the_reserve_to_writes(world: World) -> None:
    takers = Takers(world, budget=20, window=HOUR, reserve=3, soon=HOUR * 0.05)
    assert await takers.drain(LIST) == 17
    assert await takers.drain(WRITE) == 3
    assert not await takers.granted(LIST)


async def test_the_reserve_is_given_back_late_in_a_window(world: World) -> None:
    """As many as leave the window soon may be taken before: an edit then waits that long at most."""
    takers = Takers(world, budget=20, window=HOUR, reserve=3, soon=timedelta(minutes=3))
    await takers.have(*[timedelta(minutes=56)] * 17)
    assert await takers.drain(LIST) == 0
    await takers.pass_time(timedelta(minutes=2))
    assert await takers.drain(LIST) == 3
    assert await takers.drain(WRITE) == 0


# -- the sweep of dates: what the others leave ---------------------------------------------------------------------

SWEPT = BudgetRules(requests=20, window=timedelta(hours=1), reserve=3)


async def test_the_sweep_takes_evenly_and_the_others_as_they_like(world: World, pool: Pool) -> None:
    takers = Takers(world, budget=SWEPT.requests, window=SWEPT.window)
    budget = PostgresBudget(pool, takers.integration_id, SWEPT)
    await budget.take(Priority.DETAIL)
    with pytest.raises(QuotaExhausted) as caught:
        await budget.take(Priority.DETAIL)
    assert timedelta(minutes=2.5) < caught.value.wait <= pace_of(SWEPT)[1]
    await budget.take(Priority.LIST)
    await budget.take(Priority.WRITE)
    await takers.pass_time(caught.value.wait)
    await budget.take(Priority.DETAIL)


@pytest.mark.parametrize(
    ("due_in", "listing_for", "swept"),
    [
        (None, None, 17),
        (timedelta(minutes=70), None, 17),
        # Ten pages, and three requests before them.
        (timedelta(minutes=50), None, 4),
        (-timedelta(minutes=1), None, 4),
        (timedelta(hours=10), timedelta(minutes=5), 4),
        (timedelta(hours=10), timedelta(minutes=61), 14),
    ],
)
async def test_a_list_that_is_foreseen_finds_its_requests_free(
    world: World, pool: Pool, due_in: timedelta | None, listing_for: timedelta | None, swept: int
) -> None:
    integration_id = await world.integration(next_sync_at=due_in and datetime.now(UTC) + due_in)
    last = await world.run(integration_id, status="succeeded")
    scope = await world.scope(last, "a company", status="done")
    for page in range(10):
        row = {"fetch_id": uuid4(), "run_id": last, "scope_id": scope, "page_no": page, "devices": 9, "chunk_count": 1}
        await world.insert("sync_pages", row)
    if listing_for:
        await world.run(integration_id, requested_at=datetime.now(UTC) - listing_for)
    takers = Takers(world, budget=SWEPT.requests, window=SWEPT.window)
    takers.integration_id = integration_id
    budget = PostgresBudget(pool, integration_id, SWEPT)
    await takers.have(*[timedelta(minutes=30)] * (swept - 1))
    await budget.take(Priority.DETAIL)
    await takers.pass_time(timedelta(minutes=5))
    with pytest.raises(QuotaExhausted):
        await budget.take(Priority.DETAIL)
    for _ in range(SWEPT.requests - swept - SWEPT.reserve):
        await budget.take(Priority.LIST)


@pytest.mark.parametrize(("requests", "reserve"), [(1, 0), (1, 45), (2, 45), (3, 3)])
async def test_a_budget_smaller_than_its_reserve_still_lets_lists_through(
    pool: Pool, requests: int, reserve: int
) -> None:
    budget = PostgresBudget(pool, uuid4(), BudgetRules(requests=requests, window=HOUR, reserve=reserve))
    await budget.take(Priority.LIST)
    assert budget.observed_seq > 0


# -- waits ---------------------------------------------------------------------------------------------------------

WINDOW = timedelta(seconds=1000)
SOON = timedelta(seconds=50)
ages = st.lists(st.integers(1, 990).map(lambda seconds: timedelta(seconds=seconds)), max_size=12)


@given(ages, st.sampled_from([WRITE, LIST]), st.integers(0, 4))
@example([timedelta(seconds=age) for age in (990, 10, 10, 10, 10, 10, 10, 10)], LIST, 2)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_wait_is_over_when_it_was_said_and_not_before(
    world: World, used: list[timedelta], priority: int, reserve: int
) -> None:
    takers = Takers(world, budget=8, window=WINDOW, reserve=reserve, soon=SOON)
    await takers.have(*used[:8])
    wait, _ = await takers.take(priority)
    if wait == ZERO:
        return
    # The clock runs on while this test asks, so "not before" is some seconds before.
    early = max(wait - timedelta(seconds=8), ZERO)
    await takers.pass_time(early)
    if early:
        assert not await takers.granted(priority)
    await takers.pass_time(wait - early)
    assert await takers.granted(priority)


async def test_a_budget_that_was_made_smaller_is_waited_for(world: World) -> None:
    takers = Takers(world, budget=3, window=WINDOW)
    await takers.have(*(timedelta(seconds=age) for age in (900, 800, 700, 600, 500)))
    wait, _ = await takers.take(WRITE)
    assert timedelta(seconds=290) < wait <= timedelta(seconds=300), "only then have three left"


async def test_a_long_wait_is_told_and_not_slept(pool: Pool) -> None:
    budget = PostgresBudget(pool, uuid4(), BudgetRules(1, timedelta(minutes=5), 0))
    await budget.take(Priority.LIST)
    started = time.monotonic()
    with pytest.raises(QuotaExhausted) as caught:
        await budget.take(Priority.LIST)
    assert time.monotonic() - started < LONGEST_SLEEP.total_seconds()
    assert timedelta(minutes=4) < caught.value.wait <= timedelta(minutes=5) * 1.01
    assert caught.value.retry_after == caught.value.wait


# -- what the RMM says ---------------------------------------------------------------------------------------------


async def test_a_429_blocks_everybody_until_it_ends(world: World, pools: list[Pool]) -> None:
    takers = Takers(world, budget=450, window=timedelta(minutes=5), reserve=45)
    rules = BudgetRules(450, timedelta(minutes=5), 45)
    budgets = [PostgresBudget(pool, takers.integration_id, rules) for pool in pools]
    await budgets[0].corrected(RateReading(wait=timedelta(minutes=2), refused=True))
    for budget, priority in zip(budgets, [*Priority, Priority.WRITE], strict=True):
        with pytest.raises(QuotaExhausted) as caught:
            await budget.take(priority)
        assert timedelta(seconds=110) < caught.value.wait <= timedelta(minutes=2)
    await takers.pass_time(timedelta(minutes=2))
    for budget in budgets:
        await budget.take(Priority.LIST)


async def blocked_for(world: World, *readings: RateReading) -> timedelta | None:
    budget = PostgresBudget(world.pool, uuid4(), BudgetRules(450, timedelta(minutes=5), 45))
    for reading in readings:
        await budget.corrected(reading)
    try:
        await budget.take(Priority.WRITE)
    except QuotaExhausted as error:
        return error.wait
    return None


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([RateReading(refused=True)], UNSAID_WAIT),
        ([RateReading(remaining=0, wait=timedelta(seconds=60))], timedelta(seconds=60)),
        # A shorter word that comes later does not end a longer one.
        (
            [
                RateReading(refused=True, wait=timedelta(seconds=90)),
                RateReading(refused=True, wait=timedelta(seconds=20)),
            ],
            timedelta(seconds=90),
        ),
        ([RateReading(limit=500, remaining=3)], None),
        ([RateReading(limit=500, remaining=3, wait=timedelta(seconds=60))], None),
    ],
)
async def test_what_the_rmm_says_is_kept_as_long_as_it_says(
    world: World, readings: list[RateReading], expected: timedelta | None
) -> None:
    wait = await blocked_for(world, *readings)
    if expected is None:
        assert wait is None
    else:
        assert wait is not None
        assert expected - timedelta(seconds=8) < wait <= expected


@pytest.mark.parametrize(
    ("readings", "status"),
    [
        ([RateReading(refused=True, wait=timedelta(minutes=5))], "paused_quota"),
        ([RateReading(refused=True, wait=timedelta(minutes=5)), RateReading(refused=True)], "paused_quota"),
        ([RateReading(refused=True)], "active"),
        ([RateReading(remaining=0, wait=timedelta(minutes=5))], "active"),
    ],
)
async def test_a_quota_that_is_used_up_for_long_is_shown_until_it_is_there_again(
    world: World, readings: list[RateReading], status: str
) -> None:
    integration = await world.integration()
    budget = PostgresBudget(world.pool, integration, BudgetRules(450, timedelta(minutes=5), 45))
    for reading in readings:
        await budget.corrected(reading)
    assert await shown(world) == status
    await world.execute("update request_budgets set blocked_until = now()")
    assert await shown(world) == "active"


async def test_an_integration_that_was_switched_off_is_shown_as_that_whatever_its_quota(world: World) -> None:
    integration = await world.integration(status="disabled")
    rules = BudgetRules(450, timedelta(minutes=5), 45)
    await PostgresBudget(world.pool, integration, rules).corrected(RateReading(refused=True, wait=timedelta(minutes=5)))
    assert await shown(world) == "disabled"


async def shown(world: World) -> str:
    async with connection(world.pool) as conn:
        (document,) = await list_integrations(conn, world.account_id)
    said: str = document["status"]
    return said


async def test_a_429_of_one_integration_is_nothing_to_another(world: World, pool: Pool) -> None:
    rules = BudgetRules(450, timedelta(minutes=5), 45)
    await PostgresBudget(pool, uuid4(), rules).corrected(RateReading(refused=True, wait=timedelta(minutes=5)))
    await PostgresBudget(pool, uuid4(), rules).take(Priority.LIST)


async def test_a_taker_that_is_cut_off_leaves_the_budget_free(world: World, database_url: str) -> None:
    """The lock on the budget's row ends with the connection of whoever held it."""
    takers = Takers(world, budget=10, window=NEVER)
    await takers.take()
    held = await asyncpg.connect(database_url)
    await held.execute("begin")
    await held.execute("select 1 from request_budgets where integration_id = $1 for update", takers.integration_id)
    waiting = asyncio.create_task(takers.take(LIST))
    held.terminate()
    wait, seq = await asyncio.wait_for(waiting, 10)
    assert wait == ZERO
    assert seq > 0
