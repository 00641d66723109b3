"""Retrying and discarding parked messages. Looking never takes; a retry is a new message that names the old one."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import asyncpg

from lifecycle.data.parked import DROPPED_ON_RETRY, PARKED_ID, Document
from lifecycle.data.publishing import author, change, connected
from lifecycle.exits import Refused
from lifecycle.output import Output
from lifecycle.session import Session
from shared import audit, topology
from shared.audit import Author
from shared.bus import Bus
from shared.errors import BrokerUnavailable
from shared.headers import ATTEMPT, FIRST_FAILED_AT, NEXT_ACTION, REASON, REASON_CODE, TRACEBACK
from shared.postgres import Connection

_DROPPED_HEADERS: Final = frozenset({ATTEMPT, FIRST_FAILED_AT, NEXT_ACTION, REASON, REASON_CODE, TRACEBACK})
_BATCH: Final = 50
_TAKE: Final = """
    select id, queue, body, content_type, correlation_id, headers, event_type, reason_code from parked_messages
    where id = any($1) and status = 'parked' order by parked_at, id for update skip locked
"""
_RETRIED: Final = """
    update parked_messages
    set status = 'retried', times_retried = times_retried + 1, decided_at = now(), decided_by = $2
    where id = $1
"""
_DISCARD: Final = """
    update parked_messages set status = 'discarded', decided_at = now(), decided_by = $2, decision_note = $3
    where id = any($1) and status = 'parked' returning id, queue, reason_code
"""


@dataclass
class Redriven:
    """What became of a retry."""

    retried: list[UUID] = field(default_factory=list[UUID])
    failed: dict[UUID, str] = field(default_factory=dict[UUID, str])


async def retry(session: Session, ids: Sequence[UUID]) -> Redriven:
    """Publishes each kept body to its own queue again, confirmed, and then marks it.

    A crash in between leaves it parked although it was sent: sent twice it is harmless, as every message is.
    Raises `Unreachable` where the broker does not answer at all.
    """
    result = Redriven()
    async with connected(session) as (_, bus):
        for begin in range(0, len(ids), _BATCH):
            part = list(ids[begin : begin + _BATCH])
            async with session.connection.transaction():
                for row in await session.connection.fetch(_TAKE, part):
                    await _retry_one(session.connection, author(session), bus, row, result)
            if result.failed and not result.retried:
                break  # the broker takes nothing: the rest would fail the same way, 5 s each
    return result


async def discard(session: Session, ids: Sequence[UUID], reason: str) -> list[UUID]:
    """Marks them as discarded, with the reason; the rows stay. Returns those that were still parked."""

    async def work(conn: Connection, who: Author) -> list[UUID]:
        rows = await conn.fetch(_DISCARD, list(ids), who.actor, reason)
        for row in rows:
            after = {"status": "discarded", "queue": row["queue"], "reason_code": row["reason_code"], "note": reason}
            await audit.record(conn, who, "parked.discarded", "parked_message", row["id"], after=after)
        return [row["id"] for row in rows]

    return await change(session, work)


def retry_headers(headers: dict[str, Any], parked_id: UUID) -> dict[str, Any]:
    """The headers of a retry: tries and reasons begin anew, and it names the row that it came from."""
    kept = {name: value for name, value in headers.items() if name not in _DROPPED_HEADERS}
    return {**kept, PARKED_ID: str(parked_id)}


def preview(messages: Sequence[Document]) -> list[str]:
    """What a retry of these would be, in sentences."""
    queues: dict[str, int] = {}
    for one in messages:
        queues[one["queue"]] = queues.get(one["queue"], 0) + 1
    spread = ", ".join(f"{count:,} to {queue}" for queue, count in sorted(queues.items()))
    lines = [f"{len(messages):,} messages: {spread}"]
    before = sum(1 for one in messages if one["retried_from"] is not None)
    if before:
        lines.append(f"{before:,} of them were retried before and were parked again: look at the reason first")
    nothing = sum(1 for one in messages if one["event_type"] in DROPPED_ON_RETRY)
    if nothing:
        lines.append(f"nothing would come of {nothing:,} of them: their runs went on without them; sync again instead")
    return lines


def confirm_discard(out: Output, messages: Sequence[Document], *, yes: bool) -> None:
    """Asks on a terminal; raises `Refused` where nobody says yes."""
    if yes:
        return
    said = f"discard {len(messages):,} messages for good"
    if not sys.stdin.isatty() or out.json_wanted:
        raise Refused(f"not confirmed: {said}", "confirm it with --yes")
    import typer  # noqa: PLC0415 - only for a prompt

    if not typer.confirm(f"{said}?", default=False, err=True):
        raise Refused("not confirmed: nothing was discarded")


async def _retry_one(conn: Connection, who: Author, bus: Bus, row: asyncpg.Record, result: Redriven) -> None:
    if row["queue"] not in {queue.name for queue in topology.queues()}:
        result.failed[row["id"]] = f"this version has no queue {row['queue']}"
        return
    try:
        await bus.publish_raw(
            topology.WORK,
            topology.work_key(row["queue"]),
            row["body"],
            correlation_id=row["correlation_id"],
            content_type=row["content_type"],
            headers=retry_headers(row["headers"], row["id"]),
        )
    except BrokerUnavailable as error:
        result.failed[row["id"]] = str(error)
        return
    await conn.execute(_RETRIED, row["id"], who.actor)
    after = {"status": "retried", "queue": row["queue"], "reason_code": row["reason_code"]}
    await audit.record(conn, who, "parked.retried", "parked_message", row["id"], after=after)
    result.retried.append(row["id"])
