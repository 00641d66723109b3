"""Memory of each service, and bytes that wait at the broker, by the size of the fleet."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench import pipeline
from bench.broker_bytes import peak_bytes
from bench.scenario import STACK_SECONDS, Measured, Options, Scenario, tell
from bench.stack import Servers
from bench.table import Row

_MILLION = 1_000_000
_MIB = 1 << 20


@dataclass(frozen=True)
class Peaks:
    """The most that was held at once during a first load and a reload, MiB."""

    devices: int
    rss_mib: dict[str, float]
    broker_mib: float


async def run(servers: Servers, options: Options) -> Measured:
    """A fifth of the fleet and the whole of it in each round, by turns first; a million once where it is asked for."""
    fifths: list[Peaks] = []
    wholes: list[Peaks] = []
    sizes = [(options.devices // 5, fifths), (options.devices, wholes)]
    for number in options.numbers:
        for devices, found in sizes if number % 2 else reversed(sizes):
            tell(f" {devices:,} devices, round {number} of {options.rounds}")
            found.append(await _peaks_of(servers, devices, options.companies, number))
    rows = _rows_of(fifths, wholes)
    everything = [*fifths, *wholes]
    if options.million:
        tell(f" {_MILLION:,} devices")
        huge = await _peaks_of(servers, _MILLION, 400, 1)
        rows += [
            Row(
                f"peak memory of {name}, a million / a fifth",
                (huge.rss_mib[name] / statistics.median(one.rss_mib[name] for one in fifths),),
                mark=1.2,
                at_least=False,
            )
            for name in sorted(huge.rss_mib)
        ]
        everything.append(huge)
    return Measured(rows, [asdict(one) for one in everything])


async def _peaks_of(servers: Servers, devices: int, companies: int, number: int) -> Peaks:
    rmm = await servers.start_fleet(devices, companies)
    async with peak_bytes(servers) as peak:
        both = await pipeline.resident(servers, rmm, f"memory_{devices}_{number}")
    await servers.stop_rmm(rmm)
    return Peaks(both.first.devices, both.rss_mib, peak.bytes / _MIB)


def _rows_of(fifths: Sequence[Peaks], wholes: Sequence[Peaks]) -> list[Row]:
    pairs = list(zip(fifths, wholes, strict=True))
    names = sorted(wholes[0].rss_mib)
    rows = [
        Row(
            f"peak memory of {name}, whole fleet / a fifth",
            tuple(whole.rss_mib[name] / fifth.rss_mib[name] for fifth, whole in pairs),
            mark=1.05,
            at_least=False,
        )
        for name in names
    ]
    rows += [
        Row(f"peak memory of {name}", tuple(one.rss_mib[name] for one in wholes), "MiB", mark=200, at_least=False)
        for name in names
    ]
    for words, peaks in (("whole fleet", wholes), ("a fifth", fifths)):
        rows.append(Row(f"bytes waiting at the broker, peak, {words}", tuple(one.broker_mib for one in peaks), "MiB"))
    return rows


def _estimate(options: Options) -> float:
    a_round = 2 * (STACK_SECONDS + 6) + 1.2 * 16 * options.scale
    return a_round * options.rounds + (200 if options.million else 0)


SCENARIO = Scenario("memory", _estimate, run)
