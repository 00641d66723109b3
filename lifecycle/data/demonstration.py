"""The demo: the simulated RMM becomes an integration, its devices assets, and an edited date arrives in it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from lifecycle.data import assets, syncing, words
from lifecycle.data.adding import add_one
from lifecycle.data.asset_pages import COLUMNS, table_row
from lifecycle.data.naming import PACKAGE, find_integration
from lifecycle.data.publishing import SOURCE, change, publish
from lifecycle.data.runs import list_runs
from lifecycle.data.saying import complain
from lifecycle.data.switching import enable, replace
from lifecycle.data.waiting import Waiting, wait_until
from lifecycle.exits import ExitCode
from lifecycle.output import Output
from lifecycle.session import Session
from shared import outbox
from shared.audit import Author
from shared.date_ledger.edits import edit_id
from shared.date_ledger.switches import switch_two_way
from shared.dates.calendar import WARRANTY
from shared.events.dates import AssetById, DateEdited
from shared.events.envelope import new_event
from shared.postgres import Connection, sql

NAME: Final = "Demo"
_SHOWN: Final = 8
_SILENCE_SECONDS: Final = 4.0
_EDIT_SECONDS: Final = 60.0
_ENDED: Final = ("written", "unchanged", "refused", "failed", "superseded")

Say = Callable[[str], None]
Document = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """The key that the simulated RMM accepts."""

    client_id: str
    secret_file: Path


@asynccontextmanager
async def never_silent(out: Output, doing: str) -> AsyncGenerator[Say]:
    """A way to say what was done; after four seconds without a word, one comes by itself."""
    said_at = began = time.monotonic()

    with out.progress(doing) as progress:

        def say(text: str) -> None:
            nonlocal said_at
            said_at = time.monotonic()
            progress.done(text)

        async def sign_of_life() -> None:
            while True:
                await asyncio.sleep(0.5)
                if time.monotonic() - said_at > _SILENCE_SECONDS:
                    say(f"{doing}, for {time.monotonic() - began:.0f} s now")

        # On a terminal something moves already.
        sign = None if out.errors.is_terminal else asyncio.create_task(sign_of_life())
        try:
            yield say
        finally:
            if sign is not None:
                sign.cancel()


async def sync_simulator(session: Session, out: Output, key: Key) -> tuple[ExitCode, Document]:
    """Adds the integration with its first sync, or syncs the one of an earlier demo; its last run."""
    query = "select id, status from integrations where name = $1 and account_id = $2 and status <> 'removed'"
    known = await session.connection.fetchrow(query, NAME, session.account_id)
    waiting = Waiting(None)
    if known is None:
        code = await add_one(
            session,
            out,
            name=NAME,
            region="na",
            client_id=key.client_id,
            secret_file=str(key.secret_file),
            sync=True,
            waiting=waiting,
            line_seconds=_SILENCE_SECONDS,
        )
    else:
        code = await _sync_again(session, out, key, known["status"], waiting)
    (run,) = await list_runs(
        session.connection, session.account_id, integration_id=(await find_integration(session, NAME)).id, limit=1
    )
    return code, run


async def _sync_again(session: Session, out: Output, key: Key, status: str, waiting: Waiting) -> ExitCode:
    found = await find_integration(session, NAME)
    if status == "disabled":
        await enable(session, out, found)
    elif status.startswith("paused"):
        secret_file = str(key.secret_file)
        await replace(session, out, found, client_id=key.client_id, secret_file=secret_file, waiting=Waiting(60))
    run, code = await syncing.sync(
        session, out, found, syncing.Wanted(), waiting=waiting, line_seconds=_SILENCE_SECONDS
    )
    syncing.say_end(out, run, code)
    return code


async def show_assets(session: Session, out: Output) -> None:
    """The first assets, as `assets list` shows them."""
    first = [asset async for asset in assets.read_assets(session, assets.Filter(limit=_SHOWN))]
    out.table(COLUMNS[:-1], [table_row(asset)[:-1] for asset in first])


async def edit_a_date(session: Session, out: Output) -> tuple[ExitCode, Document | None]:
    """Turns on writing of warranty dates, edits one, and waits until it stands in the RMM."""
    integration = await find_integration(session, NAME)
    row = await session.connection.fetchrow(sql(PACKAGE, "demo_asset"), session.account_id, integration.id)
    if row is None:
        return ExitCode.DONE, None
    value = words.today() + timedelta(days=3 * 365)
    if row["warranty_expiration_date"] == value:
        value += timedelta(days=1)
    edit = await _edit(session, integration.id, row["id"], value)
    out.message(f"edited: the warranty of {row['name']} ends {words.day_in_words(value, words.today())}")
    began = time.monotonic()
    status = await _await_edit(session, out, edit)
    document = {"edit_id": edit, "asset_id": row["id"], "field": WARRANTY, "value": value, "status": status}
    if status in {"written", "unchanged"}:
        out.message(f"written to the RMM and read there again, {words.duration(time.monotonic() - began)} later")
        return ExitCode.DONE, document
    complain(out, f"the edit is {status or 'not taken yet'}", f"see it with: lifecycle assets show {row['id']}")
    return ExitCode.PARTIAL, document


async def _edit(session: Session, integration_id: UUID, asset_id: UUID, value: date) -> UUID:
    async def work(conn: Connection, author: Author) -> tuple[UUID, list[outbox.Pending]]:
        pending = await switch_two_way(conn, author, integration_id, WARRANTY, enabled=True)
        event = new_event(
            DateEdited(
                account_id=session.account_id,
                asset=AssetById(id=asset_id),
                field=WARRANTY,
                value=value,
                origin="manual",
                actor=author.actor,
                edited_at=datetime.now(UTC),
            ),
            source=SOURCE,
            account_id=session.account_id,
            subject=f"assets/{asset_id}",
            event_id=uuid4(),
        )
        return edit_id(event.source, event.id), [*pending, await outbox.add(conn, event)]

    edit, pending = await change(session, work)
    await publish(session, pending)
    return edit


async def _await_edit(session: Session, out: Output, edit: UUID) -> str | None:
    async def ask(conn: Connection) -> str | None:
        status: str | None = await conn.fetchval("select status from date_edits where id = $1", edit)
        return status if status in _ENDED else None

    doing = "writing it to the RMM"
    quietly = Output(color=out.color, quiet=True)
    async with never_silent(out, doing):
        return await wait_until(session, quietly, ask, Waiting(_EDIT_SECONDS), doing)
