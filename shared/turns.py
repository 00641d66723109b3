"""Fair turns: a consumer takes more messages than it works on, and chooses among them whose turn it is.

A queue is first in, first out, and a consumer that only takes what it works on makes a small tenant's message wait
behind all of a large one's. Here it waits for one free place at most.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

LIGHT_BYTES: Final = 32 * 1024
"""A body up to this is light: a packed page of 100 devices has 12 kB as fetched and 21 kB normalized."""


class Lanes:
    """Fair turns in two lanes, `at_once` in each: a light message waits for other light ones only.

    A whole page is in hand for a tenth of a second on busy cores. A sync of a few devices meets that at each service,
    if it has to wait for a turn of the same line.
    """

    def __init__(self, at_once: int) -> None:
        self._heavy = FairTurns(at_once)
        self._light = FairTurns(at_once)

    def turn(self, owner: str, body_bytes: int) -> AbstractAsyncContextManager[None]:
        """Wait for a turn of this owner in the lane of its message, and hold it within the block."""
        return (self._light if body_bytes <= LIGHT_BYTES else self._heavy).turn(owner)


class FairTurns:
    """At most `at_once` turns are taken at a time. Next is who holds the fewest, then who was served longest ago."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        # When an owner was last served, by a count of all turns; only of those who hold a turn or wait.
        self._served: dict[str, int] = {}
        self._turns = 0

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncGenerator[None]:
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
        self._turns += 1
        self._held[owner] += 1
        self._served[owner] = self._turns

    def _give_back(self, owner: str) -> None:
        self._free += 1
        self._held[owner] -= 1
        if self._waiting:
            self._serve(min(self._waiting, key=lambda who: (self._held[who], self._served.get(who, 0))))
        self._forget(owner)

    def _serve(self, owner: str) -> None:
        self._take(owner)
        mine = self._waiting[owner][0]
        self._leave(owner, mine)
        mine.set_result(None)

    async def _wait(self, owner: str) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(mine)
        try:
            # Shielded, or a cancelled task's future would still stand in line, done, until the task runs.
            await asyncio.shield(mine)
        except asyncio.CancelledError:
            if mine.done():
                # The turn was given in the same moment in which it was no longer wanted.
                self._give_back(owner)
            else:
                self._leave(owner, mine)
                self._forget(owner)
            raise

    def _leave(self, owner: str, mine: asyncio.Future[None]) -> None:
        line = self._waiting[owner]
        line.remove(mine)
        if not line:
            del self._waiting[owner]

    def _forget(self, owner: str) -> None:
        if not self._held[owner]:
            del self._held[owner]
            if owner not in self._waiting:
                self._served.pop(owner, None)
