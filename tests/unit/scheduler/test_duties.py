"""The scheduler's loops go on, whatever a turn of theirs meets."""

import asyncio

from services.scheduler.app import every
from shared.errors import StoreUnavailable


async def test_a_duty_that_fails_is_done_again() -> None:
    turns = 0
    enough = asyncio.Event()

    async def duty() -> None:
        nonlocal turns
        turns += 1
        match turns:
            case 1:
                raise StoreUnavailable("the database is not there")
            case 2:
                raise ValueError("a bug")
            case 4:
                enough.set()

    loop = asyncio.create_task(every(0, duty)())
    await asyncio.wait_for(enough.wait(), 5)
    loop.cancel()
    assert (await asyncio.gather(loop, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    assert turns >= 4
