"""A tenant of 100 devices beside a large one: its first sync alone, and while the other's first load goes on."""

import statistics
from dataclasses import asdict, dataclass, field
from uuid import UUID

import httpx

from bench.machine import CpuSpent
from bench.measuring import spent
from bench.pipeline import UNLIMITED
from bench.scenario import STACK_SECONDS, Measured, Options, Scenario, tell
from bench.stack import Rmm, Servers, Services
from bench.table import Row, strangers
from bench.tenant import Store, open_store
from bench.waiting import until

_SMALL = 100
_SAMPLES = 3
# Syncs are begun in the middle of the load, and each that was begun counts: none is dropped for its length.
_FROM, _TO = 0.1, 0.6
_SHARE = "select coalesce(sum(devices), 0) from sync_pages where run_id = $1"


@dataclass
class Round:
    """Seconds of each first sync of the small tenant, and whether the large one went on until its end."""

    alone: list[float] = field(default_factory=list[float])
    beside: list[float] = field(default_factory=list[float])
    to_the_end: list[bool] = field(default_factory=list[bool])
    cpu: list[CpuSpent] = field(default_factory=list[CpuSpent])

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return statistics.median(self.beside) / statistics.median(self.alone)


async def run(servers: Servers, options: Options) -> Measured:
    """In each round a new database and a new RMM, with the services up.

    A new RMM, because each account signs in by itself, and after some thirty sign-ins of one key the vendor locks it
    for minutes (API notes 1): then a small sync waits for that.
    """
    rounds: list[Round] = []
    for number in options.numbers:
        tell(f" round {number} of {options.rounds}")
        rmm = await servers.start_fleet(options.devices, options.companies, "--tenant", f"small={_SMALL}")
        async with httpx.AsyncClient(base_url=rmm.url, trust_env=False) as client:
            listed: int = (await client.get("/_sim/count")).json()["platform"]
        rounds.append(one := await _play(servers, rmm, number, listed))
        await servers.stop_rmm(rmm)
        tell(f"  alone {statistics.median(one.alone):.2f} s, beside {statistics.median(one.beside):.2f} s")
    alone = tuple(seconds for one in rounds for seconds in one.alone)
    beside = tuple(seconds for one in rounds for seconds in one.beside)
    ended = [flag for one in rounds for flag in one.to_the_end]
    rows = [
        Row("small sync beside a large one / alone", tuple(one.ratio for one in rounds), mark=3, at_least=False),
        Row(f"small sync alone, {len(alone)} samples", alone, "s"),
        Row(f"small sync beside a large one, {len(beside)} samples", beside, "s"),
        Row("of these, share with the large one to the end", (sum(ended) / len(ended),)),
        strangers("beside", [cpu for one in rounds for cpu in one.cpu]),
    ]
    return Measured(rows, [asdict(one) for one in rounds])


async def _play(servers: Servers, rmm: Rmm, number: int, listed: int) -> Round:
    url = await servers.fresh_database(f"beside_{number}")
    small = rmm.tenant("small")
    found = Round()
    async with Services(servers, url, rmm, settings=UNLIMITED) as services, open_store(servers, url) as store:
        await services.ready()
        await _first_sync(store, small)  # not counted: the first of all waits for what every process does once
        await store.settle()

        async def alone() -> float:
            found.alone += [await _first_sync(store, small) for _ in range(_SAMPLES)]
            return sum(found.alone)

        async def beside() -> float:
            _, run_id = await store.add("large", rmm)
            await _within(store, run_id, small, found, listed)
            return (await store.ended(run_id)).seconds

        for work in (alone, beside):
            _, cpu = await spent(services.roots, work)
            found.cpu.append(cpu)
    return found


async def _within(store: Store, run_id: UUID, small: Rmm, found: Round, listed: int) -> None:
    async def fetched() -> float:
        return int(await store.pool.fetchval(_SHARE, run_id)) / listed

    async def begun() -> bool:
        return await fetched() >= _FROM

    await until("the large load has begun", begun)
    while not found.beside or (len(found.beside) < _SAMPLES and await fetched() < _TO):
        found.beside.append(await _first_sync(store, small))
        status = await store.pool.fetchval("select status from sync_runs where id = $1", run_id)
        found.to_the_end.append(status == "running")


async def _first_sync(store: Store, small: Rmm) -> float:
    """Seconds of the first sync of a new integration, in an account of its own."""
    own = await store.in_another_account()
    _, run_id = await own.add("small", small)
    return (await own.ended(run_id)).seconds


def _estimate(options: Options) -> float:
    return options.rounds * (STACK_SECONDS + 5 + 15 * options.scale)


SCENARIO = Scenario("beside", _estimate, run)
