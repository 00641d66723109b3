"""Backpressure, counted in Postgres: no request is spent on a page that nobody can take."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.errors import StoreUnavailable, Transient
from shared.observability import metrics
from shared.postgres import Pool, connection, sql

CHANNEL: Final = "lifecycle_chunk_written"
# A notification can be lost with its connection, and a page that came to nothing leaves its place unsaid; the count is
# the truth.
LOOK_AGAIN_SECONDS: Final = 0.5
WAIT_SECONDS: Final = 10.0
LISTEN_AGAIN_SECONDS: Final = 1.0
# One is being written while the next is being normalized: with fewer an integration would stand still in between.
LEAST_SHARE: Final = 2


@dataclass(frozen=True)
class Waiting:
    """Parts of pages that wait for the writer, of one integration and of all; and how many integrations sync."""

    own: int
    total: int
    syncing: int


class WriterBehind(Transient):
    """As many parts of pages wait for the writer as may; the page waits on the delay ladder."""

    code = "writer_behind"
    next_action = "nothing; if it lasts, look at the writer and scale it"
    counts_as_attempt = False
    bounded_by_age = False


class Room:
    """Waits until the writer has caught up below the marks.

    What one integration may have waiting is shared by those that sync: what waits stands before the next tenant's.
    A page that is being read counts as well, or all lists of an integration would set out for the one place that the
    writer has just made, and the work would come in bursts that every other tenant meets.
    """

    def __init__(self, pool: Pool, *, own: int, total: int, wait_seconds: float = WAIT_SECONDS) -> None:
        self._pool = pool
        self._own = own
        self._total = total
        self._wait_seconds = wait_seconds
        self._news = asyncio.Event()
        self._reading: Counter[UUID] = Counter()

    async def listen(self) -> None:
        """Hear of written chunks on a connection of its own, and on another one when that is lost. Never ends."""
        while True:
            with contextlib.suppress(StoreUnavailable):
                async with connection(self._pool) as conn:
                    lost = asyncio.Event()
                    conn.add_termination_listener(lambda _conn, lost=lost: lost.set())
                    await conn.add_listener(CHANNEL, self._heard)
                    try:
                        await lost.wait()
                    finally:
                        # asyncpg warns of a connection that goes back to its pool with a listener.
                        await conn.remove_listener(CHANNEL, self._heard)
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)

    def _heard(self, *_: Any) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @contextlib.asynccontextmanager
    async def place(self, integration_id: UUID, waiting: Waiting) -> AsyncGenerator[None]:
        """Wait for room for a page of the integration, of which `waiting` was just counted, and hold it in the block.

        Raises WriterBehind after `wait_seconds`.
        """
        await self._wait(integration_id, waiting)
        self._reading[integration_id] += 1
        try:
            yield
        finally:
            self._reading[integration_id] -= 1
            if not self._reading[integration_id]:
                del self._reading[integration_id]

    async def _wait(self, integration_id: UUID, waiting: Waiting) -> None:
        started = time.monotonic()
        room = self._fits(integration_id, waiting)
        while not room:
            if time.monotonic() - started > self._wait_seconds:
                raise WriterBehind(f"{self._own} parts of pages of integration {integration_id} wait for the writer")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    await self._news.wait()
            room = await self._is_room(integration_id)
        metrics.BACKPRESSURE_SECONDS.observe(time.monotonic() - started)

    async def _is_room(self, integration_id: UUID) -> bool:
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(sql("services.fetcher.sql", "room"), integration_id)
        assert row is not None
        return self._fits(integration_id, Waiting(row["own"], row["total"], row["syncing"]))

    def _fits(self, integration_id: UUID, waiting: Waiting) -> bool:
        # One page each may always wait: a small tenant never stands behind the pages of the large ones.
        share = max(min(LEAST_SHARE, self._own), self._own // max(waiting.syncing, 1))
        own = waiting.own + self._reading[integration_id]
        return own == 0 or (own < share and waiting.total < self._total)
