"""The outbox: an event and the change that it tells of commit together.

Whoever wrote the row publishes it right after the commit; the scheduler sweeps what a crash left behind. A crash
between publish and delete makes a duplicate, which every handler takes twice without harm.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog

from shared.errors import BrokerUnavailable, Permanent
from shared.events.envelope import Event
from shared.postgres import Connection, Pool, connection, transaction

if TYPE_CHECKING:
    # The broker's library takes half a second to import, and whoever only stores events needs none of it.
    from shared.bus import Bus

log: structlog.stdlib.BoundLogger = structlog.get_logger("outbox")

SWEEP_BATCH: Final = 200

_ADD: Final = "insert into outbox (routing_key, body, correlation_id) values ($1, $2, $3) returning id"
_ADD_ALL: Final = """
    insert into outbox (routing_key, body, correlation_id)
    select * from unnest($1::text[], $2::text[], $3::text[])
    returning id, routing_key, body, correlation_id
"""
_TAKE: Final = """
    select id, routing_key, body, correlation_id from outbox
    where created_at < now() - $1 * interval '1 second'
    order by id limit $2 for update skip locked
"""


@dataclass(frozen=True)
class Pending:
    """An event that is stored and not yet published."""

    id: int
    routing_key: str
    body: str
    correlation_id: str


async def add(conn: Connection, event: Event[Any]) -> Pending:
    """Store `event` in the caller's transaction; hand the result to `Outbox.publish` after the commit."""
    body = event.model_dump_json()
    row_id: int = await conn.fetchval(_ADD, event.type, body, event.correlation_id)
    return Pending(row_id, event.type, body, event.correlation_id)


async def add_all(conn: Connection, events: Sequence[Event[Any]]) -> list[Pending]:
    """Like `add`, for many at once."""
    bodies = [event.model_dump_json() for event in events]
    rows = await conn.fetch(
        _ADD_ALL, [event.type for event in events], bodies, [event.correlation_id for event in events]
    )
    return [Pending(row["id"], row["routing_key"], row["body"], row["correlation_id"]) for row in rows]


async def delete_all(conn: Connection, ids: Sequence[int]) -> None:
    """Forget rows that are published."""
    await conn.execute("delete from outbox where id = any($1)", ids)


class Outbox:
    """Publishes what was stored."""

    def __init__(self, pool: Pool, bus: "Bus") -> None:
        self._pool = pool
        self._bus = bus

    async def publish(self, *pending: Pending) -> None:
        """Publish and delete. A broker that is away is no error here: the scheduler's sweep publishes later."""
        sent: list[int] = []
        try:
            for event in pending:
                await self._bus.publish_body(event.routing_key, event.body.encode(), event.correlation_id)
                sent.append(event.id)
        except BrokerUnavailable:
            pass
        if sent:
            async with connection(self._pool) as conn:
                await delete_all(conn, sent)

    async def publish_many(self, pending: Sequence[Pending]) -> list[int]:
        """Publish all at once and in no order; returns the rows to be deleted, by the caller and in bulk.

        What is not in the result stays for the scheduler's sweep.
        """
        sent = await asyncio.gather(*map(self._publish_one, pending))
        return [event.id for event, done in zip(pending, sent, strict=True) if done]

    async def sweep(self, *, older_than_seconds: float = 5.0) -> int:
        """Publish what was left behind; returns how many. Any number of sweepers share the work."""
        async with transaction(self._pool) as conn:
            rows = await conn.fetch(_TAKE, older_than_seconds, SWEEP_BATCH)
            sent = [row["id"] for row in rows if await self._sweep_one(row)]
            await delete_all(conn, sent)
        return len(sent)

    async def _publish_one(self, event: Pending) -> bool:
        try:
            await self._bus.publish_body(event.routing_key, event.body.encode(), event.correlation_id)
        except BrokerUnavailable:
            return False
        return True

    async def _sweep_one(self, row: asyncpg.Record) -> bool:
        try:
            await self._bus.publish_body(row["routing_key"], row["body"].encode(), row["correlation_id"])
        except Permanent as error:
            # It stays, and its age shows; the others must not wait behind it.
            log.error("can't be published", action="sweep", id=row["id"], code=error.code, reason=str(error))  # noqa: TRY400
            return False
        return True
