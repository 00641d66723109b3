"""`python -m bench`: measure, and print a table of what was to be reached and what was."""

import argparse
import asyncio
import json
import signal
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.lock import only_one
from bench.machine import describe
from bench.measuring import Load, install_peers
from bench.quota import BUDGET, under_a_tight_budget
from bench.rounds import Round, beside_a_large_one, memory_of, play, tell, two_writers
from bench.stack import Servers
from lifecycle.exits import Failure
from lifecycle.stack.layout import project_root

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Row:
    """One line of the table. `at_least` says on which side of the mark the good is."""

    what: str
    mark: float
    at_least: bool
    values: tuple[float, ...]
    unit: str = ""

    @property
    def median(self) -> float:
        """The middle of the runs."""
        return statistics.median(self.values)

    @property
    def reached(self) -> bool:
        """Whether the median reaches the mark."""
        return self.median >= self.mark if self.at_least else self.median <= self.mark

    def cells(self) -> tuple[str, str, str, str]:
        """What stands in the table."""
        sign = "≥" if self.at_least else "≤"
        spread = f"{self.median:.3g} ({min(self.values):.3g}-{max(self.values):.3g}) {self.unit}"
        return self.what, f"{sign} {self.mark:g} {self.unit}".strip(), spread.strip(), "ok" if self.reached else "below"


def ratios(rounds: Sequence[Round]) -> list[Row]:
    """The rows that come from the rounds."""

    def each(value: Callable[[Any], float]) -> tuple[float, ...]:
        return tuple(value(one) for one in rounds)

    rows: list[Row] = []
    marks = {"dlt as shipped": 2.0, "dlt arrow": 1.0, "script page": 1.5, "script many": 0.6}
    for name, mark in marks.items():
        if name in rounds[0].peers:
            values = each(lambda one, name=name: one.first.rate / one.peers[name].rate)  # type: ignore[misc]
            rows.append(Row(f"first load / {name}", mark, at_least=True, values=values))
    if "dlt as shipped" in rounds[0].peers:
        values = each(lambda one: _cpu(one.first) / one.peers["dlt as shipped"].cpu.of("peer", "postgres"))
        rows.append(Row("CPU seconds / dlt as shipped", 0.6, at_least=False, values=values))
    pairs: dict[str, tuple[float, Callable[[Load], float]]] = {
        "WAL": (0.02, lambda load: load.wal_bytes),
        "Postgres CPU": (0.25, lambda load: load.cpu.of("postgres")),
        "wall": (0.6, lambda load: load.seconds),
    }
    for name, (mark, of) in pairs.items():
        values = each(lambda one, of=of: of(one.reload) / of(one.first))  # type: ignore[misc]
        rows.append(Row(f"unchanged / first: {name}", mark, at_least=False, values=values))
    return rows


def _cpu(load: Any) -> float:
    """All services, the broker and Postgres; not the simulator."""
    return float(sum(seconds for name, seconds in load.cpu.by_name.items() if name != "simulator"))


async def measure(options: argparse.Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Everything that was asked for."""
    rows: list[Row] = []
    detail: dict[str, Any] = {"machine": describe(), "devices": options.devices, "runs": options.runs}
    only = set(options.only or ("load", "memory", "writers", "beside", "quota"))
    if options.peers and "load" in only:
        await install_peers()
    async with Servers() as servers:
        fleet = ("--devices", options.devices, "--companies", options.companies, "--seed", 7, "--quota", 0)
        rmm = await servers.start_rmm(*fleet)
        numbers = range(1, options.runs + 1)
        if "load" in only:
            rounds: list[Round] = []
            for number in numbers:
                tell(f"round {number} of {options.runs}")
                rounds.append(await play(servers, rmm, number, peers=options.peers))
            rows += ratios(rounds)
            detail["rounds"] = [_plain(one) for one in rounds]
        if "memory" in only:
            rows += await _memory(servers, options)
        if "writers" in only:
            tell("two writers instead of one")
            pairs = [await two_writers(servers, rmm, number) for number in numbers]
            rows.append(Row("two writers / one", 1.5, at_least=True, values=tuple(two / one for one, two, _ in pairs)))
        if "beside" in only:
            tell("a small sync beside a large one")
            times = [await beside_a_large_one(servers, rmm, number) for number in numbers]
            rows.append(
                Row("small sync beside a large one / alone", 3, at_least=False, values=tuple(b / a for a, b in times))
            )
        if "quota" in only:
            rows += await _quota(servers, numbers)
    return rows, detail


async def _until_ended(options: argparse.Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Measure; a SIGTERM ends it as an interrupt does, so that the servers are stopped and deleted."""
    task = asyncio.ensure_future(measure(options))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _memory(servers: Servers, options: argparse.Namespace) -> list[Row]:
    tell("memory by the size of the fleet")
    pairs = [
        (
            await memory_of(servers, options.devices // 5, options.companies, number),
            await memory_of(servers, options.devices, options.companies, number),
        )
        for number in range(1, options.runs + 1)
    ]
    names = sorted(pairs[0][1])
    rows = [
        Row(
            f"peak memory of {name}, whole fleet / a fifth",
            1.05,
            at_least=False,
            values=tuple(large[name] / small[name] for small, large in pairs),
        )
        for name in names
    ]
    rows += [
        Row(f"peak memory of {name}", 200, at_least=False, values=tuple(large[name] for _, large in pairs), unit="MiB")
        for name in names
    ]
    if options.million:
        huge = await memory_of(servers, 1_000_000, 400, 1)
        usual = {name: statistics.median(small[name] for small, _ in pairs) for name in names}
        rows += [
            Row(f"peak memory of {name}, a million / a fifth", 1.2, at_least=False, values=(huge[name] / usual[name],))
            for name in sorted(huge)
        ]
    return rows


async def _quota(servers: Servers, numbers: range) -> list[Row]:
    tell("requests under a tight budget")
    asked = [await under_a_tight_budget(servers, number) for number in numbers]
    return [
        Row(
            "requests / the fewest possible",
            1.0,
            at_least=False,
            values=tuple(one.requests / one.fewest for one in asked),
        ),
        Row("answers of 429", 0, at_least=False, values=tuple(float(one.refused) for one in asked)),
        Row(
            "most requests in a window / budget",
            1.0,
            at_least=False,
            values=tuple(one.most_in_window / BUDGET for one in asked),
        ),
        Row("budget used while there is work", 0.95, at_least=True, values=tuple(one.used_share for one in asked)),
    ]


def _plain(one: Round) -> dict[str, Any]:
    loads = {"first": one.first, "unchanged": one.reload, **one.peers}
    return {
        "loads": {
            name: {
                "devices": load.devices,
                "seconds": load.seconds,
                "wal_bytes": load.wal_bytes,
                "cpu": load.cpu.by_name,
                "others_cpu": load.cpu.others,
            }
            for name, load in loads.items()
            if load is not None
        },
        "rss_mib": one.rss_mib,
    }


def show(rows: Sequence[Row]) -> None:
    """Print the table in Markdown, which is also how the README keeps it."""
    head = ("What", "Reach", "Median (min-max)", "")
    cells = [head, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    for place, line in enumerate(cells):
        sys.stdout.write(
            "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |\n"
        )
        if not place:
            sys.stdout.write("|" + "|".join("-" * (width + 2) for width in widths) + "|\n")


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--companies", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=("load", "memory", "writers", "beside", "quota"))
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--million", action="store_true", help="memory at a million devices as well")
    options = parser.parse_args()
    try:
        with only_one(project_root() / ".local" / "bench.lock"):
            rows, detail = asyncio.run(_until_ended(options))
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Failure as failure:
        sys.stderr.write(f"{failure.message}\n{failure.next_step or ''}\n")
        return 1
    show(rows)
    RESULTS.mkdir(exist_ok=True)
    detail["rows"] = [dict(zip(("what", "reach", "measured", "verdict"), row.cells(), strict=True)) for row in rows]
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    (RESULTS / f"{at}.json").write_text(json.dumps(detail, indent=1, default=str))
    return 0


sys.exit(main())
