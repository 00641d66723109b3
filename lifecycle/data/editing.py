"""`assets edit` and `clear`: an edit goes out as the event that anybody else publishes, and is looked up after it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID, uuid4

from lifecycle.data import words
from lifecycle.data.edits import LABELS, Chosen, Document, list_edits
from lifecycle.data.publishing import SOURCE, SWEPT, author, change, publish
from lifecycle.data.saying import complain, warn
from lifecycle.data.waiting import Waiting, wait_until
from lifecycle.exits import ExitCode, WrongUsage
from lifecycle.output import Output
from lifecycle.session import Session
from shared import outbox
from shared.audit import Author
from shared.date_ledger.edits import edit_id
from shared.dates.calendar import DateField, read_date
from shared.events.dates import AssetById, DateEdited
from shared.events.envelope import Event, new_event
from shared.postgres import Connection

OPEN: Final = frozenset({"waiting", "writing"})
"""Where an edit stands while it is on its way into an RMM."""
_MOMENT_SECONDS: Final = 2.0
"""Without --wait: how long the ledger gets to take the edit in, so that its status can be told."""

_ENDS: Final[dict[str, str]] = {
    "written": "written to the RMM and read back there",
    "unchanged": "it was so already, nothing was to be done",
    "recorded": "recorded here; nothing is to be written to an RMM now (two-way is off there, another date counts, or"
    " no device of it is there any more: one that comes back is given it)",
    "superseded": "a later edit took its place",
}


@dataclass(frozen=True)
class Wish:
    """What a person wants of one date of an asset; a value of None takes their date back."""

    asset_id: UUID
    field: DateField
    value: date | None
    if_version: int | None = None


def read_value(text: str) -> date:
    """A date from the command line; raises `WrongUsage`."""
    try:
        return read_date(text.strip())
    except ValueError as error:
        raise WrongUsage(f"--value {text!r} is {error}", "give it as YYYY-MM-DD, such as 2027-03-01") from None


async def send(session: Session, out: Output, wish: Wish, waiting: Waiting | None) -> ExitCode:
    """Sends one edit and prints it as the ledger has it; with `waiting` as it stands in the end."""
    event = _event(wish, author(session), datetime.now(UTC))

    async def work(conn: Connection, _: Author) -> outbox.Pending:
        return await outbox.add(conn, event)

    if not await publish(session, [await change(session, work)]):
        out.message(SWEPT)
    edit = await _follow(session, out, event, waiting)
    found = edit or _unrecorded(event)
    if out.json_wanted:
        out.document(found)
    return _tell(out, found, waiting)


def _event(wish: Wish, who: Author, now: datetime) -> Event[DateEdited]:
    data = DateEdited(
        account_id=who.account_id,
        asset=AssetById(id=wish.asset_id),
        field=wish.field,
        value=wish.value,
        origin="manual",
        actor=who.actor,
        edited_at=now,
        if_version=wish.if_version,
    )
    return new_event(
        data, source=SOURCE, account_id=who.account_id, subject=f"assets/{wish.asset_id}", event_id=uuid4()
    )


async def _follow(session: Session, out: Output, event: Event[DateEdited], waiting: Waiting | None) -> Document | None:
    """The ledger's row, once it is there and, with `waiting`, on its way no more; as it stands when time is up."""
    last: list[Document] = []

    async def ask(conn: Connection) -> Document | None:
        last[:] = await list_edits(conn, session.account_id, Chosen(event=str(edit_id(event.source, event.id))))
        if not last or (waiting is not None and last[0]["status"] in OPEN):
            return None
        return last[0]

    await wait_until(session, out, ask, waiting or Waiting(_MOMENT_SECONDS), "the edit is on its way")
    return last[0] if last else None


def _unrecorded(event: Event[DateEdited]) -> Document:
    """The edit where the ledger does not have it yet: the same members, as far as they are known."""
    data = event.data
    asset = data.asset.model_dump(mode="json")
    unknown = ("asset", "received_at", "superseded_by", "before", "written", "written_at", "changed_at")
    return {
        "edit_id": edit_id(event.source, event.id),
        "event_id": event.id,
        "event_source": event.source,
        "asset_id": asset["id"],
        "asked": asset,
        "field": data.field,
        "value": data.value,
        "origin": data.origin,
        "actor": data.actor,
        "edited_at": data.edited_at,
        "if_version": data.if_version,
        "status": "queued",
        "reason_code": None,
        "reason": "write-back has not recorded it yet",
        "next_action": "see that write-back runs, with: lifecycle status",
        "attempts": 0,
        **dict.fromkeys(unknown),
    }


def _tell(out: Output, edit: Document, waiting: Waiting | None) -> ExitCode:
    """The outcome in a sentence and a code."""
    what = f"{LABELS[edit['field']]} {edit['value'] or 'cleared'}, {edit['asset'] or edit['asset_id']}"
    status: str = edit["status"]
    look = f"see it with: lifecycle assets edits --event {edit['event_id']}"
    if status in {"refused", "failed"}:
        complain(out, f"{what}: {status}, {edit['reason']}", edit["next_action"])
        return ExitCode.REFUSED if status == "refused" else ExitCode.FAILED
    if status == "held":
        warn(out, f"{what}: kept here, and not in the RMM yet: {edit['reason'] or 'the integration takes nothing now'}")
        out.message(edit["next_action"] or "it is written by itself as soon as the integration works again")
        return ExitCode.PARTIAL if waiting else ExitCode.DONE
    if status in OPEN or status == "queued":
        out.message(f"{what}: {status}; {look}")
        if status == "queued":
            out.message(edit["next_action"])
        return ExitCode.WAIT_RAN_OUT if waiting else ExitCode.DONE
    out.message(f"{what}: {_ENDS[status]}")
    return ExitCode.DONE


async def wish_to_clear(session: Session, asset_id: UUID, field: DateField) -> str:
    """What is to be said before a date is cleared: which one is taken back."""
    row = await session.connection.fetchrow(
        "select value from date_observations where asset_id = $1 and field = $2 and source = 'manual'", asset_id, field
    )
    if row is None or row["value"] is None:
        return "nobody set this date by hand; there is nothing to clear"
    return f"takes back the manual date {words.day_in_words(row['value'], words.today())}"
