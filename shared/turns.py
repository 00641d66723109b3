"""Fair turns: a consumer takes more messages than it works on, and chooses among them whose turn it is.

A queue is first in, first out, and a consumer that only takes what it works on makes a small tenant's message wait
behind all of a large one's. Here it waits for one free place at most.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairTurns:
    """At most `at_once` turns are taken at a time. Next is who holds the fewest, then who was served longest ago."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._held: Counter[str] = Counter()
        # In the order in which their owners were last served: an owner that is served goes to the end.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """Wait for a turn of this owner, and hold it within the block."""
        if self._free:
            self._take(owner)
        else:
            await self._wait(owner)
        try:
            yield
        finally:
            self._give_back(owner)

    def _take(self, owner: str) -> None:
        self._free -= 1
        self._held[owner] += 1

    def _give_back(self, owner: str) -> None:
        self._free += 1
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        if self._waiting:
            self._serve(min(self._waiting, key=lambda waiting: self._held[waiting]))

    def _serve(self, owner: str) -> None:
        line = self._waiting.pop(owner)
        self._take(owner)
        line.popleft().set_result(None)
        if line:
            self._waiting[owner] = line

    async def _wait(self, owner: str) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                # The turn was given in the same moment in which it was no longer wanted.
                self._give_back(owner)
            else:
                self._leave(owner, mine)
            raise

    def _leave(self, owner: str, mine: asyncio.Future[None]) -> None:
        line = self._waiting[owner]
        line.remove(mine)
        if not line:
            del self._waiting[owner]
