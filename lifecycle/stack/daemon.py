"""The supervisor as a process of its own: what `lifecycle up --detach` leaves behind."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from lifecycle.exits import Failure, failure_of
from lifecycle.settings import CommandSettings
from lifecycle.stack.layout import Layout
from lifecycle.stack.plan import Plan
from lifecycle.stack.processes import identify
from lifecycle.stack.supervisor import Stop, Supervisor


async def supervise(layout: Layout, plan: Plan, settings: CommandSettings) -> None:
    """Runs the stack until SIGTERM; a second one ends it at once."""
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.ask)
    me = identify(os.getpid())
    await Supervisor(layout, plan, settings, (os.getpid(), me.started if me is not None else ""), _log).run(stop)


def _log(text: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """`python -m lifecycle.stack.daemon FOLDER PLAN`."""
    folder, plan = arguments
    try:
        asyncio.run(supervise(Layout(Path(folder)), Plan.from_json(plan), CommandSettings()))
    except Failure as failure:
        _log(failure.message)
        return int(failure_of(failure).code)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
