"""Waiting for work that others do: the tables are polled, progress goes to standard error."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import asyncpg

from lifecycle.data.runs import OPEN, Document, read_run
from lifecycle.exits import Unreachable
from lifecycle.output import Output
from lifecycle.session import Session
from shared.postgres import Connection

POLL_SECONDS: Final = 0.2
LINE_SECONDS: Final = 10.0
# A database that restarts is back within seconds; the run goes on behind it.
_DATABASE_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 15.0
_AWAY: Final = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError, OSError)
_AWAY_TOO: Final = (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, TimeoutError)

T = TypeVar("T")


class Display(Protocol):
    """Shows how far a run is."""

    def show(self, run: Document) -> None:
        """Show the run as it stands now; called several times a second."""


@dataclass
class Reader:
    """Reads again and again over one connection, and opens a new one where the database went away."""

    session: Session
    out: Output
    _own: Any = field(default=None, init=False)

    async def read(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """What `ask` reads; raises `Unreachable` where the database stays away for a minute."""
        deadline = time.monotonic() + _DATABASE_SECONDS
        said = False
        while True:
            try:
                return await ask(await self._connection())
            except (*_AWAY, *_AWAY_TOO) as error:
                await self.close()
                if time.monotonic() > deadline:
                    raise Unreachable(
                        "the database does not answer any more",
                        "the sync goes on where it does; see: lifecycle runs list",
                    ) from error
                if not said:
                    self.out.message("the database does not answer; still waiting")
                    said = True
                await asyncio.sleep(1)

    async def close(self) -> None:
        """Close what was opened here."""
        if self._own is not None:
            self._own.terminate()
            self._own = None

    async def _connection(self) -> Connection:
        if not self.session.connection.is_closed():
            return self.session.connection
        if self._own is None or self._own.is_closed():
            url = self.session.addresses.database_url.get_secret_value()
            self._own = await asyncpg.connect(url, timeout=5)
        found: Connection = self._own
        return found


@dataclass
class Waiting:
    """One wait, with its end: `seconds` None waits for as long as it takes."""

    seconds: float | None
    started: float = field(default_factory=time.monotonic)

    def over(self) -> bool:
        """Whether the time is up."""
        return self.seconds is not None and time.monotonic() - self.started >= self.seconds


async def wait_for_run(
    session: Session, out: Output, run_id: UUID, *, waiting: Waiting, line_seconds: float = LINE_SECONDS
) -> Document:
    """The run when it has ended, or as it stands when the time is up. Ctrl-C leaves it going and says so."""
    reader = Reader(session, out)
    hint = _IdleHint(out)
    try:
        async with _display(out, line_seconds) as display:
            while True:
                run = await reader.read(lambda conn: read_run(conn, session.account_id, run_id))
                display.show(run)
                if run["status"] not in OPEN or waiting.over():
                    return run
                hint.look(run)
                await asyncio.sleep(POLL_SECONDS)
    except asyncio.CancelledError:
        out.message(f"the sync goes on; see it with: lifecycle runs show {run_id}")
        raise
    finally:
        await reader.close()


async def wait_until(
    session: Session, out: Output, ask: Callable[[Connection], Awaitable[T | None]], waiting: Waiting, text: str
) -> T | None:
    """What `ask` finds as soon as it finds something; None when the time is up."""
    reader = Reader(session, out)
    try:
        with out.progress(text):
            while True:
                found = await reader.read(ask)
                if found is not None or waiting.over():
                    return found
                await asyncio.sleep(POLL_SECONDS)
    finally:
        await reader.close()


@dataclass
class _IdleHint:
    """Says once that a run which nobody begins may have nobody to begin it."""

    out: Output
    started: float = field(default_factory=time.monotonic)
    said: bool = False

    def look(self, run: Document) -> None:
        if not self.said and run["status"] == "queued" and time.monotonic() - self.started > _IDLE_SECONDS:
            self.said = True
            self.out.message("the run is still queued: is a fetcher running? look with: lifecycle status")


@asynccontextmanager
async def _display(out: Output, line_seconds: float) -> AsyncGenerator[Display]:
    from lifecycle.data.progress import Bar, Lines, Nothing  # noqa: PLC0415 - rich takes a while to import

    if out.quiet:
        yield Nothing()
    elif out.errors.is_terminal:
        with Bar(out.errors) as bar:
            yield bar
    else:
        yield Lines(out, line_seconds)
