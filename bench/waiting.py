"""Waiting for what must come, with an end."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from lifecycle.exits import Failure

_SECONDS = 600.0


async def until(what: str, holds: Callable[[], Awaitable[object]], *, every: float = 0.05) -> None:
    """Ask again and again until the answer is true. Raises Failure after ten minutes, saying what did not come."""
    deadline = time.monotonic() + _SECONDS
    while not await holds():
        if time.monotonic() > deadline:
            raise Failure(f"not within {_SECONDS:.0f} s: {what}", "read the logs of the services")
        await asyncio.sleep(every)
