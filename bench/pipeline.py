"""Loads of a whole fleet by the pipeline: into an empty database, and again with nothing changed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.machine import peak_rss_mib
from bench.measuring import Load, spent
from bench.scenario import tell
from bench.stack import Rmm, Servers, Services
from bench.tenant import RunTimes, Store, open_store

UNLIMITED: Mapping[str, object] = {"rmm_budget": 10_000_000}


@dataclass(frozen=True)
class Resident:
    """Two loads by services that were up, and the most memory that each service had in them, MiB."""

    first: Load
    again: Load
    rss_mib: dict[str, float]


async def resident(servers: Servers, rmm: Rmm, name: str, *, writers: int = 1) -> Resident:
    """Load a fleet into an empty database, and once more, with services that are ready before."""
    url = await servers.fresh_database(name)
    all_of_them = Services(servers, url, rmm, scale={"writer": writers}, settings=UNLIMITED)
    async with all_of_them as services, open_store(servers, url) as store:
        await services.ready()
        integration_id = None

        async def first() -> RunTimes:
            nonlocal integration_id
            integration_id, run_id = await store.add("bench", rmm)
            return await store.ended(run_id)

        async def again() -> RunTimes:
            assert integration_id is not None
            return await store.ended(await store.sync(integration_id))

        loaded = await _load(services, store, first)
        assert integration_id is not None
        await store.lined_up(integration_id)
        found = Resident(loaded, await _load(services, store, again), peaks(services))
    for load, words in ((found.first, "first load"), (found.again, "nothing changed")):
        tell(f"  pipeline, {words}: {load.rate:,.0f} devices/s, strangers {load.cpu.others:.1f} CPU s")
    return found


async def cold(servers: Servers, rmm: Rmm, name: str, *, writers: int = 1) -> Load:
    """A first load that includes the start of every service, as a peer's includes its own."""
    url = await servers.fresh_database(name)
    loop = asyncio.get_running_loop()
    services = Services(servers, url, rmm, scale={"writer": writers}, settings=UNLIMITED)
    async with AsyncExitStack() as stack, open_store(servers, url) as store:
        await store.settle()
        wal = await store.wal()
        seen = 0

        async def work() -> float:
            nonlocal seen
            began = loop.time()
            await stack.enter_async_context(services)
            _, run_id = await store.add("bench", rmm)
            seen = (await store.ended(run_id)).balance["seen"]
            return loop.time() - began

        seconds, cpu = await spent(services.roots, work)
        load = Load(seen, seconds, cpu, await store.wal() - wal)
    tell(f"  pipeline, cold: {load.rate:,.0f} devices/s, strangers {load.cpu.others:.1f} CPU s")
    return load


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
