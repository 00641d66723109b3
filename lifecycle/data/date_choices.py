"""What a person decides about dates: a source that does not count, and a conflict's side."""

import shlex
from typing import Any, Final, Literal
from uuid import UUID

from lifecycle.data import words
from lifecycle.data.assets import find_asset, read_asset
from lifecycle.data.edits import LABELS
from lifecycle.data.naming import PACKAGE, find_integration, find_optional
from lifecycle.data.publishing import SWEPT, change, publish
from lifecycle.data.saying import warn
from lifecycle.exits import NotFound, Refused, WrongUsage
from lifecycle.output import Output
from lifecycle.session import Session
from shared import outbox
from shared.audit import Author
from shared.date_ledger.choices import NothingToDecide, Side, exclude_source, settle_conflict
from shared.dates.calendar import DateField
from shared.dates.sources import edit_source, integration_source
from shared.postgres import Connection, sql

Document = dict[str, Any]
Take = Literal["ours", "theirs"]

CONFLICT_COLUMNS: Final = ("asset", "serial", "date", "ours", "theirs", "integration", "found", "asset id")
_SIDES: Final[dict[Take, Side]] = {"ours": "manual", "theirs": "remote"}


async def read_source(session: Session, text: str) -> str:
    """A source as it was typed: `lookup:dell`, `integration:Acme` or with its id. Raises `WrongUsage`, `NotFound`."""
    kind, _, name = text.strip().partition(":")
    if kind == "lookup" and name.strip():
        return edit_source("lookup", name)
    if kind == "integration" and name.strip():
        return integration_source((await find_integration(session, name)).id)
    if kind == "manual":
        raise WrongUsage("a manual date is not excluded, it is cleared", "run: lifecycle assets clear ASSET --field F")
    raise WrongUsage(f"{text!r} is no source", "give lookup:NAME or integration:NAME, as lifecycle assets show has it")


async def exclude(
    session: Session, out: Output, asset_id: UUID, field: DateField, source: str, *, excluded: bool
) -> None:
    """Lets one source's date not count, or count again, and prints what counts now."""

    async def work(conn: Connection, who: Author) -> list[outbox.Pending]:
        return await exclude_source(conn, who, asset_id, field, source, excluded=excluded)

    try:
        pending = await change(session, work)
    except NothingToDecide as error:
        raise NotFound(str(error), f"see what each source says with: lifecycle assets show {asset_id}") from error
    if not await publish(session, pending):
        out.message(SWEPT)
    date = (await read_asset(session, asset_id))["dates"][field]
    if out.json_wanted:
        out.document({"asset_id": asset_id, "field": field, "source": source, "excluded": excluded, **date})
    counts = "does not count any more" if excluded else "counts again"
    out.message(f"{source} {counts}; {_now(field, date)}")


async def list_conflicts(
    session: Session, asset_id: UUID | None = None, field: str | None = None, integration_id: UUID | None = None
) -> list[Document]:
    """The open conflicts, newest first."""
    rows = await session.connection.fetch(
        sql(PACKAGE, "conflicts"), session.account_id, asset_id, field, integration_id
    )
    return [dict(row) for row in rows]


def conflict_row(conflict: Document) -> tuple[Any, ...]:
    """The row of the list."""
    return (
        conflict["asset"],
        conflict["serial_number"],
        LABELS[conflict["field"]],
        conflict["ours"],
        conflict["theirs"] or "empty",
        conflict["integration"],
        words.ago(conflict["found_at"]),
        conflict["asset_id"],
    )


async def settle(
    session: Session, out: Output, asset: str, field: DateField, take: Take, integration: str | None
) -> None:
    """Takes one side of the open conflicts of a date, and prints what counts now, and what is not written for it."""
    asset_id = await find_asset(session, asset)
    found = await list_conflicts(session, asset_id, field, await find_optional(session, integration))
    if not found:
        raise NotFound(f"there is no open conflict about the {field} of {asset!r}", "see: lifecycle assets conflicts")
    if take == "theirs" and len({one["theirs"] for one in found}) > 1:
        names = ", ".join(f"{one['integration']} says {one['theirs'] or 'nothing'}" for one in found)
        raise WrongUsage(f"the other sides differ: {names}", "choose one with --integration")

    # Where nobody wants anything written, our date still counts here, and the conflict is over.
    unwritten = [one for one in found if take == "ours" and not one["two_way"]]

    async def work(conn: Connection, who: Author) -> list[outbox.Pending]:
        pending: list[outbox.Pending] = []
        for one in found:
            pending += await settle_conflict(conn, who, one["conflict_id"], _SIDES[take])
        return pending

    try:
        pending = await change(session, work)
    except NothingToDecide as error:
        raise Refused(str(error), error.next_action) from error
    if not await publish(session, pending):
        out.message(SWEPT)
    date = (await read_asset(session, asset_id))["dates"][field]
    if out.json_wanted:
        settled = [one["conflict_id"] for one in found]
        kept = [one["integration_id"] for one in unwritten]
        out.document(
            {"asset_id": asset_id, "field": field, "take": take, "settled": settled, "two_way_off": kept, **date}
        )
    out.message(f"settled for {take}; {_now(field, date)}")
    _say_unwritten(out, unwritten)


def _say_unwritten(out: Output, conflicts: list[Document]) -> None:
    """Which RMMs keep their date, for nothing is written there, and how to change that."""
    for one in conflicts:
        name = one["integration"] or str(one["integration_id"])
        warn(out, f"two-way is off for {one['field']} of {name}: the RMM keeps {one['theirs'] or 'its empty field'}")
        switch = f"lifecycle integrations two-way {shlex.quote(name)} --field {one['field']} --on --write-history"
        out.message(f"to write what counts here: {switch}, which first shows all that it would write")


def _now(field: DateField, date: Document) -> str:
    if date["value"] is None:
        return f"{LABELS[field]}: {date['why']}"
    return f"{LABELS[field]} is {date['value']} now, by {date['origin']}: {date['why']}"
