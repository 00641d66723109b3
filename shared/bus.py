"""Publishing: the one place that says persistent, mandatory and confirmed.

A publish returns when the broker has the message, and raises BrokerUnavailable in every other case; the message
may then have arrived all the same, so everything published is safe to take twice.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

from aio_pika.exceptions import AMQPError, AuthenticationError, ProbableAuthenticationError
from faststream.exceptions import IncorrectState
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange
from pamqp.commands import Basic

from shared import tls, topology
from shared.content_encoding import Encoding, pack
from shared.errors import BrokerUnavailable, MessageTooLarge
from shared.events.envelope import CONTENT_TYPE, Event, EventData

PUBLISH_TIMEOUT_SECONDS: Final = 15.0
MAX_BODY_BYTES: Final = 4 * 1024 * 1024


class Announce(Protocol):
    """Port of a handler that tells the world something."""

    async def __call__(self, event: Event[Any]) -> None:
        """Publish `event`; returns when the broker has confirmed it."""


def no_connection(error: Exception, amqp_url: str) -> BrokerUnavailable:
    """What it means that no connection came about: the broker refuses the login, TLS fails, or it is not there."""
    # A client that is shut out is told so, or is just cut off: the second kind is probable only.
    if isinstance(error, AuthenticationError | ProbableAuthenticationError):
        return BrokerUnavailable(
            "no connection to the broker: it refused the login",
            next_action="check user, password and virtual host in LIFECYCLE_AMQP_URL",
        )
    if trouble := tls.trouble(error, tls.BROKER):
        return BrokerUnavailable(f"no connection to the broker: {trouble.what}", next_action=trouble.next_action)
    if amqp_url.startswith("amqp://") and isinstance(error.__cause__, ConnectionResetError | EOFError):
        # What a port for TLS does to whoever does not speak it, and a broker that is about to end.
        return BrokerUnavailable(
            "no connection to the broker: it hung up at the first word",
            next_action="check RabbitMQ; if this is its port for TLS, begin LIFECYCLE_AMQP_URL with amqps://",
        )
    return BrokerUnavailable(f"no connection to the broker: {type(error).__name__}")


def publisher_broker(amqp_url: str, service: str) -> RabbitBroker:
    """A broker object that only publishes: a blocked publisher must not stop acks, so it has its own connection.

    It has no subscribers either: an exchange first used by a subscriber would bind later publishes to that
    subscriber's channel, where unroutable messages vanish.
    """
    return RabbitBroker(
        amqp_url,
        default_channel=Channel(on_return_raises=True),
        app_id=service,
        reconnect_interval=1.0,
        logger=None,
    )


class Bus:
    """Publishes over one broker object of its own."""

    def __init__(self, broker: RabbitBroker, *, timeout_seconds: float = PUBLISH_TIMEOUT_SECONDS) -> None:
        self._broker = broker
        self._timeout = timeout_seconds
        self._exchanges = {
            name: RabbitExchange(name, type=ExchangeType.TOPIC, durable=True, declare=False)
            for name in topology.EXCHANGES
        }

    async def __call__(self, event: Event[EventData]) -> None:
        """Publish `event` under its type."""
        await self.publish_body(event.type, event.model_dump_json().encode(), event.correlation_id)

    async def publish_body(
        self, routing_key: str, body: bytes, correlation_id: str, encoding: Encoding = "identity"
    ) -> None:
        """Publish an event that is already JSON, packed or not; refuses more than 4 MiB before it is packed."""
        if len(body) > MAX_BODY_BYTES:
            raise MessageTooLarge(routing_key, len(body), MAX_BODY_BYTES)
        await self.publish_raw(
            topology.EVENTS,
            routing_key,
            pack(body, encoding),
            correlation_id=correlation_id,
            content_type=CONTENT_TYPE,
            content_encoding=None if encoding == "identity" else encoding,
        )

    async def publish_raw(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        correlation_id: str | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: Mapping[str, Any] | None = None,
        message_id: str | None = None,
    ) -> None:
        """Publish any body to one of our exchanges. Raises BrokerUnavailable unless confirmed and routed."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._broker.publish(
                    body,
                    routing_key,
                    exchange=self._exchanges[exchange],
                    persist=True,
                    mandatory=True,
                    correlation_id=correlation_id,
                    content_type=content_type,
                    content_encoding=content_encoding,
                    headers=dict(headers) if headers else None,
                    message_id=message_id,
                )
        except asyncio.CancelledError:
            # A half-open connection ends a publish in a CancelledError that nobody asked for (docs/adr/0002).
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise BrokerUnavailable(f"the connection was lost while publishing {routing_key}") from None
        except (AMQPError, IncorrectState, OSError, TimeoutError, RuntimeError) as error:
            raise BrokerUnavailable(f"{routing_key} was not confirmed: {type(error).__name__}") from error
        if not isinstance(answer, Basic.Ack):
            raise BrokerUnavailable(f"{routing_key} on {exchange} was not routed or not confirmed")
