"""An import sends no faster than its edits are recorded.

Else whoever edits one date meanwhile would wait behind a million of them.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from shared.postgres import Connection

UNDER_WAY: Final = 3_000
"""Edits that may be sent and not yet recorded: a second or two of work, and more than write-back takes at once."""

STALL_SECONDS: Final = 30.0
"""When nothing at all was recorded for so long, nobody is taking edits in."""

_POLL_SECONDS: Final = 0.2
_LEFT: Final = """
    select sent.id from unnest($1::uuid[]) as sent (id)
    where not exists (select from date_edits e where e.id = sent.id)
"""


class Pace:
    """Says when there is room for more. Edits that end as parked messages count until the stall is noticed."""

    def __init__(
        self,
        connection: Connection,
        stalled: Callable[[], None],
        *,
        under_way: int = UNDER_WAY,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._connection = connection
        self._stalled = stalled
        self._most = under_way
        self._stall_seconds = stall_seconds
        self._under_way: set[UUID] = set()
        self._keeps = True

    def sent(self, ids: Iterable[UUID]) -> None:
        """Note edits that were sent, by the ledger's ids."""
        if self._keeps:
            self._under_way.update(ids)

    @property
    def is_full(self) -> bool:
        """Whether `room` would look, and wait."""
        return self._keeps and len(self._under_way) >= self._most

    async def room(self) -> None:
        """Return when few enough are under way. Where nothing is recorded any more, say so and never wait again."""
        moved_at = time.monotonic()
        while self.is_full:
            rows = await self._connection.fetch(_LEFT, list(self._under_way))
            left = {row["id"] for row in rows}
            if len(left) < len(self._under_way):
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at >= self._stall_seconds:
                self._keeps = False
                self._stalled()
            self._under_way = left
            if len(left) >= self._most:
                await asyncio.sleep(_POLL_SECONDS)
