"""A large file of dates: seconds and memory of its preview and of its import: `python -m bench imports`."""

import asyncio
import csv
import json
import sys
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from bench.machine import CpuSpent, peak_rss_mib
from bench.measuring import of_ended_children, spent
from bench.scenario import STACK_SECONDS, Measured, Options, Scenario, tell
from bench.stack import Servers, Services
from bench.table import Row, strangers
from bench.tenant import Store, open_store
from bench.waiting import until
from lifecycle.exits import ExitCode, Failure
from lifecycle.settings import environment
from lifecycle.stack.layout import project_root

ROWS, QUICK_ROWS = 1_000_000, 10_000
# Of ten rows three are of assets that are known, and of a hundred one is no date.
_KNOWN, _UNREADABLE = 0.3, 100
_FIRST_DAY = date(2025, 1, 1)
_POLL_SECONDS = 0.05
_WITHIN_SECONDS = 7_200.0
_WITHOUT = dict.fromkeys(("fetcher", "normalizer", "writer"), 0)
_ASSETS = """
    insert into assets (id, account_id, name, asset_type, serial_number, serial_normalised, observed_seq)
    select gen_random_uuid(), c.id, 'machine ' || n, 'laptop', 'KNOWN' || n, 'KNOWN' || n, 1
    from accounts c, generate_series(0, $1::int - 1) n
"""


@dataclass(frozen=True)
class Import:
    """One run of `lifecycle dates import` over the whole file."""

    what: str
    seconds: float
    peak_mib: float
    outcomes: dict[str, int]


async def run(servers: Servers, options: Options) -> Measured:
    """Once, however many rounds are asked for: a preview, the import, and the same file again."""
    rows = QUICK_ROWS if options.quick else ROWS
    rmm = await servers.start_rmm("--devices", 10)
    url = await servers.fresh_database("imports")
    sections: list[CpuSpent] = []
    found: list[Import] = []
    path = servers.layout.root / "imports.csv"
    async with Services(servers, url, rmm, scale=_WITHOUT) as services, open_store(servers, url) as store:
        await services.ready()
        await store.pool.execute(_ASSETS, int(rows * _KNOWN))
        await store.settle()
        _write(path, rows)
        for command in (("preview", "--preview"), ("import", "--apply"), ("the same again", "--apply")):
            what = command[0]
            tell(f" {rows:,} rows, {what}")
            imported, cpu = await _timed(servers, services, url, path, command)
            found.append(imported)
            sections.append(cpu)
            tell(f"  {imported.seconds:.0f} s, {imported.peak_mib:.0f} MiB")
            await _recorded(store, 0 if what == "preview" else rows)
        ends = await _ends(store)
        peaks = {one.service.name: peak_rss_mib(one.process.pid) for one in services.replicas}
    path.unlink()
    await servers.stop_rmm(rmm)
    table = [
        *(Row(f"{rows:,} rows, {one.what}", (one.seconds,), "s") for one in found),
        *(
            Row(f"{rows:,} rows, {one.what}: peak memory", (one.peak_mib,), "MiB", mark=200, at_least=False)
            for one in found
        ),
        *(
            Row(f"peak memory of {name}, {rows:,} imported rows", (mib,), "MiB", mark=200, at_least=False)
            for name, mib in sorted(peaks.items())
        ),
        Row("rows that the ledger has not once", (float(abs(rows - sum(ends.values()))),), mark=0, at_least=False),
        strangers("imports", sections),
    ]
    by_name = {one.what: section.by_name for one, section in zip(found, sections, strict=True)}
    return Measured(table, {"imports": list(map(asdict, found)), "ends": ends, "peaks": peaks, "cpu": by_name})


def _write(path: Path, rows: int) -> None:
    """A file of a maker's portal: known serials spread over it, every other one somebody else's."""
    known = int(rows * _KNOWN)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("Service Tag", "Model", "Warranty End Date"))
        for number in range(rows):
            place = number * known // rows
            serial = f"KNOWN{place}" if place != (number - 1) * known // rows else f"OTHER{number}"
            day = "soon" if number % _UNREADABLE == 0 else str(_FIRST_DAY + timedelta(days=number % 1_000))
            writer.writerow((serial, "a laptop", day))


async def _timed(
    servers: Servers, services: Services, database_url: str, path: Path, command: tuple[str, str]
) -> tuple[Import, CpuSpent]:
    what, option = command
    document: dict[str, Any] = {}
    peak = 0.0

    async def work() -> float:
        nonlocal peak
        loop = asyncio.get_running_loop()
        began = loop.time()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lifecycle", "dates", "import", str(path)),
            *("--origin", "lookup", "--name", "dell", "--json", option),
            env={
                **environment(),
                "LIFECYCLE_AMQP_URL": servers.amqp_url,
                "LIFECYCLE_DATABASE_URL": database_url,
                "PYTHONPATH": str(project_root()),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        ended = asyncio.ensure_future(process.communicate())
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                while not ended.done():
                    peak = max(peak, peak_rss_mib(process.pid))
                    await asyncio.wait([ended], timeout=_POLL_SECONDS)
            out, said = await ended
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode not in {ExitCode.DONE, ExitCode.PARTIAL}:
            raise Failure(f"{what} ended with {process.returncode}", said.decode(errors="replace")[-2000:])
        document.update(json.loads(out))
        return loop.time() - began

    # The command is the only child that ends and is waited for meanwhile.
    before = of_ended_children()
    seconds, cpu = await spent(services.roots, work)
    cpu.by_name["command"] = of_ended_children() - before
    outcomes = {one["outcome"]: one["dates"] for one in document["outcomes"]}
    return Import(what, seconds, peak, outcomes), cpu


async def _recorded(store: Store, edits: int) -> None:
    """Return when the ledger has so many edits."""

    async def ask() -> bool:
        return bool(await store.pool.fetchval("select count(*) from date_edits") >= edits)

    await until(f"{edits:,} edits are in the ledger", ask, every=0.2)


async def _ends(store: Store) -> dict[str, int]:
    rows = await store.pool.fetch("select status, reason_code, count(*) from date_edits group by status, reason_code")
    return {f"{row['status']} {row['reason_code'] or ''}".strip(): row["count"] for row in rows}


def _estimate(options: Options) -> float:
    return STACK_SECONDS + (20 if options.quick else 1_500)


SCENARIO = Scenario("imports", _estimate, run)
