"""`dates import`: a file is judged as a whole in temporary tables, and then sent as one event for each date.

Judging is done by the database, so a file of any length takes the same memory here. Sending is the way of every other
edit: the outbox, then the broker; write-back has the last word. It keeps step with write-back, so that other edits do
not wait behind it. What is no edit at all, such as a cell that is no date, is recorded as refused here. An event's id
is made of what it says and where it stands in the file, so the same file again, or the rest of one that was broken off,
is no second edit. A second run while the first one's edits are on their way sends them with another moment: the earlier
one counts, for both dates of a machine, because each run sends both or none.
"""

import asyncio
import csv
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import asyncpg

from lifecycle.data.counting import counting
from lifecycle.data.csv_tables import BadTable, Layout, find_layout, read_rows
from lifecycle.data.date_styles import Order
from lifecycle.data.import_pacing import Pace
from lifecycle.data.import_reading import Survey, entries, survey
from lifecycle.data.import_refusals import refusal_of
from lifecycle.data.import_sending import Sending
from lifecycle.data.naming import PACKAGE
from lifecycle.data.publishing import SOURCE, SWEPT, author, connected
from lifecycle.exits import Unreachable, WrongUsage
from lifecycle.output import Output
from lifecycle.session import Session
from shared import audit
from shared.audit import Author
from shared.date_ledger.edits import edit_id, record_refused
from shared.dates.sources import Origin, edit_source
from shared.events.dates import AssetById, AssetBySerial, DateEdited
from shared.events.envelope import Event, new_event, source_of
from shared.outbox import Outbox
from shared.postgres import sql

Document = dict[str, Any]

EXAMPLES: Final = 3
GOOD: Final = frozenset({"new", "unchanged", "repeated", "no_date"})
"""Outcomes that nobody has to mend."""
LEFT_OUT: Final = frozenset({"repeated", "no_date"})
"""Outcomes of rows that say nothing new: no edit, and nothing to record."""
_BATCH: Final = 500
_STALLED: Final = "nobody takes edits in: is write-back running? The rest is sent all the same, and waits in its queue"
_BROKEN_OFF: Final = "broken off: run the same command again for the rest; what is recorded by then is left out"
_SPACE: Final = UUID("8b0d1d5e-21a4-5c59-8a3d-0c8f7e0f6a53")
_ENTRY_COLUMNS: Final = (
    *("entry_no", "line", "serial", "serial_key", "field", "sent", "value", "code", "reason", "next_step"),
)
_REPORT_COLUMNS: Final = (
    *("line", "serial", "field", "sent", "value", "outcome", "reason", "next_step", "asset_id", "event_id"),
)
_PAGE: Final = "select * from import_judged where entry_no > $1 order by entry_no limit $2"
# Both dates of a serial, in their order: a page is one date longer where else it would part them.
_PAGE_THAT_GOES: Final = """
    select * from import_judged
    where goes and pair > $1 and pair <= (
        select max(pair) from (select pair from import_judged where goes and pair > $1 order by pair limit $2) as next
    )
    order by pair, first desc
"""
_PAGE_REFUSED: Final = """
    select * from import_judged where entry_no > $1 and not goes and outcome <> all($3) order by entry_no limit $2
"""


@dataclass(frozen=True)
class ImportOrder:
    """What is to be imported, and in whose words. `name` is the lookup's; a manual edit has its actor's."""

    path: Path
    origin: Origin
    name: str | None = None
    style: Order | None = None


@dataclass(frozen=True)
class Judged:
    """A file whose every date lies judged in the session's temporary tables."""

    order: ImportOrder
    layout: Layout
    survey: Survey

    @property
    def origin(self) -> str:
        """In whose name the file speaks."""
        return edit_source(self.order.origin, self.order.name or "")

    def event_id(self, account_id: UUID, row: asyncpg.Record) -> UUID:
        """The same for the same date at the same place of the same file, said in the same name.

        Of what is refused here, for the same reason too: with another --date-style it can be an edit.
        """
        parts = [account_id, self.origin, row["serial_key"], row["field"], row["value"]]
        parts += [self.survey.digest, row["line"], *([] if row["goes"] else [row["outcome"]])]
        return uuid5(_SPACE, "\n".join(map(str, parts)))


async def judge(session: Session, out: Output, order: ImportOrder) -> Judged:
    """Reads and judges a file; nothing is written but to temporary tables. Raises `WrongUsage`."""
    try:
        layout = find_layout(order.path)
        out.message(_found(layout))
        found = survey(order.path, layout)
        await session.connection.execute(sql(PACKAGE, "import_tables"))
        with counting(out, "reading", found.rows) as count:
            records = _records(order, layout, found, count)
            await session.connection.copy_records_to_table(
                "import_entries", records=records, columns=list(_ENTRY_COLUMNS)
            )
    except BadTable as error:
        raise WrongUsage(str(error), error.next_step) from None
    except OSError as error:
        raise WrongUsage(f"{order.path} cannot be read ({error.strerror})", "name a CSV file") from None
    with out.progress("comparing with the assets"):
        await session.connection.execute("analyze import_entries")
        await session.connection.execute(sql(PACKAGE, "import_judge"), session.account_id)
    return Judged(order, layout, found)


async def summary(session: Session, judged: Judged) -> Document:
    """How many dates come to each end, with the first few of each."""
    rows = await session.connection.fetch(sql(PACKAGE, "import_counts"), EXAMPLES)
    outcomes = [dict(row) for row in rows]
    refused = sum(one["dates"] for one in outcomes if one["outcome"] not in GOOD)
    layout, order = judged.layout, judged.order
    return {
        "file": str(order.path),
        "sha256": judged.survey.digest,
        "origin": judged.origin,
        "encoding": layout.encoding,
        "separator": layout.separator,
        "columns": {"serial": layout.serial_name, **layout.date_names},
        "date_styles": {
            field: order.style or column.order if column.numeric else "ymd"
            for field, column in judged.survey.columns.items()
        },
        "rows": judged.survey.rows,
        "refused": refused,
        "outcomes": outcomes,
    }


async def send(session: Session, out: Output, judged: Judged) -> Document:
    """Sends every date that can be read as an edit and records the others as refused, but what the ledger has."""
    started = time.monotonic()
    # By a clock that is ahead of the database both dates of a row would count as made when they came, in any order.
    who, now = author(session), await session.connection.fetchval("select clock_timestamp()")
    total = await session.connection.fetchval("select count(*) from import_judged where goes")
    sent = done = refused = 0
    async with AsyncExitStack() as stack:
        events = await _opened(session, out, stack)
        line, pace = Sending(session.connection, events), Pace(session.connection, lambda: out.message(_STALLED))
        with _telling_how_to_go_on(out):
            refused = await _refuse(session, out, judged, line, now)
        with counting(out, "sending", total) as count, _telling_how_to_go_on(out):
            async for rows in _pages(session, _PAGE_THAT_GOES, by="pair"):
                fresh = await _unknown(session, judged, rows)
                # Both dates of a serial or none: of an edit that another run sent too the earlier moment counts, and
                # one run's moments would not do for both dates where it sent only one of them.
                pairs = {row["pair"] for row in fresh.values()}
                await line.send([_event(who, judged, row, now) for row in rows if row["pair"] in pairs])
                sent, done = sent + len(fresh), done + len(rows)
                count(done)
                if events:
                    pace.sent(fresh)
                if pace.is_full:
                    # What is published must not lie in the outbox meanwhile: the scheduler would publish it again.
                    await line.settle()
                    await pace.room()
            await line.settle()
    counts = {"sent": sent, "known_already": total - sent, "recorded_as_refused": refused}
    async with session.connection.transaction():
        after = {"file": judged.order.path.name, "sha256": judged.survey.digest, **counts}
        await audit.record(session.connection, who, "dates.imported", "file", judged.survey.digest, after=after)
    return {**counts, "seconds": round(time.monotonic() - started, 2)}


async def write_report(session: Session, judged: Judged, path: Path) -> None:
    """Writes every date with what becomes of it as CSV. Raises `WrongUsage` where the file cannot be written."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _REPORT_COLUMNS, extrasaction="ignore")
            writer.writeheader()
            async for rows in _pages(session, _PAGE):
                for row in rows:
                    kept = row["outcome"] not in LEFT_OUT
                    event_id = judged.event_id(session.account_id, row) if kept else None
                    writer.writerow({**row, "event_id": event_id})
    except OSError as error:
        raise WrongUsage(f"{path} cannot be written ({error.strerror})", "name another file with --report") from None


def _records(order: ImportOrder, layout: Layout, found: Survey, count: Any) -> Iterator[tuple[Any, ...]]:
    number = 0
    for done, row in enumerate(read_rows(order.path, layout), start=1):
        for entry in entries(row, found.columns, order.style):
            number += 1
            yield (number, *vars(entry).values())
        count(done)


def _found(layout: Layout) -> str:
    names = ", ".join(f"{field} in {name!r}" for field, name in layout.date_names.items())
    separator = {"\t": "tab"}.get(layout.separator, layout.separator)
    return f"{layout.encoding} text, separated by {separator}: serials in {layout.serial_name!r}, {names}"


async def _pages(
    session: Session, query: str, *more: Any, by: str = "entry_no"
) -> AsyncGenerator[list[asyncpg.Record]]:
    last = 0
    while rows := await session.connection.fetch(query, last, _BATCH, *more):
        yield rows
        last = rows[-1][by]


async def _refuse(session: Session, out: Output, judged: Judged, line: Sending, now: datetime) -> int:
    """Record what cannot be sent as an edit, with its reason, and tell it; gives back how many are new."""
    who, conn = author(session), session.connection
    total = await conn.fetchval(
        "select count(*) from import_judged where not goes and outcome <> all($1)", list(LEFT_OUT)
    )
    done = new = 0
    with counting(out, "recording what is refused", total) as count:
        async for rows in _pages(session, _PAGE_REFUSED, list(LEFT_OUT)):
            fresh = await _unknown(session, judged, rows)
            refused = [
                refusal_of(row, judged.event_id(who.account_id, row), who, judged.origin, now) for row in fresh.values()
            ]
            await line.store(partial(record_refused, some=refused, source=SOURCE))
            done, new = done + len(rows), new + len(fresh)
            count(done)
    return new


def _event(who: Author, judged: Judged, row: asyncpg.Record, now: datetime) -> Event[DateEdited]:
    order = judged.order
    asset = AssetById(id=row["asset_id"]) if row["asset_id"] else AssetBySerial(serial_number=row["serial"])
    data = DateEdited(
        account_id=who.account_id,
        asset=asset,
        field=row["field"],
        value=row["value"],
        origin=order.origin,
        lookup=order.name if order.origin == "lookup" else None,
        actor=who.actor,
        # The two dates of a row have an order, or the first could contradict what the second replaces.
        edited_at=now if row["first"] else now + timedelta(microseconds=1),
    )
    return new_event(
        data,
        source=SOURCE,
        account_id=who.account_id,
        subject=f"assets/{row['asset_id']}" if row["asset_id"] else None,
        event_id=judged.event_id(who.account_id, row),
    )


async def _unknown(session: Session, judged: Judged, rows: list[asyncpg.Record]) -> dict[UUID, asyncpg.Record]:
    """Those that the ledger does not have, by its ids."""
    ids = {edit_id(source_of(SOURCE), str(judged.event_id(session.account_id, row))): row for row in rows}
    found = await session.connection.fetch("select id from date_edits where id = any($1::uuid[])", list(ids))
    known = {row["id"] for row in found}
    return {own: row for own, row in ids.items() if own not in known}


@contextmanager
def _telling_how_to_go_on(out: Output) -> Generator[None]:
    try:
        yield
    except asyncio.CancelledError:
        out.message(_BROKEN_OFF)
        raise


async def _opened(session: Session, out: Output, stack: AsyncExitStack) -> Outbox | None:
    try:
        return Outbox(*await stack.enter_async_context(connected(session)))
    except Unreachable:
        out.message(SWEPT)
        return None
