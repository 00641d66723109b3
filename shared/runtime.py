"""How a service runs: one FastStream ASGI app with health and metrics, two broker connections, one pool.

A service's `app.py` says which queues it takes and which handlers take them; everything that all services do alike
is here. Nothing connects before `serve` runs the app.
"""

import asyncio
import errno
import gc
import inspect
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import structlog
import uvicorn
import uvloop
from aio_pika.exceptions import AMQPError
from faststream import AckPolicy
from faststream.asgi import AsgiFastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from faststream.rabbit.schemas import QueueType
from starlette.applications import Starlette
from starlette.routing import Route

from shared import topology
from shared.bus import Bus, no_connection, publisher_broker
from shared.delivery import DeliveryRules, Pause
from shared.errors import Permanent, PipelineError
from shared.memory import keep_freed_memory
from shared.migrations import MigrationError, check_current
from shared.observability import logs
from shared.observability.health import BrokerLook, Health
from shared.postgres import Pool, PoolStore, connection, open_pool
from shared.settings import ServiceSettings, SettingsError
from shared.topology import WorkQueue
from shared.turns import Lanes
from shared.verdict import RetryPolicy

log: structlog.stdlib.BoundLogger = structlog.get_logger("runtime")

RECONNECT_SECONDS: Final = 1.0
# How long a channel may be away before its subscription counts as lost: a broken one is back sooner.
CHANNEL_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Subscription:
    """One queue: what decodes a message of it (pure), what handles it, and how many.

    `prefetch` is how many messages the broker hands over. Where `at_once` is less, so many are worked on, and as many
    light ones beside them, chosen by fair turns of the correlation ids: a sync of a few devices does not stand behind
    the pages of a large one.
    """

    queue: WorkQueue
    decode: Callable[[Any], Any]
    handler: Callable[..., Awaitable[None]]
    prefetch: int
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    at_once: int | None = None


@dataclass
class Wired:
    """What a service's `wire` gets to build its adapters from."""

    pool: Pool
    bus: Bus
    health: Health
    stack: AsyncExitStack


@dataclass(frozen=True)
class Wiring:
    """What a service's `wire` gives back: ports by the parameter names of the handlers, and loops to run."""

    ports: dict[str, Any]
    pause: Pause
    loops: Sequence[Callable[[], Awaitable[None]]] = ()


Wire = Callable[[Wired], Awaitable[Wiring]]


def _decoder(decode: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    async def decode_message(message: Any) -> Any:
        return decode(message)

    return decode_message


@dataclass
class Service:
    """A service, not yet running: what it takes in and how it is wired. Nothing connects before `run`."""

    name: str
    settings: ServiceSettings
    subscriptions: Sequence[Subscription]
    wire: Wire
    pool_size: int = 8
    # For a service of short statements, each on a few rows by their keys: to plan them anew costs as much as they do.
    plan_once: bool = False
    deadline: timedelta = timedelta(minutes=3)
    health: Health = field(init=False)

    def __post_init__(self) -> None:
        self.health = Health(self.name)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Connect, wire and consume; on leaving, finish the work in hand and close in reverse."""
        async with AsyncExitStack() as stack:
            pool = await open_pool(
                self.settings.database_url.get_secret_value(),
                service=self.name,
                size=self.pool_size,
                plan_once=self.plan_once,
            )
            stack.push_async_callback(pool.close)
            async with connection(pool) as conn:
                await check_current(conn)
            amqp_url = with_heartbeat(self.settings.amqp_url.get_secret_value())
            bus = await self._bus(amqp_url, stack)
            wiring = await self.wire(Wired(pool=pool, bus=bus, health=self.health, stack=stack))
            consumer = _consumer(self, amqp_url, wiring, bus, pool)
            app = AsgiFastStream(consumer, logger=None)
            look = BrokerLook(
                amqp_url,
                tuple(subscription.queue.name for subscription in self.subscriptions),
                kept=topology.kept_by(self.name),
                lost=lambda: _lost(consumer),
            )
            _register_checks(self.health, pool, look)
            # Long-lived objects out of the collector's way: it walks all that lives while pages are parsed.
            gc.collect()
            gc.freeze()
            async with _consuming(app, amqp_url), _running([*wiring.loops, look.keep_looking]):
                log.info("consuming", action="start", queues=[s.queue.name for s in self.subscriptions])
                self.health.consuming = True
                yield
                self.health.stopping = True
                log.info("stopping", action="stop")

    async def _bus(self, amqp_url: str, stack: AsyncExitStack) -> Bus:
        publisher = publisher_broker(amqp_url, self.name)
        try:
            await publisher.start()
        except (OSError, AMQPError, TimeoutError) as error:
            raise no_connection(error, amqp_url) from error
        stack.push_async_callback(publisher.stop)
        return Bus(publisher)

    async def run(self) -> None:
        """Serve health and consume until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        server = _HealthServer(self)
        serving = asyncio.create_task(server.serve([listening(self.settings.http_host, self.settings.http_port)]))
        try:
            async with self.running():
                stopped = asyncio.create_task(stop.wait())
                await asyncio.wait({stopped, serving}, return_when=asyncio.FIRST_COMPLETED)
                stopped.cancel()
        finally:
            server.should_exit = True
            await serving


class CannotListen(Permanent):
    """Health and metrics have no address to answer at."""

    code = "cannot_listen"
    next_action = "set LIFECYCLE_HTTP_HOST and LIFECYCLE_HTTP_PORT to a free address of this machine; port 0 takes one"


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror
        raise CannotListen(f"health and metrics cannot be served at {host}, port {port}: {why}") from error


def _consumer(service: Service, amqp_url: str, wiring: Wiring, bus: Bus, pool: Pool) -> RabbitBroker:
    rules = DeliveryRules(
        bus=bus,
        store=PoolStore(pool),
        pause=wiring.pause,
        policies={subscription.queue.name: subscription.policy for subscription in service.subscriptions},
        turns={one.queue.name: Lanes(one.at_once) for one in service.subscriptions if one.at_once},
        deadline=service.deadline,
    )
    broker = RabbitBroker(
        amqp_url,
        ack_policy=AckPolicy.REJECT_ON_ERROR,
        apply_types=False,
        middlewares=(rules,),
        graceful_timeout=service.settings.shutdown_seconds,
        app_id=service.name,
        reconnect_interval=RECONNECT_SECONDS,
        logger=None,
    )
    for subscription in service.subscriptions:
        broker.subscriber(
            RabbitQueue(subscription.queue.name, queue_type=QueueType.QUORUM, durable=True, declare=False),
            channel=Channel(prefetch_count=subscription.prefetch),
            decoder=_decoder(subscription.decode),
            ack_policy=AckPolicy.REJECT_ON_ERROR,
            no_reply=True,
        )(_bound(subscription.handler, wiring.ports))
    return broker


def _bound(handler: Callable[..., Awaitable[None]], ports: dict[str, Any]) -> Callable[[Any], Awaitable[None]]:
    """The handler with its ports, by their names: FastDepends would take each through a thread for every message."""
    wanted = {name: ports[name] for name in inspect.signature(handler).parameters if name in ports}

    async def handle(event: Any) -> None:
        await handler(event, **wanted)

    return handle


async def _lost(broker: RabbitBroker) -> list[str]:
    """The queues to which this process has no subscription now."""
    subscribers: list[Any] = list(broker.subscribers)
    return [one.queue.name for one in subscribers if not await _subscribed(one)]


async def _subscribed(subscriber: Any) -> bool:
    # The open channel knows which consumers it has, whatever a reconnection gave back to it. FastStream has no public
    # name for queue and tag (0.7.8).
    queue, tag = subscriber._queue_obj, subscriber._consumer_tag  # noqa: SLF001
    if queue is None:
        return False  # it stops
    try:
        async with asyncio.timeout(CHANNEL_SECONDS):
            channel = await queue.channel.get_underlay_channel()
    except (AMQPError, RuntimeError, TimeoutError):
        return False
    return not channel.is_closed and tag in channel.consumers


def _register_checks(health: Health, pool: Pool, look: BrokerLook) -> None:
    async def database() -> str | None:
        async with connection(pool) as conn:
            await conn.fetchval("select true")
        return None

    health.register("database", database)
    health.register("broker", look)


@asynccontextmanager
async def _consuming(app: AsgiFastStream, amqp_url: str) -> AsyncGenerator[None]:
    """Consume within the block. Raises BrokerUnavailable where the broker hangs up before that begins."""
    try:
        # It starts while the block runs already, and ends that where it cannot.
        async with app.start_lifespan_context():
            yield
    except (OSError, AMQPError, TimeoutError) as error:
        raise no_connection(error, amqp_url) from error


@asynccontextmanager
async def _running(loops: Sequence[Callable[[], Awaitable[None]]]) -> AsyncGenerator[None]:
    tasks = [asyncio.ensure_future(loop()) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def with_heartbeat(amqp_url: str) -> str:
    """The URL with a heartbeat of 10 s: the default of 60 s takes three minutes to see a dead link."""
    if any(part.startswith("heartbeat=") for part in amqp_url.partition("?")[2].split("&")):
        return amqp_url
    return f"{amqp_url}{'&' if '?' in amqp_url else '?'}heartbeat=10"


def main(create_app: Callable[[], Service]) -> None:
    """Run a service as a process. What is wrong at start is said in one sentence, with exit code 1 or 2."""
    try:
        _run(create_app())
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


def _run(service: Service) -> None:
    logs.configure(service.name, style=service.settings.log_format, level=service.settings.log_level)
    keep_freed_memory()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(service.run())
    except (PipelineError, MigrationError) as error:
        next_action = getattr(error, "next_action", None)
        log.error("can't start", action="start", reason=str(error), next_action=next_action)  # noqa: TRY400
        raise SystemExit(1) from None


class _HealthServer(uvicorn.Server):
    """Health and metrics. Signals are the service's, which drains before it closes this."""

    def __init__(self, service: Service) -> None:
        health = service.health
        routes = [
            Route("/health", health.ready),
            Route("/health/ready", health.ready),
            Route("/health/live", health.live),
            Route("/metrics", health.metrics),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes),
            host=service.settings.http_host,
            port=service.settings.http_port,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        super().__init__(config)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield
