"""`python -m bench [SCENARIO...]`: measure, and print a table of what was to be reached and what was."""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import beside, edits, imports, load, memory, quota, writers
from bench.lock import only_one
from bench.machine import describe
from bench.scenario import Measured, Options, Scenario, tell
from bench.stack import Servers
from bench.table import show
from lifecycle.exits import Failure
from lifecycle.stack.layout import project_root

RESULTS = Path(__file__).resolve().parent / "results"
SCENARIOS: dict[str, Scenario] = {
    module.SCENARIO.name: module.SCENARIO for module in (load, memory, writers, beside, quota, edits, imports)
}
# The start of the broker and of Postgres, and their end.
_SERVERS_SECONDS = 12.0
_QUICK = Options(devices=2_000, rounds=1, window_seconds=2, peers=False, quick=True)


def _parser() -> argparse.ArgumentParser:
    usual = Options()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Without a name all scenarios are measured.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--devices", type=int, help=f"size of the large fleet ({usual.devices:,})")
    parser.add_argument("--companies", type=int, help=f"its companies ({usual.companies})")
    parser.add_argument("--rounds", type=int, help=f"how often each is measured ({usual.rounds})")
    parser.add_argument(
        "--window", dest="window_seconds", type=int, help=f"of the quota, s ({usual.window_seconds}; the vendor's: 300)"
    )
    parser.add_argument("--writers", type=int, help=f"writers in a load ({usual.writers})")
    parser.add_argument("--no-peers", dest="peers", action="store_const", const=False, help="the pipeline alone")
    parser.add_argument("--million", action="store_const", const=True, help="memory at a million devices as well")
    parser.add_argument("--quick", action="store_true", help="whether it runs at all: small, once, without peers")
    return parser


def _asked(arguments: argparse.Namespace) -> tuple[list[Scenario], Options]:
    unknown = [name for name in arguments.scenarios if name not in SCENARIOS]
    if unknown:
        raise Failure(f"no such scenario: {', '.join(unknown)}", f"there are {', '.join(SCENARIOS)}")
    base = asdict(_QUICK if arguments.quick else Options())
    given = {name: value for name in base if (value := getattr(arguments, name, None)) is not None}
    options = Options(**{**base, **given})
    if min(options.devices, options.companies, options.rounds, options.window_seconds, options.writers) < 1:
        raise Failure("sizes and rounds begin at 1", "give a larger number")
    return [SCENARIOS[name] for name in dict.fromkeys(arguments.scenarios or SCENARIOS)], options


def _announce(scenarios: Sequence[Scenario], options: Options) -> None:
    seconds = {one.name: one.estimate(options) for one in scenarios}
    parts = ", ".join(f"{name} {_duration(each)}" for name, each in seconds.items())
    tell(f"about {_duration(sum(seconds.values()) + _SERVERS_SECONDS)} on two quiet cores: {parts}")


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


async def _measure(scenarios: Sequence[Scenario], options: Options) -> dict[str, Measured]:
    """Run the scenarios, one after another, on the same servers."""
    found: dict[str, Measured] = {}
    async with Servers() as servers:
        for one in scenarios:
            tell(one.name)
            began = time.monotonic()
            found[one.name] = await one.run(servers, options)
            tell(f" {one.name} took {_duration(time.monotonic() - began)}")
    return found


async def _until_ended(scenarios: Sequence[Scenario], options: Options) -> dict[str, Measured]:
    """Measure; a SIGTERM ends it as an interrupt does, so that the servers are stopped and deleted."""
    task = asyncio.ensure_future(_measure(scenarios, options))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _keep(found: dict[str, Measured], options: Options) -> Path:
    """Write everything that was measured into one file."""
    at = datetime.now(UTC)
    content = {
        "at": at.isoformat(timespec="seconds"),
        "machine": describe(),
        "options": asdict(options),
        "rows": [row.plain() for one in found.values() for row in one.rows],
        "raw": {name: one.raw for name, one in found.items()},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{at:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(content, indent=1, default=str))
    return path


def main() -> int:
    """Measure, print, keep."""
    try:
        scenarios, options = _asked(_parser().parse_args())
        with only_one(project_root() / ".local" / "bench.lock"):
            _announce(scenarios, options)
            found = asyncio.run(_until_ended(scenarios, options))
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Failure as failure:
        sys.stderr.write(f"{failure.message}\n{failure.next_step or ''}\n")
        return 1
    show([row for one in found.values() for row in one.rows])
    tell(f"all values: {_keep(found, options)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
