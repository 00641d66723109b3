"""Making a change and publishing its events: one transaction, then the broker where it answers."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

from lifecycle.data.settings import actor
from lifecycle.exits import Refused, Unreachable, WrongUsage
from lifecycle.session import Session
from shared import tls
from shared.audit import Author
from shared.errors import StoreConflict
from shared.integrations.changes import BadInput, ChangeRefused
from shared.outbox import Outbox, Pending
from shared.postgres import Connection, Pool, again_on_conflict, open_pool

if TYPE_CHECKING:
    from shared.bus import Bus

# The broker's library takes half a second to import: only where something is published.
# ruff: noqa: PLC0415

SOURCE: Final = "command"
SWEPT: Final = "the broker does not answer: the scheduler publishes it as soon as it does"
_BROKER_SECONDS: Final = 5.0

T = TypeVar("T")


def author(session: Session) -> Author:
    """In whose name this command changes things."""
    return Author(session.account_id, actor(), SOURCE)


async def change(session: Session, work: Callable[[Connection, Author], Awaitable[T]]) -> T:
    """Runs `work` in one transaction, again where the database asks for it; refusals become the command's own."""
    who = author(session)

    async def once() -> T:
        try:
            async with session.connection.transaction():
                return await work(session.connection, who)
        except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
            raise StoreConflict("the database asks to try again") from error

    try:
        return await again_on_conflict(once)
    except ChangeRefused as error:
        raise Refused(str(error), error.next_action) from error
    except BadInput as error:
        raise WrongUsage(str(error), error.next_action) from error


async def publish(session: Session, pending: Sequence[Pending]) -> bool:
    """Publishes what was committed; False where the broker does not take it now, and the scheduler will."""
    if not pending:
        return True
    try:
        async with connected(session) as (pool, bus):
            await Outbox(pool, bus).publish(*pending)
    except Unreachable:
        return False
    left: int = await session.connection.fetchval(
        "select count(*) from outbox where id = any($1)", [one.id for one in pending]
    )
    return left == 0


@asynccontextmanager
async def connected(session: Session) -> AsyncGenerator[tuple[Pool, "Bus"]]:
    """A pool and a confirmed publisher; raises `Unreachable` where the broker does not answer."""
    from aio_pika.exceptions import AMQPError

    from shared.bus import Bus, publisher_broker

    broker = publisher_broker(session.addresses.amqp_url.get_secret_value(), SOURCE)
    try:
        async with asyncio.timeout(_BROKER_SECONDS):
            await broker.start()
    except (OSError, AMQPError, TimeoutError) as error:
        await _quietly(broker.stop())
        if trouble := tls.trouble(error, tls.BROKER):
            raise Unreachable(f"no connection to the broker: {trouble.what}", trouble.next_action) from error
        raise Unreachable("the broker cannot be reached", "check LIFECYCLE_AMQP_URL, or run: lifecycle up") from error
    try:
        pool = await open_pool(session.addresses.database_url.get_secret_value(), service=SOURCE, size=2)
        try:
            yield pool, Bus(broker, timeout_seconds=_BROKER_SECONDS)
        finally:
            await pool.close()
    finally:
        await _quietly(broker.stop())


async def _quietly(closing: Awaitable[Any]) -> None:
    from aio_pika.exceptions import AMQPError

    # A broker that is away while we leave is no failure of the command.
    try:
        async with asyncio.timeout(_BROKER_SECONDS):
            await closing
    except (OSError, AMQPError, TimeoutError, RuntimeError):
        pass
