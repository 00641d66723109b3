"""Replays as they are kept: what was asked for, and how far each is."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from lifecycle.data.naming import SHORTEST_PREFIX
from lifecycle.data.publishing import author
from lifecycle.data.replay_choosing import Wanted
from lifecycle.exits import NotFound, Refused, WrongUsage
from lifecycle.session import Session
from shared import audit

_NEW: Final = """
    insert into replays (id, account_id, actor, journal, queue, wanted, messages_a_second)
    values ($1, $2, $3, $4, $5, $6::text::jsonb, $7)
"""
_KEPT: Final = "select * from replays where account_id = $1 and starts_with(id::text, $2)"
_GOES_ON: Final = "update replays set status = 'running', messages_a_second = $2, ended_at = null where id = $1"
_MOVE: Final = "update replays set next_offset = $2, read = $3, sent = $4, unreadable = $5 where id = $1"
_END: Final = """
    update replays set next_offset = $2, read = $3, sent = $4, unreadable = $5, status = $6, ended_at = now()
    where id = $1
"""
_HOLD: Final = "select pg_try_advisory_lock(hashtextextended('replay:' || $1, 0))"
_LET_GO: Final = "select pg_advisory_unlock(hashtextextended('replay:' || $1, 0))"


@dataclass
class Replay:
    """One replay. `next_offset` is where it goes on; None before it has read anything."""

    id: UUID
    journal: str
    queue: str
    wanted: Wanted
    rate: float
    status: str = "running"
    next_offset: int | None = None
    read: int = 0
    sent: int = 0
    unreadable: int = 0

    @property
    def begin(self) -> datetime | int:
        """Where in the journal it begins, or goes on."""
        return self.wanted.since if self.next_offset is None else self.next_offset

    def document(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "replay_id": self.id,
            "status": self.status,
            "into": self.queue,
            "journal": self.journal,
            **self.wanted.plain(),
            "rate": self.rate,
            "read": self.read,
            "sent": self.sent,
            "unreadable": self.unreadable,
        }


async def begin(session: Session, replay: Replay) -> None:
    """Keep a replay that begins, and say so in the audit log."""
    who = author(session)
    async with session.connection.transaction():
        await session.connection.execute(
            _NEW,
            replay.id,
            session.account_id,
            who.actor,
            replay.journal,
            replay.queue,
            json.dumps(replay.wanted.plain()),
            replay.rate,
        )
        after = {"queue": replay.queue, "journal": replay.journal, **replay.wanted.plain()}
        await audit.record(session.connection, who, "replay.started", "replay", replay.id, after=after)


async def find(session: Session, word: str, rate: float | None) -> Replay:
    """A replay that was stopped or broken off, by its id or the start of it.

    Raises `NotFound`, `WrongUsage` where several begin so, and `Refused` where it came to its end.
    """
    given = word.strip().lower()
    rows = await session.connection.fetch(_KEPT, session.account_id, given) if len(given) >= SHORTEST_PREFIX else []
    if not rows:
        raise NotFound(f"there is no replay {word!r}", "its id was said when it began; six characters of it will do")
    if len(rows) > 1:
        raise WrongUsage(f"{word!r} is the start of several ids", "give more of it")
    (row,) = rows
    if row["status"] == "done":
        raise Refused(f"replay {row['id']} came to its end: it sent {row['sent']:,}", "begin another one")
    return Replay(
        id=row["id"],
        journal=row["journal"],
        queue=row["queue"],
        wanted=Wanted.read(row["wanted"]),
        rate=rate or row["messages_a_second"],
        next_offset=row["next_offset"],
        read=row["read"],
        sent=row["sent"],
        unreadable=row["unreadable"],
    )


async def keep_place(session: Session, replay: Replay) -> None:
    """Keep how far it is: what was sent after this may be sent again."""
    await session.connection.execute(_MOVE, *_place(replay))


async def end(session: Session, replay: Replay, status: str) -> None:
    """Keep that it is over, or stands still, and where."""
    replay.status = status
    await session.connection.execute(_END, *_place(replay), status)


def _place(replay: Replay) -> tuple[Any, ...]:
    return replay.id, replay.next_offset, replay.read, replay.sent, replay.unreadable


@asynccontextmanager
async def held(session: Session, replay: Replay) -> AsyncGenerator[None]:
    """Only one goes on with a replay. Raises `Refused` where another one does; a killed one holds nothing."""
    if not await session.connection.fetchval(_HOLD, str(replay.id)):
        raise Refused(f"replay {replay.id} is going on elsewhere", "wait for it, or stop it first")
    try:
        await session.connection.execute(_GOES_ON, replay.id, replay.rate)
        yield
    finally:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # a lost connection holds nothing
            await session.connection.execute(_LET_GO, str(replay.id))
