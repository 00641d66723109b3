"""Doing together what is asked for at the same time: while one lot is done, the next one gathers. Pure asyncio."""

import asyncio
from collections import deque
from collections.abc import Collection, Coroutine, Sequence
from contextvars import Context
from typing import Any, Final, Generic, Protocol, TypeVar

from shared.errors import StoreUnavailable

T = TypeVar("T")
One_contra = TypeVar("One_contra", contravariant=True)

LOTS_AT_ONCE: Final = 2
"""A second lot is begun beside the first only where it is full: small ones would cost more than they gain."""

ALONE_AT_ONCE: Final = 4


class Work(Protocol[One_contra]):
    """Does a lot, all or nothing, and returns what of it could not be done without waiting for somebody else.

    `alone` is one of those, which others no longer wait behind: it waits as long as it takes.
    """

    async def __call__(self, lot: Sequence[One_contra], *, alone: bool) -> Collection[Any]:
        """Do it."""
        ...


class Together(Generic[T]):
    """Does lots of at most `most`. Nothing waits for others to come: what is asked for alone is done at once.

    What could not be done without waiting is done again by itself, beside the lots that follow: also the only one of
    its lot, or all that come later would wait with it. So is each of a lot that failed, for one of them may be at
    fault; only where the store is away all have the same answer.
    """

    def __init__(self, work: Work[T], *, most: int) -> None:
        self._work = work
        self._most = most
        self._line: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._lots = 0
        self._alone = asyncio.Semaphore(ALONE_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def do(self, one: T) -> None:
        """Return when it is done. Raises what doing it raised."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((one, done))
        if self._lots < LOTS_AT_ONCE and (not self._lots or len(self._line) >= self._most):
            self._lots += 1
            self._start(self._lots_of_the_line())
        await done

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        # In a context of its own: it speaks for many, and not for the one that happened to come first.
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _lots_of_the_line(self) -> None:
        try:
            while self._line and (self._lots == 1 or len(self._line) >= self._most):
                lot = [self._line.popleft() for _ in range(min(self._most, len(self._line)))]
                # Of one that nobody waits for any more the message comes back.
                await self._do([each for each in lot if not each[1].done()])
        finally:
            self._lots -= 1

    async def _do(self, lot: list[tuple[T, asyncio.Future[None]]], *, alone: bool = False) -> None:
        if not lot:
            return
        try:
            left = await self._work([one for one, _ in lot], alone=alone)
        except StoreUnavailable as error:
            for _, done in lot:
                _fail(done, error)
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
            if len(lot) == 1:
                _fail(lot[0][1], error)
                return
            self._each_alone(lot)
        else:
            ids = {id(one) for one in left}
            self._each_alone([each for each in lot if id(each[0]) in ids])
            for one, done in lot:
                if id(one) not in ids and not done.done():
                    done.set_result(None)

    def _each_alone(self, some: list[tuple[T, asyncio.Future[None]]]) -> None:
        for each in some:
            self._start(self._do_alone(each))

    async def _do_alone(self, each: tuple[T, asyncio.Future[None]]) -> None:
        async with self._alone:
            await self._do([each], alone=True)


def _fail(done: "asyncio.Future[None]", error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
