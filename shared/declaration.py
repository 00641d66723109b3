"""Declare and check the topology on a broker: a deploy step of its own, done before anybody publishes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPConnectionError, AMQPError, ChannelAccessRefused, ChannelPreconditionFailed

from shared import topology
from shared.bus import no_connection
from shared.errors import BrokerUnavailable, Permanent


class TopologyMismatch(Permanent):
    """A queue or exchange stands on the broker with other arguments than ours; those can't be changed."""


@dataclass(frozen=True)
class Finding:
    """One exchange or queue: whether it stands, and what waits in it."""

    kind: str
    name: str
    present: bool
    messages: int | None = None
    consumers: int | None = None


@dataclass(frozen=True)
class Kept:
    """A queue whose bindings were made again: None and None where all is well.

    `missing` is what the broker says is not there. `refused` is the right that this user lacks: then its bindings are
    neither known nor mended.
    """

    name: str
    missing: str | None = None
    refused: str | None = None


class _Channel:
    """One channel of a connection for many questions, and the next one where the broker has closed it.

    It closes a channel for a passive declare of what is missing, and for a bind that it refuses. A channel for each
    question would cost several times what the question does.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._channel: AbstractChannel | None = None

    async def open(self) -> AbstractChannel:
        """The channel that is open now, or a new one."""
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._connection.channel()
        return self._channel


async def _connect(amqp_url: str) -> AbstractConnection:
    try:
        return await aio_pika.connect(amqp_url, timeout=10)
    except (OSError, AMQPError, TimeoutError) as error:
        raise no_connection(error, amqp_url) from error


async def declare(amqp_url: str, *, settle: bool = True) -> list[str]:
    """Declare everything that is missing and return the names of the queues that are new.

    Ends `topology.SETTLE_SECONDS` after the last new queue (a young quorum queue loses confirmed messages to a
    kill -9). Doing it twice is nothing. Raises TopologyMismatch, naming the queue or exchange that has other
    arguments.
    """
    connection = await _connect(amqp_url)
    async with connection:
        # By kind too: the dead exchange and the dead queue have the same name.
        present = {each.name for each in await _findings(connection) if each.present and each.kind == "queue"}
        channel = await connection.channel()
        for name in topology.EXCHANGES:
            await _declare_exchange(channel, name)
        for queue in topology.queues():
            await _declare_queue(channel, queue)
    new = [queue.name for queue in topology.queues() if queue.name not in present]
    if new and settle:
        await asyncio.sleep(topology.SETTLE_SECONDS)
    return new


async def _declare_exchange(channel: AbstractChannel, name: str) -> None:
    try:
        await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
    except ChannelPreconditionFailed as error:
        raise TopologyMismatch(
            f"exchange {name} stands on the broker as another kind than ours; delete it ({error.reason})"
        ) from error


async def _declare_queue(channel: AbstractChannel, queue: topology.Queue) -> None:
    try:
        declared = await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
    except ChannelPreconditionFailed as error:
        raise TopologyMismatch(
            f"queue {queue.name} stands on the broker with other arguments; move its messages and delete it, "
            f"or give the new one a new name ({error.reason})"
        ) from error
    for exchange, key in queue.bindings:
        await declared.bind(exchange, routing_key=key)


async def check(amqp_url: str) -> list[Finding]:
    """Look at every exchange and queue without changing anything."""
    connection = await _connect(amqp_url)
    async with connection:
        return await _findings(connection)


async def check_queues(amqp_url: str, names: tuple[str, ...]) -> list[Finding]:
    """Look at some queues only."""
    connection = await _connect(amqp_url)
    async with connection:
        channel = _Channel(connection)
        return [await _look(channel, "queue", name) for name in names]


async def keep(
    amqp_url: str, names: tuple[str, ...], kept: Sequence[topology.Queue]
) -> tuple[list[Finding], list[Kept]]:
    """Look at some queues, and make the bindings of others again: what was unbound is bound from here on.

    AMQP tells nobody which bindings stand, and to make one that stands is nothing (docs/adr/0026).
    """
    connection = await _connect(amqp_url)
    try:
        async with connection:
            channel = _Channel(connection)
            return (
                [await _look(channel, "queue", name) for name in names],
                [await _bind_again(channel, queue) for queue in kept],
            )
    except asyncio.CancelledError:
        # A connection that is lost in the middle ends a call in a CancelledError that nobody asked for (docs/adr/0002).
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerUnavailable("the connection was lost during the check") from None
    except (AMQPError, OSError, RuntimeError, TimeoutError) as error:
        raise BrokerUnavailable(f"the broker did not answer the check: {type(error).__name__}") from error


async def _bind_again(channel: _Channel, queue: topology.Queue) -> Kept:
    try:
        found = await (await channel.open()).get_queue(queue.name, ensure=False)
        for exchange, key in queue.bindings:
            await found.bind(exchange, routing_key=key)
    except AMQPConnectionError as error:
        raise BrokerUnavailable("the broker closed the connection during the check") from error
    except ChannelAccessRefused as error:
        return Kept(queue.name, refused=str(error))
    except AMQPError as error:
        return Kept(queue.name, missing=str(error))
    return Kept(queue.name)


async def _findings(connection: AbstractConnection) -> list[Finding]:
    channel = _Channel(connection)
    return [
        *[await _look(channel, "exchange", name) for name in topology.EXCHANGES],
        *[await _look(channel, "queue", queue.name) for queue in topology.queues()],
    ]


async def _look(channel: _Channel, kind: str, name: str) -> Finding:
    try:
        asked = await channel.open()
        if kind == "exchange":
            await asked.declare_exchange(name, passive=True)
            return Finding(kind, name, present=True)
        queue = await asked.declare_queue(name, passive=True)
        result = queue.declaration_result
        return Finding(kind, name, present=True, messages=result.message_count, consumers=result.consumer_count)
    except AMQPConnectionError as error:
        raise BrokerUnavailable("the broker closed the connection during the check") from error
    except AMQPError:
        return Finding(kind, name, present=False)
