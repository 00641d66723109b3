"""`status --watch`: the overview again and again, in place on a terminal, a line each elsewhere."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from lifecycle.data.overview import read_overview
from lifecycle.data.waiting import LINE_SECONDS, Reader
from lifecycle.output import Output
from lifecycle.session import Session

_TICK_SECONDS: Final = 1.0

Document = dict[str, Any]
Read = Callable[[], Awaitable[Document]]


async def watch(session: Session, out: Output, integration_id: UUID | None) -> None:
    """Until Ctrl-C."""
    reader = Reader(session, out)

    async def read() -> Document:
        return await reader.read(lambda conn: read_overview(session, conn, integration_id))

    try:
        if out.json_wanted:
            await _lines(read, _TICK_SECONDS, _print_json)
        elif out.results.is_terminal:
            await _live(out, read)
        else:
            await _lines(read, LINE_SECONDS, lambda document: out.text(summary(document)))
    finally:
        await reader.close()


def summary(document: Document) -> str:
    """One line of everything."""
    depth = sum(queue["messages"] or 0 for queue in document["queues"])
    parts = [
        f"{datetime.now(UTC):%H:%M:%S}",
        f"{document['assets']:,} assets",
        f"{depth:,} messages queued",
        f"{document['parked']:,} parked",
        *(f"{run['integration']} {run['status']} {run['balance']['seen']:,} devices" for run in document["runs"]),
        *document["attention"],
    ]
    return "; ".join(parts)


async def _lines(read: Read, seconds: float, say: Callable[[Document], None]) -> None:
    while True:
        say(await read())
        await asyncio.sleep(seconds)


async def _live(out: Output, read: Read) -> None:
    from rich.live import Live  # noqa: PLC0415 - only on a terminal

    from lifecycle.data.overview_page import overview_page  # noqa: PLC0415 - the same

    with Live(console=out.results, auto_refresh=False, screen=False) as live:
        while True:
            live.update(overview_page(await read()), refresh=True)
            await asyncio.sleep(_TICK_SECONDS)


def _print_json(document: Document) -> None:
    stamped = {"at": datetime.now(UTC), **document}
    sys.stdout.write(json.dumps(stamped, default=_plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
