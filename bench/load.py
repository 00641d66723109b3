"""First load and reload beside what people would use instead: in each round all load the same fleet, one by one."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bench import pipeline
from bench.cores import slowdown
from bench.measuring import PEERS, Load, install_peers, load_by_peer
from bench.scenario import STACK_SECONDS, Measured, Options, Scenario, tell
from bench.stack import Rmm, Servers
from bench.table import Row, strangers
from bench.tenant import settle

RESIDENT, AGAIN, COLD = "pipeline", "pipeline, nothing changed", "pipeline, cold"
# Seconds that a competitor takes for 100,000 devices, and however few there are.
_USUAL = {
    RESIDENT: 20.0,
    COLD: 20.0,
    "dlt as shipped": 25.0,
    "dlt arrow": 12.0,
    "script many": 8.0,
    "script page": 18.0,
}
_MARKS = {"dlt as shipped": 2.0, "dlt arrow": 1.0, "script many": 0.6}


@dataclass
class Round:
    """The loads of one round, by competitor."""

    loads: dict[str, Load] = field(default_factory=dict[str, Load])
    rss_mib: dict[str, float] = field(default_factory=dict[str, float])
    slowdown: float = 1.0

    def plain(self) -> dict[str, object]:
        """For the file of raw values."""
        loads = {name: load.plain() for name, load in self.loads.items()}
        return {"loads": loads, "rss_mib": self.rss_mib, "slowdown": self.slowdown}


def competitors(options: Options) -> tuple[str, ...]:
    """Who loads in a round."""
    return (RESIDENT, COLD, *(PEERS if options.peers else ()))


async def run(servers: Servers, options: Options) -> Measured:
    """Every round, each begun by another competitor, so that no place in the order is always the same one's."""
    if options.peers:
        await install_peers()
    rmm = await servers.start_fleet(options.devices, options.companies)
    rounds: list[Round] = []
    for number in options.numbers:
        tell(f" round {number} of {options.rounds}")
        names = competitors(options)
        begin = (number - 1) % len(names)
        rounds.append(await _play(servers, rmm, number, (*names[begin:], *names[:begin]), options.writers))
    await servers.stop_rmm(rmm)
    return Measured(rows_of(rounds), [one.plain() for one in rounds])


async def _play(servers: Servers, rmm: Rmm, number: int, names: Sequence[str], writers: int) -> Round:
    """The pipeline's number of devices is that of its own balance, and the peers' the same."""
    found = Round(slowdown=await slowdown(len(os.sched_getaffinity(0))))
    for name in names:
        database = f"load_{number}_{name}".replace(" ", "_").replace(",", "")
        if name == RESIDENT:
            both = await pipeline.resident(servers, rmm, database, writers=writers)
            found.loads |= {RESIDENT: both.first, AGAIN: both.again}
            found.rss_mib = both.rss_mib
        elif name == COLD:
            found.loads[COLD] = await pipeline.cold(servers, rmm, database, writers=writers)
        else:
            url = await servers.fresh_database(database)
            await settle(url)
            found.loads[name] = load = await load_by_peer(servers, name, url, rmm)
            tell(f"  {name}: {load.seconds:.1f} s, strangers {load.cpu.others:.1f} CPU s")
    devices = found.loads[RESIDENT].devices
    found.loads = {name: replace(load, devices=devices) for name, load in found.loads.items()}
    return found


def rows_of(rounds: Sequence[Round]) -> list[Row]:
    """The lines of the table; a ratio is of two loads of one round."""
    names = tuple(rounds[0].loads)
    peers = [name for name in PEERS if name in names]

    def each(value: Callable[[dict[str, Load]], float]) -> tuple[float, ...]:
        return tuple(value(one.loads) for one in rounds)

    def against(first: str, second: str, of: Callable[[Load], float]) -> tuple[float, ...]:
        return each(lambda loads: of(loads[first]) / of(loads[second]))

    rows = [
        Row(f"first load / {name}", against(RESIDENT, name, _rate), mark=_MARKS.get(name), at_least=True)
        for name in peers
    ]
    rows += [Row(f"cold first load / {name}", against(COLD, name, _rate)) for name in peers]
    if "dlt as shipped" in peers:
        values = against(RESIDENT, "dlt as shipped", lambda load: load.worked)
        rows.append(Row("CPU seconds / dlt as shipped", values, mark=0.6, at_least=False))
    changes: dict[str, tuple[float, Callable[[Load], float]]] = {
        "WAL": (0.02, lambda load: load.wal_bytes),
        "Postgres CPU": (0.25, lambda load: load.cpu.of("postgres")),
        "wall": (0.6, lambda load: load.seconds),
    }
    for what, (mark, of) in changes.items():
        rows.append(Row(f"unchanged / first: {what}", against(AGAIN, RESIDENT, of), mark=mark, at_least=False))
    for name in (RESIDENT, AGAIN, COLD, *peers):
        rows.append(Row(f"{name}, devices/s", each(lambda loads, name=name: loads[name].rate)))  # type: ignore[misc]
        cpu = each(lambda loads, name=name: loads[name].worked / loads[name].devices * 1e6)  # type: ignore[misc]
        rows.append(Row(f"{name}, CPU", cpu, "µs a device"))
    slow = tuple(one.slowdown for one in rounds)
    rows.append(Row("CPU of one piece of work, all cores at work / one", slow))
    rows += [strangers(name, [one.loads[name].cpu for one in rounds]) for name in (RESIDENT, AGAIN, COLD, *peers)]
    return rows


def _rate(load: Load) -> float:
    return load.rate


def _estimate(options: Options) -> float:
    names = competitors(options)
    a_round = 2 * STACK_SECONDS + sum(_USUAL[name] * options.scale + 3 for name in names)
    return a_round * options.rounds


SCENARIO = Scenario("load", _estimate, run)
