"""The demo's dates, both ways: edited here they arrive in the RMM, changed there they arrive here."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from lifecycle.data import syncing, words
from lifecycle.data.asset_pages import show_who_counts
from lifecycle.data.assets import read_asset
from lifecycle.data.demonstration import NAME, Document, never_silent
from lifecycle.data.editing import OPEN
from lifecycle.data.naming import PACKAGE, FoundIntegration, find_integration
from lifecycle.data.publishing import SOURCE, change, publish
from lifecycle.data.saying import complain
from lifecycle.data.simulated_rmm import SimulatedRmm
from lifecycle.data.waiting import Waiting, wait_until
from lifecycle.exits import ExitCode
from lifecycle.output import Output
from lifecycle.session import Session
from shared import outbox
from shared.audit import Author
from shared.date_ledger.edits import edit_id
from shared.date_ledger.switches import switch_two_way
from shared.dates.calendar import FIELDS, PURCHASE, WARRANTY
from shared.dates.sources import integration_source
from shared.events.dates import AssetById, DateEdited
from shared.events.envelope import Event, new_event
from shared.postgres import Connection, sql

_EDIT_SECONDS: Final = 60.0
_ARRIVAL_SECONDS: Final = 90.0
_YEARS: Final = timedelta(days=3 * 365)
_EARLIER: Final = timedelta(days=30)
_DAY: Final = timedelta(days=1)
_LOOKUP: Final = "maker"


@dataclass(frozen=True)
class Computer:
    """A device of the demo's integration, and the asset that it is."""

    id: UUID
    name: str
    purchase_date: date | None
    warranty_expiration_date: date | None
    device_id: str


async def both_ways(session: Session, out: Output, rmm: SimulatedRmm) -> tuple[ExitCode, Document]:
    """Turns two-way on, writes a date to the RMM, and takes in one that a person changes there."""
    integration = await find_integration(session, NAME)
    rows = await session.connection.fetch(sql(PACKAGE, "demo_assets"), session.account_id, integration.id)
    if not rows:
        return ExitCode.DONE, {"edit": None, "change": None}
    computers = [Computer(**row) for row in rows]
    edited, changed = computers[0], computers[-1]
    await _turn_on(session, integration)
    out.message(f"\ntwo-way is on for both dates of {integration.name}: what is edited here is written there")
    code, edit = await _there(session, out, rmm, edited, changed)
    if code is not ExitCode.DONE:
        return code, {"edit": edit, "change": None}
    code, change_there = await _back(session, out, rmm, integration, changed)
    return code, {"edit": edit, "change": change_there}


async def _turn_on(session: Session, integration: FoundIntegration) -> None:
    async def work(conn: Connection, author: Author) -> list[outbox.Pending]:
        pending: list[outbox.Pending] = []
        for field in FIELDS:
            pending += await switch_two_way(conn, author, integration.id, field, enabled=True)
        return pending

    await publish(session, await change(session, work))


async def _there(
    session: Session, out: Output, rmm: SimulatedRmm, edited: Computer, looked_up: Computer
) -> tuple[ExitCode, Document]:
    """A person edits a warranty date, a lookup finds a purchase date: both go into the RMM."""
    today = words.today()
    ends, bought = today + _YEARS, today - _YEARS
    if edited.warranty_expiration_date == ends:
        ends += _DAY

    async def work(conn: Connection, author: Author) -> tuple[list[UUID], list[outbox.Pending]]:
        data = DateEdited(
            account_id=session.account_id,
            asset=AssetById(id=edited.id),
            field=WARRANTY,
            value=ends,
            origin="manual",
            actor=author.actor,
            edited_at=datetime.now(UTC),
        )
        found = data.model_copy(
            update={
                "asset": AssetById(id=looked_up.id),
                "field": PURCHASE,
                "value": bought,
                "origin": "lookup",
                "lookup": _LOOKUP,
            }
        )
        events = [_event(session, data), _event(session, found)]
        return [edit_id(each.source, each.id) for each in events], [await outbox.add(conn, each) for each in events]

    edits, pending = await change(session, work)
    began = time.monotonic()
    await publish(session, pending)
    out.message(f"edited here: the warranty of {edited.name} ends {words.day_in_words(ends, today)}")
    out.message(f"looked up: {looked_up.name} was bought {words.day_in_words(bought, today)}, says its maker")
    statuses = await _await_edits(session, out, edits)
    document = {"edit_id": edits[0], "asset_id": edited.id, "field": WARRANTY, "value": ends, "status": statuses[0]}
    stands = (await rmm.dates(edited.device_id))[WARRANTY]
    if statuses[0] not in {"written", "unchanged"} or stands != ends.isoformat():
        why = f"the edit is {statuses[0] or 'not taken yet'}, and the RMM has {stands or 'no date'}"
        complain(out, why, f"see it with: lifecycle assets show {edited.id}")
        return ExitCode.PARTIAL, document
    # Unchanged where a second demo finds an earlier date in the RMM, which counts.
    if statuses[1] not in {"written", "unchanged"}:
        why = f"what was looked up is {statuses[1] or 'not taken yet'}"
        complain(out, why, f"see it with: lifecycle assets edits {looked_up.id}")
        return ExitCode.PARTIAL, document
    out.message(
        f"written, and read there again, {words.duration(time.monotonic() - began)} later; the RMM's own record:"
    )
    for computer in (edited, looked_up):
        if written := await rmm.last_write(computer.device_id):
            before, after = written["before"] or "empty", written["after"] or "empty"
            out.message(f"  {computer.name}, {written['field']}: {before} -> {after}, by {written['via']}")
    return ExitCode.DONE, document


def _event(session: Session, data: DateEdited) -> Event[DateEdited]:
    assert isinstance(data.asset, AssetById)
    return new_event(
        data, source=SOURCE, account_id=session.account_id, subject=f"assets/{data.asset.id}", event_id=uuid4()
    )


async def _await_edits(session: Session, out: Output, edits: list[UUID]) -> list[str | None]:
    """What became of each edit, None where the ledger has it not yet when the time is up."""

    async def read(conn: Connection) -> list[str | None]:
        rows = await conn.fetch("select id, status from date_edits where id = any($1)", edits)
        found = {row["id"]: row["status"] for row in rows}
        return [found.get(each) for each in edits]

    async def ask(conn: Connection) -> list[str | None] | None:
        statuses = await read(conn)
        return None if any(status is None or status in OPEN for status in statuses) else statuses

    return await _quietly(session, out, ask, _EDIT_SECONDS, "writing them to the RMM") or await read(session.connection)


async def _back(
    session: Session, out: Output, rmm: SimulatedRmm, integration: FoundIntegration, computer: Computer
) -> tuple[ExitCode, Document]:
    """A person in the RMM changes a purchase date, and the device is read again."""
    before: str | None = (await rmm.dates(computer.device_id))[PURCHASE]
    value = words.today() - _YEARS - _EARLIER
    if before == value.isoformat():
        value -= _DAY
    await rmm.set_date(computer.device_id, PURCHASE, value)
    began = time.monotonic()
    out.message(f"\nin the RMM a person changes when {computer.name} was bought: {before or 'empty'} -> {value}")
    out.message("the slow sweep comes by within a day; whoever does not want to wait asks:")
    out.message(f"  lifecycle integrations sync {integration.shell_name} --device {computer.device_id}")
    arrived = await _read_again(session, out, integration, computer, value)
    document = {"asset_id": computer.id, "field": PURCHASE, "value": value, "arrived": arrived}
    if not arrived:
        look = f"lifecycle integrations show {integration.shell_name}"
        complain(out, f"it did not arrive here within {words.duration(_ARRIVAL_SECONDS)}", f"look with: {look}")
        return ExitCode.PARTIAL, document
    out.message(
        f"it arrived here, {words.duration(time.monotonic() - began)} later; what counts for {computer.name}:\n"
    )
    asset = await read_asset(session, computer.id)
    show_who_counts(out, asset)
    return ExitCode.DONE, {**document, "dates": asset["dates"]}


async def _read_again(
    session: Session, out: Output, integration: FoundIntegration, computer: Computer, value: date
) -> bool:
    quietly = Output(color=out.color, quiet=True)
    wanted = syncing.Wanted("device", computer.device_id)
    said = (computer.id, PURCHASE, integration_source(integration.id), value)

    async def ask(conn: Connection) -> bool | None:
        query = "select true from date_observations where asset_id = $1 and field = $2 and source = $3 and value = $4"
        found: bool | None = await conn.fetchval(query, *said)
        return found

    # A sync that is going reads less than what is asked for; then this one comes after it.
    async with never_silent(out, "waiting for the sync of the device"):
        await syncing.sync(session, quietly, integration, wanted, waiting=Waiting(_ARRIVAL_SECONDS))
    return bool(await _quietly(session, out, ask, _ARRIVAL_SECONDS, "reading the dates of the device"))


async def _quietly(session: Session, out: Output, ask: Any, seconds: float, doing: str) -> Any:
    quietly = Output(color=out.color, quiet=True)
    async with never_silent(out, doing):
        return await wait_until(session, quietly, ask, Waiting(seconds), doing)
