"""A journal read from some point on to where it ends now."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

from lifecycle.exits import NotFound, Unreachable
from shared.bus import no_connection

# The broker's clock, by which it looks for a time, and those of whoever made the events.
SKEW: Final = timedelta(minutes=1)
# Acknowledged messages are only credit for more: a stream keeps everything, and no reader's position.
_AHEAD: Final = 100
_CONNECT_SECONDS: Final = 10.0
# A broker that sends nothing for so long, although the mark is yet to come, has lost this reader.
_SILENCE_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Recorded:
    """A message as it was published, and its place in the journal."""

    offset: int
    event_type: str
    body: bytes = field(repr=False)
    encoding: str | None
    content_type: str | None
    correlation_id: str | None


class Journal:
    """One journal of a broker, by a connection that does not mend itself.

    A mended one would read from the beginning again, for the broker knows of no position.
    """

    def __init__(self, connection: aio_pika.abc.AbstractConnection, name: str) -> None:
        self._connection = connection
        self._name = name

    async def oldest(self) -> Recorded:
        """The first message that is still kept. There must be one."""
        async with self._messages("first", ahead=1) as messages:
            return await anext(messages)

    @asynccontextmanager
    async def read(self, begin: datetime | int) -> AsyncGenerator[AsyncIterator[Recorded]]:
        """All messages from a time or an offset on, and those that come; the reader knows where to stop.

        From a time on, some come that are older. Raises `Unreachable` where the broker goes away.
        """
        async with self._messages(begin - SKEW if isinstance(begin, datetime) else begin, ahead=_AHEAD) as messages:
            yield messages

    @asynccontextmanager
    async def _messages(self, begin: Any, *, ahead: int) -> AsyncGenerator[AsyncIterator[Recorded]]:
        channel = await self._connection.channel()
        gone = asyncio.Event()

        def closed(*_: object) -> None:
            gone.set()

        channel.close_callbacks.add(closed)
        # Not the queue's iterator: it gives back what it has in hand, and a stream refuses that.
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        await self._consume(channel, arrived, begin, ahead)
        try:
            yield _until_gone(arrived, gone)
        finally:
            await channel.close()

    async def _consume(
        self, channel: AbstractChannel, arrived: asyncio.Queue[AbstractIncomingMessage], begin: Any, ahead: int
    ) -> None:
        try:
            # A stream gives nothing without it.
            await channel.set_qos(prefetch_count=ahead)
            queue = await channel.get_queue(self._name)
            await queue.consume(arrived.put, arguments={"x-stream-offset": begin})
        except aio_pika.exceptions.ChannelNotFoundEntity:
            raise NotFound(
                f"the broker has no journal {self._name}", "make it with: lifecycle topology declare"
            ) from None
        except AMQPError as error:
            raise Unreachable(f"the broker does not let {self._name} be read: {error}") from error


@asynccontextmanager
async def open_journal(amqp_url: str, name: str) -> AsyncGenerator[Journal]:
    """Connect. Raises `Unreachable`."""
    try:
        connection = await aio_pika.connect(amqp_url, timeout=_CONNECT_SECONDS)
    except (OSError, AMQPError, TimeoutError) as error:
        said = no_connection(error, amqp_url)
        raise Unreachable(str(said), said.next_action) from error
    async with connection:
        yield Journal(connection, name)


async def _until_gone(arrived: asyncio.Queue[AbstractIncomingMessage], gone: asyncio.Event) -> AsyncIterator[Recorded]:
    lost = asyncio.ensure_future(gone.wait())
    try:
        while True:
            following = asyncio.ensure_future(arrived.get())
            await asyncio.wait({following, lost}, timeout=_SILENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if lost.done() or not following.done():
                following.cancel()
                raise Unreachable("the broker went away while the journal was read")
            message = following.result()
            # Credit for one more, as soon as this one is taken: so few are ever in memory.
            await message.ack()
            yield _recorded(message)
    finally:
        lost.cancel()


def _recorded(message: AbstractIncomingMessage) -> Recorded:
    offset: Any = message.headers["x-stream-offset"]
    return Recorded(
        int(offset),
        message.routing_key or "",
        message.body,
        message.content_encoding,
        message.content_type,
        message.correlation_id,
    )
