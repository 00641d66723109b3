"""Sending many events: while the broker takes one batch the next is made, and each transaction does both its ends.

A batch commits to the outbox before its first event is published, and leaves it in the transaction of the next one.
Whoever is killed between leaves events that the scheduler publishes, some of them for the second time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from shared import outbox
from shared.events.envelope import Event
from shared.outbox import Outbox, Pending
from shared.postgres import Connection


class Sending:
    """One batch after the other over one connection; `events` is None where the broker does not answer."""

    def __init__(self, connection: Connection, events: Outbox | None) -> None:
        self._connection = connection
        self._events = events
        self._on_its_way: asyncio.Task[list[int]] | None = None

    async def send(self, batch: Sequence[Event[Any]]) -> None:
        """Store a batch and begin to publish it; returns when the batch before it is published."""
        await self.store(lambda conn: outbox.add_all(conn, batch))

    async def store(self, work: Callable[[Connection], Awaitable[Sequence[Pending]]]) -> None:
        """Like `send`, of what `work` puts into the outbox in the batch's transaction."""
        published = await self._arrived()
        async with self._connection.transaction():
            if published:
                await outbox.delete_all(self._connection, published)
            pending = await work(self._connection)
        if self._events and pending:
            self._on_its_way = asyncio.create_task(self._events.publish_many(pending))

    async def settle(self) -> None:
        """Return when all is published, and nothing of it is left in the outbox."""
        if published := await self._arrived():
            await outbox.delete_all(self._connection, published)

    async def _arrived(self) -> list[int]:
        task, self._on_its_way = self._on_its_way, None
        return await task if task else []
