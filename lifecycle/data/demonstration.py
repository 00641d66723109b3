"""The demo: the simulated RMM becomes an integration, and its devices assets."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lifecycle.data import assets, syncing
from lifecycle.data.adding import add_one
from lifecycle.data.asset_pages import COLUMNS, table_row
from lifecycle.data.naming import find_integration
from lifecycle.data.runs import list_runs
from lifecycle.data.switching import enable, replace
from lifecycle.data.waiting import Waiting
from lifecycle.exits import ExitCode
from lifecycle.output import Output
from lifecycle.session import Session

NAME: Final = "Demo"
_SHOWN: Final = 8
_SILENCE_SECONDS: Final = 4.0

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
