"""Two writers instead of one: the same backlog, all writers let go at once, and the rate over its middle."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from bench.machine import CpuSpent
from bench.measuring import spent
from bench.pipeline import UNLIMITED
from bench.scenario import STACK_SECONDS, Measured, Options, Scenario, tell
from bench.stack import Rmm, Servers, Services
from bench.table import Row, strangers
from bench.tenant import Store, open_store
from bench.waiting import until
from lifecycle.exits import Failure
from shared import topology
from shared.declaration import check_queues
from shared.postgres import connection

# Below this many chunks nothing stands in the way of the fetcher.
_ANY = 100_000
# A writer takes 16 chunks ahead as shipped: with a small backlog the first one would take all of it.
_SMALL_FLEET, _SMALL_AHEAD = 20_000, 2
# What the writer asks for at the beginning of each of its transactions, to keep a removal out.
_HOLD = "select pg_advisory_lock(hashtextextended('integration:' || $1, 0))"
_LET_GO = "select pg_advisory_unlock(hashtextextended('integration:' || $1, 0))"
_WAITING = """
    select count(*) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'
"""
# Between the ends of the first and the ninth tenth of the chunks: neither the start nor the last, lonely ones.
_MIDDLE = """
    with written as (
        select written_at, created + updated + unchanged + rejected + repeated as devices,
            row_number() over (order by written_at) as place, count(*) over () as chunks
        from sync_chunks where run_id = $1
    ), edges as (
        select min(written_at) filter (where place >= chunks * 0.1) as begun,
            min(written_at) filter (where place >= chunks * 0.9) as ended
        from written
    )
    select sum(w.devices) filter (where w.written_at > e.begun and w.written_at <= e.ended)
        / nullif(extract(epoch from e.ended - e.begun), 0)::float8
    from written w cross join edges e group by e.begun, e.ended
"""
_BOOKS = """
    select (select count(*) from devices) as devices,
        (select sum(chunk_count) from sync_pages where run_id = $1) as fetched,
        (select count(*) from sync_chunks where run_id = $1) as written,
        (select sum(p.devices) from sync_pages p where p.run_id = $1) as listed,
        (select count(*) from (select unnest(keys) from sync_chunks where run_id = $1) k) as kept,
        (select count(distinct k) from (select unnest(keys) as k from sync_chunks where run_id = $1) k) as different
"""


@dataclass(frozen=True)
class Drained:
    """How one backlog was written. Devices a second over the middle; `cpu` is of all, from the release to the end."""

    writers: int
    chunks: int
    devices: int
    rate: float
    cpu: CpuSpent


async def run(servers: Servers, options: Options) -> Measured:
    """One writer and two in each round, by turns first."""
    rmm = await servers.start_fleet(options.devices, options.companies)
    found: dict[int, list[Drained]] = {1: [], 2: []}
    for number in options.numbers:
        tell(f" round {number} of {options.rounds}")
        for writers in (1, 2) if number % 2 else (2, 1):
            drained = await _drain(servers, rmm, options.devices, number, writers)
            tell(f"  {writers}: {drained.chunks} chunks, {drained.rate:,.0f} devices/s")
            found[writers].append(drained)
    await servers.stop_rmm(rmm)
    ratios = tuple(two.rate / one.rate for one, two in zip(found[1], found[2], strict=True))
    rows = [
        Row("two writers / one", ratios, mark=1.5),
        Row("one writer, devices/s", tuple(one.rate for one in found[1])),
        Row("two writers, devices/s", tuple(one.rate for one in found[2])),
        strangers("writers", [one.cpu for one in (*found[1], *found[2])]),
    ]
    return Measured(rows, [asdict(one) for one in (*found[1], *found[2])])


async def _drain(servers: Servers, rmm: Rmm, devices: int, number: int, writers: int) -> Drained:
    url = await servers.fresh_database(f"writers_{number}_{writers}")
    settings = {**UNLIMITED, "chunks_waiting_own": _ANY, "chunks_waiting_all": _ANY}
    if devices < _SMALL_FLEET:
        settings["writer_prefetch"] = _SMALL_AHEAD
    services = Services(servers, url, rmm, scale={"writer": 0}, settings=settings)
    async with services, open_store(servers, url) as store:
        await services.ready()
        integration_id, run_id = await store.add("bench", rmm)
        chunks = await _backlog(servers, store, run_id)
        async with _held(store, integration_id) as release:
            services.start("writer", writers)
            await services.ready()

            async def all_wait() -> bool:
                (found,) = await check_queues(servers.amqp_url, (topology.WRITER_PAGES.name,))
                waiting = await store.pool.fetchval(_WAITING)
                return found.consumers == writers and waiting >= min(writers, chunks)

            await until("every writer holds a chunk", all_wait)
            await store.settle()

            async def work() -> float:
                await release()
                return (await store.ended(run_id)).seconds

            _, cpu = await spent(services.roots, work)
        stored = await _check(store, run_id)
        rate = await store.pool.fetchval(_MIDDLE, run_id)
        if rate is None:
            raise Failure("the backlog is too small for a rate", "take more devices")
        return Drained(writers, chunks, stored, rate, cpu)


async def _backlog(servers: Servers, store: Store, run_id: UUID) -> int:
    """Wait until all of the fleet lies in the writer's queue; returns the number of chunks."""

    async def listed() -> bool:
        return bool(
            await store.pool.fetchval("select bool_and(status = 'done') from sync_scopes where run_id = $1", run_id)
        )

    await until("every list is read", listed)
    chunks: int = await store.pool.fetchval("select sum(chunk_count) from sync_pages where run_id = $1", run_id)

    async def queued() -> bool:
        (found,) = await check_queues(servers.amqp_url, (topology.WRITER_PAGES.name,))
        return found.messages == chunks

    await until(f"{chunks} chunks wait for the writer", queued, every=0.2)
    return chunks


@asynccontextmanager
async def _held(store: Store, integration_id: UUID) -> AsyncGenerator[Any]:
    """Let no writer begin before the release, however long its start takes; they wait for a lock of Postgres."""
    async with connection(store.pool) as conn:
        await conn.execute(_HOLD, str(integration_id))
        held = True

        async def release() -> None:
            nonlocal held
            if held:
                held = False
                await conn.execute(_LET_GO, str(integration_id))

        try:
            yield release
        finally:
            await release()


async def _check(store: Store, run_id: UUID) -> int:
    """Raise Failure where something was lost or written twice; returns the number of devices."""
    books = dict(await store.pool.fetchrow(_BOOKS, run_id) or {})
    whole = books["written"] == books["fetched"]
    once = books["devices"] == books["listed"] == books["kept"] == books["different"]
    if not (whole and once):
        raise Failure(f"something was lost or written twice: {books}", "this is a fault of the pipeline, not of you")
    return int(books["devices"])


def _estimate(options: Options) -> float:
    return options.rounds * 2 * (2 * STACK_SECONDS + 20 * options.scale)


SCENARIO = Scenario("writers", _estimate, run)
