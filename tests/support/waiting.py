"""Waiting for a condition: asked again and again until a deadline, never a pause of a guessed length."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.errors import BrokerUnavailable, StoreUnavailable

T = TypeVar("T")

# Machines that run tests are shared; a condition that holds is seen at once however long the deadline is.
PATIENCE_SECONDS = 90.0
_POLL_SECONDS = 0.05


async def until(what: str, ask: Callable[[], Awaitable[T]], *, within: float = PATIENCE_SECONDS) -> T:
    """Ask until the answer is true and return it; fails with `what` and the last answer at the deadline.

    A store or a broker that is away counts as no answer: some tests take them away.
    """
    deadline = time.monotonic() + within
    last: object = "no answer"
    while True:
        try:
            answer = await ask()
            if answer:
                return answer
            last = answer
        except (StoreUnavailable, BrokerUnavailable) as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within:g} s: {what} (last seen: {last!r})")
        await asyncio.sleep(_POLL_SECONDS)
