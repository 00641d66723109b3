"""The queues of a test's vhost from outside: how full they are, what was said in them, and how they are disturbed."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared import topology
from shared.content_encoding import unpack
from shared.declaration import check
from tests.support.waiting import PATIENCE_SECONDS

STREAMS = topology.JOURNALS
QUEUES = tuple(queue.name for queue in topology.queues() if queue.name not in STREAMS)
_TAP = "test.tap"
_MARK = "x-test-mark"
_SPOILT = "test.spoilt"


@dataclass(frozen=True)
class Said:
    """An event as it was published, its body unpacked; one that is published plain is taken as well."""

    routing_key: str
    body: bytes = field(repr=False)
    headers: dict[str, Any] = field(repr=False)


@asynccontextmanager
async def open_channel(amqp_url: str) -> AsyncIterator[AbstractChannel]:
    """A channel with confirms, on a connection of its own that does not mend itself."""
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        yield await connection.channel()


async def depths(amqp_url: str) -> dict[str, int]:
    """How many messages wait in each queue that is not empty; what a consumer holds is not counted."""
    return {found.name: found.messages for found in await check(amqp_url) if found.messages and found.name in QUEUES}


async def purge(amqp_url: str) -> int:
    """Empty every queue but the journals; returns how many messages that were."""
    async with open_channel(amqp_url) as channel:
        counts: list[int] = []
        for name in QUEUES:
            queue = await channel.get_queue(name, ensure=False)
            counts.append((await queue.purge()).message_count or 0)
        return sum(counts)


async def delete(amqp_url: str, name: str) -> None:
    """Delete a queue under its consumers."""
    async with open_channel(amqp_url) as channel:
        await channel.queue_delete(name)
        await spoil(channel)


async def spoil(channel: AbstractChannel) -> None:
    """Let no other test have this vhost, whatever is mended in it.

    A queue that could not pass a message on tries again in three minutes, and until then nobody can see what it holds.
    """
    await channel.declare_exchange(_SPOILT, durable=True)


async def publish(amqp_url: str, messages: Iterable[Said], *, exchange: str = topology.EVENTS) -> None:
    """Publish, persistent and confirmed, in the order given."""
    async with open_channel(amqp_url) as channel:
        target = await channel.get_exchange(exchange)
        for said in messages:
            message = aio_pika.Message(said.body, headers=said.headers, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await target.publish(message, said.routing_key, timeout=30)


async def journal(amqp_url: str, *event_types: str) -> list[Said]:
    """Everything that was published as an event until now, of these types or of all; pages last, each in order."""
    found: list[Said] = []
    async with open_channel(amqp_url) as channel:
        await channel.set_qos(prefetch_count=200)
        for name in STREAMS:
            found += await _read_stream(channel, name)
    return [said for said in found if not event_types or said.routing_key in event_types]


async def _read_stream(channel: AbstractChannel, name: str) -> list[Said]:
    # A stream tells its length with seconds of delay, so the end is marked by a message that goes there alone.
    mark = uuid4().bytes
    marked = aio_pika.Message(mark, headers={_MARK: True})
    await channel.default_exchange.publish(marked, name, timeout=30)
    queue = await channel.get_queue(name)
    found: list[Said] = []
    complete = asyncio.Event()

    # Not the queue's iterator: it gives back what it has in hand, and a stream refuses that.
    async def keep(message: AbstractIncomingMessage) -> None:
        await message.ack()
        if _MARK not in message.headers:
            body = unpack(message.body, message.content_encoding)
            found.append(Said(message.routing_key or "", body, dict(message.headers)))
        elif message.body == mark:
            complete.set()

    tag = await queue.consume(keep, arguments={"x-stream-offset": "first"})
    async with asyncio.timeout(PATIENCE_SECONDS):
        await complete.wait()
    await queue.cancel(tag)
    return found


class Tap:
    """Stands between the events exchange and the work queues: what passes comes out twice and out of order.

    Messages are held until `hold` of them are there or a moment has passed, shuffled, and each is sent to its queue;
    its second copy goes into the next lot.
    """

    def __init__(self, amqp_url: str, random: Random, *, hold: int = 12, seconds: float = 0.2) -> None:
        self._amqp_url = amqp_url
        self._random = random
        self._hold = hold
        self._seconds = seconds
        self._queue_of = {kind: queue.name for queue in topology.WORK_QUEUES for kind in queue.event_types}
        self._arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self.passed = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Tap"]:
        """Put it in between, and pump until the end."""
        async with open_channel(self._amqp_url) as channel:
            await channel.set_qos(prefetch_count=200)
            await self._put_between(channel)
            queue = await channel.get_queue(_TAP)
            await queue.consume(self._arrived.put)
            pumping = asyncio.create_task(self._pump(channel))
            try:
                yield self
            finally:
                pumping.cancel()
                await asyncio.gather(pumping, return_exceptions=True)

    async def _put_between(self, channel: AbstractChannel) -> None:
        tap = await channel.declare_queue(_TAP, durable=True, arguments={"x-queue-type": "quorum"})
        for kind, name in self._queue_of.items():
            await tap.bind(topology.EVENTS, kind)
            queue = await channel.get_queue(name)
            await queue.unbind(topology.EVENTS, kind)

    async def _pump(self, channel: AbstractChannel) -> None:
        work = await channel.get_exchange(topology.WORK)
        again: list[AbstractIncomingMessage] = []
        while True:
            lot = await self._lot()
            # An acked message can still be read: the second copy is ours.
            both = [*lot, *again]
            self._random.shuffle(both)
            for message in both:
                copy = aio_pika.Message(
                    message.body,
                    headers=message.headers,
                    content_type=message.content_type,
                    content_encoding=message.content_encoding,
                    correlation_id=message.correlation_id,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                )
                await work.publish(copy, topology.work_key(self._queue_of[message.routing_key or ""], "tap"))
                self.passed += 1
            for message in lot:
                await message.ack()
            again = lot

    async def _lot(self) -> list[AbstractIncomingMessage]:
        lot: list[AbstractIncomingMessage] = []
        try:
            async with asyncio.timeout(self._seconds):
                while len(lot) < self._hold:
                    lot.append(await self._arrived.get())
        except TimeoutError:
            pass
        return lot


def shuffled(random: Random, messages: Sequence[Said]) -> list[Said]:
    """The same messages in another order."""
    mixed = list(messages)
    random.shuffle(mixed)
    return mixed
