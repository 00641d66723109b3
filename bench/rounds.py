"""The rounds: in each, every peer and the pipeline load the same fleet, one after another on the same two cores."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from bench.machine import peak_rss_mib
from bench.measuring import PEERS, Load, load_by_peer, spent
from bench.stack import Rmm, Servers, Services
from bench.tenant import RunTimes, Store, open_store, settle
from lifecycle.exits import Failure
from shared.declaration import check_queues

UNLIMITED: Mapping[str, object] = {"rmm_budget": 10_000_000}
_PIPELINE = "pipeline"
_WAIT_SECONDS = 600.0


@dataclass
class Round:
    """What one round measured."""

    peers: dict[str, Load] = field(default_factory=dict[str, Load])
    first: Load | None = None
    reload: Load | None = None
    rss_mib: dict[str, float] = field(default_factory=dict[str, float])


def tell(text: str) -> None:
    """A sign of life on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


async def play(servers: Servers, rmm: Rmm, number: int, *, peers: bool) -> Round:
    """One round, each time begun by another competitor, so that no place in the order is always the same one's.

    The pipeline's number of devices is that of its own balance, and the peers' the same.
    """
    found = Round()
    names = (_PIPELINE, *PEERS) if peers else (_PIPELINE,)
    begin = (number - 1) % len(names)
    for name in (*names[begin:], *names[:begin]):
        if name == _PIPELINE:
            await _pipeline(servers, rmm, number, found)
            continue
        url = await servers.fresh_database(f"peer_{number}_{name.replace(' ', '_')}")
        await settle(url)
        load = await load_by_peer(servers, name, url, rmm)
        found.peers[name] = load
        tell(f"  {name}: {load.seconds:.1f} s, others used {load.cpu.others:.1f} CPU s")
    assert found.first is not None
    devices = found.first.devices
    found.peers = {name: replace(load, devices=devices) for name, load in found.peers.items()}
    return found


async def _pipeline(servers: Servers, rmm: Rmm, number: int | str, found: Round) -> None:
    url = await servers.fresh_database(f"pipeline_{number}")
    async with Services(servers, url, rmm, settings=UNLIMITED) as services, open_store(servers, url) as store:
        await services.ready()
        integration_id = None

        async def first() -> RunTimes:
            nonlocal integration_id
            integration_id, run_id = await store.add("bench", rmm)
            return await store.ended(run_id)

        async def again() -> RunTimes:
            assert integration_id is not None
            return await store.ended(await store.sync(integration_id))

        found.first = await _load(services, store, first)
        tell(f"  pipeline, first load: {found.first.rate:,.0f} devices/s, others {found.first.cpu.others:.1f} CPU s")
        found.reload = await _load(services, store, again)
        tell(f"  pipeline, nothing changed: {found.reload.rate:,.0f} devices/s")
        found.rss_mib = peaks(services)


async def _load(services: Services, store: Store, work: Callable[[], Awaitable[RunTimes]]) -> Load:
    await store.settle()
    wal = await store.wal()
    times: list[RunTimes] = []

    async def timed() -> float:
        times.append(await work())
        return times[0].seconds

    seconds, cpu = await spent(services.roots, timed)
    return Load(times[0].balance["seen"], seconds, cpu, await store.wal() - wal)


def peaks(services: Services) -> dict[str, float]:
    """The most memory that a process of each service has had, MiB."""
    found: dict[str, float] = {}
    for replica in services.replicas:
        name = replica.service.name
        found[name] = max(found.get(name, 0.0), peak_rss_mib(replica.process.pid))
    return found


async def memory_of(servers: Servers, devices: int, companies: int, number: int) -> dict[str, float]:
    """Peak memory of each service after a first load and a reload of a fleet of this size."""
    rmm = await servers.start_rmm("--devices", devices, "--companies", companies, "--seed", 7, "--quota", 0)
    found = Round()
    await _pipeline(servers, rmm, f"{devices}_{number}", found)
    await servers.stop_rmm(rmm)
    return found.rss_mib


async def two_writers(servers: Servers, rmm: Rmm, number: int) -> tuple[float, float, int]:
    """Devices a second with one writer and with two, the queue kept full; and how many devices were stored."""
    rates: list[float] = []
    stored = 0
    for writers in (1, 2):
        url = await servers.fresh_database(f"writers_{number}_{writers}")
        settings = {**UNLIMITED, "chunks_waiting_own": 100_000, "chunks_waiting_all": 100_000}
        services = Services(servers, url, rmm, scale={"writer": 0}, settings=settings)
        async with services, open_store(servers, url) as store:
            await services.ready()
            _, run_id = await store.add("bench", rmm)
            await _until(store, "select bool_and(status = 'done') from sync_scopes where run_id = $1", run_id)
            await _until_normalized(servers, store, run_id)
            services.start("writer", writers)
            await services.ready()
            times = await store.ended(run_id)
            seconds = await store.pool.fetchval(
                "select extract(epoch from max(written_at) - min(written_at))::float8 from sync_chunks"
                " where run_id = $1",
                run_id,
            )
            rates.append(times.balance["seen"] / seconds)
            stored = await store.pool.fetchval("select count(*) from devices")
            assert stored == times.balance["created"], "something was lost or done twice"
    return rates[0], rates[1], stored


async def beside_a_large_one(servers: Servers, rmm: Rmm, number: int) -> tuple[float, float]:
    """Seconds that a sync of about 100 devices takes alone, and while another account loads the whole fleet."""
    url = await servers.fresh_database(f"beside_{number}")
    async with Services(servers, url, rmm, settings=UNLIMITED) as services, open_store(servers, url) as store:
        await services.ready()
        small_id, run_id = await store.add("small", rmm)
        await store.ended(run_id)
        company = await store.pool.fetchval(
            "select company_id from devices group by 1 order by abs(count(*) - 100) limit 1"
        )
        alone = (await store.ended(await store.sync_company(small_id, company))).seconds
        large = await store.in_another_account()
        _, large_run = await large.add("large", rmm)
        await _until(store, "select count(*) > 5 from sync_chunks where run_id = $1", large_run)
        beside = (await store.ended(await store.sync_company(small_id, company))).seconds
        status = await store.pool.fetchval("select status from sync_runs where id = $1", large_run)
        assert status == "running", "the large sync was over before the small one"
        await store.ended(large_run)
    return alone, beside


async def _until(store: Store, query: str, run_id: object) -> None:
    """Wait until the query is true. Raises Failure after ten minutes."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not await store.pool.fetchval(query, run_id):
        if time.monotonic() > deadline:
            raise Failure(f"not so within {_WAIT_SECONDS:.0f} s: {query}", "read the logs of the services")
        await asyncio.sleep(0.05)


async def _until_normalized(servers: Servers, store: Store, run_id: object) -> None:
    """Wait until every chunk of the run lies in the writer's queue. Raises Failure after ten minutes."""
    deadline = time.monotonic() + _WAIT_SECONDS
    chunks = await store.pool.fetchval("select sum(chunk_count) from sync_pages where run_id = $1", run_id)
    while True:
        (found,) = await check_queues(servers.amqp_url, ("writer.pages",))
        if found.messages == chunks:
            return
        if time.monotonic() > deadline:
            raise Failure(
                f"{found.messages} of {chunks} chunks wait for the writer after {_WAIT_SECONDS:.0f} s",
                "read the logs of the fetcher and the normalizer",
            )
        await asyncio.sleep(0.2)
