"""How long an edit takes to be confirmed in the RMM, and what many edits at once cost: `python -m bench edits`."""

import asyncio
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from bench.machine import CpuSpent
from bench.measuring import spent
from bench.pipeline import UNLIMITED
from bench.scenario import STACK_SECONDS, Measured, Options, Scenario, tell
from bench.stack import Rmm, Servers, Services
from bench.table import Row, strangers
from bench.tenant import Store, open_store
from lifecycle.exits import Failure
from shared.audit import Author
from shared.date_ledger.switches import switch_two_way
from shared.dates.calendar import FIELDS, PURCHASE, WARRANTY
from shared.events import DateEdited, new_event
from shared.events.dates import AssetById
from shared.integrations.status import cancel_run
from shared.outbox import Outbox, Pending, add
from shared.postgres import transaction

LATENCY_MS = 50
_FIRST_DAY = date(2001, 1, 1)
# Enough for the burst's three requests a device, and few enough that a wasted one in ten would show as a 429.
BURST_BUDGET = 18_000
BURST_DEVICES, BURST_EDITS = 5_000, 10_000
# The simulator's names of what reads and writes a device's dates.
_ROUTES = frozenset({"values_v1", "values_v2", "patch_v1", "patch_v2", "detail_v1", "detail_v2"})
_UNFINISHED = "select count(*) from date_edits where status in ('recorded', 'waiting', 'writing', 'held')"
_DEVICES = """
    select d.asset_id, d.device_id from devices d join assets a on a.id = d.asset_id
    where d.integration_id = $1 and a.asset_type <> 'virtual_machine' and not exists (
        select from devices o where o.asset_id = d.asset_id and o.device_id <> d.device_id
    )
    order by d.device_id limit $2
"""


@dataclass(frozen=True)
class Latency:
    """Seconds from the publishing of an edit to its confirmation, by edit; and the requests that each took.

    `spared` of them, by edit, took the place of a reading of the slow sweep.
    """

    name: str
    seconds: tuple[float, ...]
    requests_per_edit: float
    spared: float

    @property
    def p99(self) -> float:
        """The 99th percentile."""
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[98]


@dataclass(frozen=True)
class Burst:
    """What many edits at once came to."""

    edits: int
    devices: int
    publish_seconds: float
    seconds: float
    not_newest: int
    wasted: int
    double: int
    requests_per_device: float
    refused: int


async def latencies(servers: Servers, number: int, *, edits: int, pause: float, beside: int) -> list[Latency]:
    """Single edits, at a steady pace: in an idle system, and while another tenant's fleet of this size is loaded."""
    rmm = await servers.start_rmm(
        *("--devices", beside, "--companies", 40, "--seed", 7, "--quota", 0, "--latency-ms", LATENCY_MS)
    )
    url = await servers.fresh_database(f"edits_latency_{number}")
    found: list[Latency] = []
    async with Services(servers, url, rmm, settings=UNLIMITED) as services, open_store(servers, url) as store:
        await services.ready()
        editor = await Editor.of(store, rmm, devices=300)
        await editor.edit_each(10, pause, PURCHASE)  # the way of writing is found out once
        found.append(await editor.measured("idle", edits, pause))
        other = await store.in_another_account()
        _, run_id = await other.add("large", rmm)
        await _pages(store, run_id, 5)
        found.append(await editor.measured(f"beside a load of {beside:,}", edits, pause))
        running = await store.pool.fetchval("select status from sync_runs where id = $1", run_id)
        if running != "running":
            tell(f"the load beside it ended before the edits did ({running}): take a larger fleet")
        found.append(await editor.both_dates(edits // 5, pause))
    await servers.stop_rmm(rmm)
    return found


async def burst(servers: Servers, number: int) -> Burst:
    """Two edits of each of 5,000 devices, as fast as they can be published, under a budget."""
    rmm = await servers.start_rmm(
        *("--devices", BURST_DEVICES * 3 // 2, "--companies", 8, "--seed", 7, "--quota", BURST_BUDGET)
    )
    url = await servers.fresh_database(f"edits_burst_{number}")
    settings = {"rmm_budget": BURST_BUDGET}
    async with Services(servers, url, rmm, settings=settings) as services, open_store(servers, url) as store:
        await services.ready()
        editor = await Editor.of(store, rmm, devices=BURST_DEVICES)
        found = await editor.burst(BURST_EDITS // BURST_DEVICES)
    await servers.stop_rmm(rmm)
    return found


class Editor:
    """Edits dates of one integration, one device after another, and looks at what came of it."""

    def __init__(self, store: Store, rmm: Rmm, account_id: UUID, devices: Sequence[tuple[UUID, str]]) -> None:
        self._store = store
        self._rmm = rmm
        self._account_id = account_id
        self._devices = devices
        self._count = 0

    @classmethod
    async def of(cls, store: Store, rmm: Rmm, *, devices: int) -> "Editor":
        """Add an integration, wait for so many of its devices, end its sync, and turn two-way on."""
        integration_id, run_id = await store.add("edited", rmm)
        account_id: UUID = await store.pool.fetchval(
            "select account_id from integrations where id = $1", integration_id
        )
        rows: list[Any] = []
        async with asyncio.timeout(300):
            while len(rows) < devices:
                status = await store.pool.fetchval("select status from sync_runs where id = $1", run_id)
                rows = await store.pool.fetch(_DEVICES, integration_id, devices)
                if status not in {"queued", "running"} and len(rows) < devices:
                    raise Failure(f"the fleet has only {len(rows)} devices with an asset of their own", "take a larger")
                await asyncio.sleep(0.2)
        author = Author(account_id, "bench", "bench")
        async with transaction(store.pool) as conn:
            why = {"reason_code": "bench", "reason": "the devices are there", "next_action": "nothing"}
            await cancel_run(conn, integration_id, account_id, **why, source="bench")
            for field in FIELDS:
                await switch_two_way(conn, author, integration_id, field, enabled=True)
        return cls(store, rmm, account_id, [(row["asset_id"], row["device_id"]) for row in rows])

    async def measured(self, name: str, edits: int, pause: float) -> Latency:
        """Edit so many devices, `pause` seconds apart, and wait for the last."""
        tell(f"{edits} edits, {name}")
        before = await self._written_requests()
        began = await self.edit_each(edits, pause, PURCHASE)
        requests = await self._written_requests() - before
        return Latency(name, await self._seconds(began), requests / edits, await self._spared(began) / edits)

    async def both_dates(self, devices: int, pause: float) -> Latency:
        """Both dates of a device in one go: the requests are those of a device, a look, one write of both, a look."""
        tell(f"both dates of {devices} devices")
        before = await self._written_requests()
        began = await self.edit_each(devices, pause, PURCHASE, WARRANTY)
        requests = await self._written_requests() - before
        spared = await self._spared(began) / devices
        return Latency("both dates of a device", await self._seconds(began), requests / devices, spared)

    async def edit_each(self, count: int, pause: float, *fields: Any) -> datetime:
        """Edit so many devices one after another, and return when all is done; with the moment of the first."""
        began = datetime.now(UTC)
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number * pause - loop.time()))
            await self._publish([(number % len(self._devices), field) for field in fields])
        await self._done()
        return began

    async def burst(self, times: int) -> Burst:
        """Edit every device so many times, as fast as it goes."""
        tell(f"{times * len(self._devices):,} edits of {len(self._devices):,} devices")
        requests = await self._written_requests()
        began, loop = datetime.now(UTC), asyncio.get_running_loop()
        start = loop.time()
        for _ in range(times):
            for first in range(0, len(self._devices), 50):
                await self._publish(
                    [(number, PURCHASE) for number in range(first, min(first + 50, len(self._devices)))]
                )
        published = loop.time() - start
        await self._done()
        seconds = loop.time() - start
        newest = {
            row["device_id"]: row["wanted"]
            for row in await self._store.pool.fetch(
                "select device_id, wanted from date_pushes where field = $1", PURCHASE
            )
        }
        writes = [each for each in await self._control("writes") if each["via"] != "person"]
        last: dict[str, str] = {each["device_id"]: each["after"][:10] for each in writes}
        stats = await self._control("stats")
        return Burst(
            edits=times * len(self._devices),
            devices=len(self._devices),
            publish_seconds=published,
            seconds=seconds,
            not_newest=sum(last.get(device) != str(newest[device]) for _, device in self._devices),
            wasted=await self._wasted(writes, began),
            double=sum(n - 1 for n in Counter((each["device_id"], each["after"]) for each in writes).values()),
            requests_per_device=(await self._written_requests() - requests) / len(self._devices),
            refused=stats["too_many_requests"],
        )

    async def _wasted(self, writes: Sequence[dict[str, Any]], began: datetime) -> int:
        """Writes of a date of which a newer one was committed a second before: more than was on its way by then."""
        rows = await self._store.pool.fetch(
            "select d.device_id, e.value, extract(epoch from n.received_at)::float8 as newer_at from date_edits e"
            " join devices d on d.asset_id = e.asset_id join date_edits n on n.id = e.superseded_by"
            " where e.edited_at >= $1",
            began,
        )
        newer = {(row["device_id"], str(row["value"])): row["newer_at"] for row in rows}
        return sum(each["at"] > newer.get((each["device_id"], each["after"][:10]), each["at"]) + 1 for each in writes)

    async def _publish(self, edits: Sequence[tuple[int, Any]]) -> None:
        async with transaction(self._store.pool) as conn:
            pending: list[Pending] = []
            for number, field in edits:
                self._count += 1
                day = _FIRST_DAY + timedelta(days=self._count % 8_000 + (9_000 if field == WARRANTY else 0))
                edited = DateEdited(
                    account_id=self._account_id,
                    asset=AssetById(id=self._devices[number][0]),
                    field=field,
                    value=day,
                    origin="manual",
                    actor="bench",
                    edited_at=datetime.now(UTC),
                )
                pending.append(await add(conn, new_event(edited, source="bench", account_id=self._account_id)))
        await self._outbox.publish(*pending)

    @property
    def _outbox(self) -> Outbox:
        return self._store.outbox

    async def _done(self) -> None:
        """Return when every edit has come to its end."""
        async with asyncio.timeout(600):
            while True:
                recorded = await self._store.pool.fetchval("select count(*) from date_edits")
                open_ones = await self._store.pool.fetchval(_UNFINISHED)
                if recorded >= self._count and not open_ones:
                    return
                await asyncio.sleep(0.1)

    async def _seconds(self, began: datetime) -> tuple[float, ...]:
        rows = await self._store.pool.fetch(
            "select status, extract(epoch from written_at - edited_at)::float8 as seconds from date_edits"
            " where edited_at >= $1 order by edited_at",
            began,
        )
        bad = Counter(row["status"] for row in rows if row["status"] != "written")
        if bad:
            raise Failure(f"edits that did not end as written: {dict(bad)}", "read the logs of write-back")
        return tuple(row["seconds"] for row in rows)

    async def _spared(self, began: datetime) -> int:
        """The devices that the sweep need not read, for a look showed both dates of them (docs/adr/0025)."""
        # No fetcher reads details in here, so every reading since is a look of write-back's.
        count: int = await self._store.pool.fetchval("select count(*) from detail_reads where read_at >= $1", began)
        return count

    async def _written_requests(self) -> int:
        """The requests of write-backs so far: no list is one of them, nor a sign-in."""
        by_route: dict[str, dict[str, int]] = (await self._control("stats"))["by_route"]
        counts = (sum(by_status.values()) for route, by_status in by_route.items() if route.split()[-1] in _ROUTES)
        return sum(counts)

    async def _control(self, path: str) -> Any:
        async with httpx.AsyncClient(base_url=self._rmm.url, trust_env=False, timeout=60) as client:
            return (await client.get(f"/_sim/{path}")).json()


async def _pages(store: Store, run_id: UUID, count: int) -> None:
    async with asyncio.timeout(120):
        while True:
            if await store.pool.fetchval("select count(*) from sync_pages where run_id = $1", run_id) >= count:
                return
            await asyncio.sleep(0.1)


async def run(servers: Servers, options: Options) -> Measured:
    """Single edits and a burst in each round; a quick run has few edits and no burst."""
    edits, pause = (20, 0.1) if options.quick else (200, 0.2)
    rounds: list[list[Latency]] = []
    bursts: list[Burst] = []
    sections: list[CpuSpent] = []

    async def work(number: int) -> float:
        rounds.append(await latencies(servers, number, edits=edits, pause=pause, beside=options.devices))
        if not options.quick:
            bursts.append(await burst(servers, number))
        return 0.0

    for number in options.numbers:
        tell(f" round {number} of {options.rounds}")
        _, cpu = await spent(servers.roots, lambda number=number: work(number))  # type: ignore[misc]
        sections.append(cpu)
    rows = [*_rows_of_latencies(rounds), *_rows_of_bursts(bursts), strangers("edits", sections)]
    return Measured(
        rows, {"latencies": [list(map(asdict, one)) for one in rounds], "bursts": list(map(asdict, bursts))}
    )


def _rows_of_latencies(rounds: Sequence[Sequence[Latency]]) -> list[Row]:
    rows: list[Row] = []
    for each, seconds in zip(zip(*rounds, strict=True), (1.0, 2.0, 1.0), strict=True):
        name = each[0].name
        p99, median = tuple(one.p99 for one in each), tuple(statistics.median(one.seconds) for one in each)
        rows.append(Row(f"edit to confirmed, 99th percentile, {name}", p99, "s", mark=seconds, at_least=False))
        rows.append(Row(f"edit to confirmed, median, {name}", median, "s"))
        needed = tuple(one.requests_per_edit for one in each)
        rows.append(Row(f"requests, {name}", needed, mark=3.0, at_least=False))
        more = tuple(one.requests_per_edit - one.spared for one in each)
        rows.append(Row(f"requests beyond the sweep's reading that they spare, {name}", more, mark=2.0, at_least=False))
    return rows


def _rows_of_bursts(bursts: Sequence[Burst]) -> list[Row]:
    if not bursts:
        return []
    what = f"{bursts[0].edits:,} edits of {bursts[0].devices:,} devices"
    return [
        Row(f"{what}: publishing", tuple(one.publish_seconds for one in bursts), "s", mark=60, at_least=False),
        Row(f"{what}: until the last is confirmed", tuple(one.seconds for one in bursts), "s"),
        Row(f"{what}: requests a device", tuple(one.requests_per_device for one in bursts), mark=6, at_least=False),
        *(
            Row(f"{what}: {words}", tuple(float(getattr(one, name)) for one in bursts), mark=0, at_least=False)
            for words, name in (
                ("devices that do not hold their newest date", "not_newest"),
                ("writes of a date that was superseded", "wasted"),
                ("double writes", "double"),
                ("answers of 429", "refused"),
            )
        ),
    ]


def _estimate(options: Options) -> float:
    if options.quick:
        return options.rounds * (STACK_SECONDS + 15)
    # A burst may have to wait for a whole window of the budget.
    return options.rounds * (2 * STACK_SECONDS + 100 + 330)


SCENARIO = Scenario("edits", _estimate, run)
