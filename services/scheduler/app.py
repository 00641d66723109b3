"""How the scheduler is wired."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from faststream.rabbit import RabbitMessage

from services.scheduler.clock import Clock
from services.scheduler.dead import DeadMessage, read_dead
from services.scheduler.handlers import keep_dead
from services.scheduler.parking import PostgresParking
from services.scheduler.settings import SchedulerSettings
from shared import topology
from shared.content_encoding import unpack
from shared.errors import BadMessage, PipelineError
from shared.integrations.status import PausingIntegrations
from shared.outbox import Outbox
from shared.runtime import Service, Subscription, Wired, Wiring
from shared.settings import load
from shared.topology import WorkQueue

log: structlog.stdlib.BoundLogger = structlog.get_logger("scheduler")

PRUNE_SECONDS: Final = 3600.0
FRESHNESS_SECONDS: Final = 60.0
DEAD: Final = WorkQueue(topology.DEAD_QUEUE, ())


def decode_dead(message: RabbitMessage) -> DeadMessage:
    """A dead message as it came: queue by its routing key, everything else read leniently."""
    raw: Any = message.raw_message
    return read_dead(
        routing_key=raw.routing_key or topology.DEAD_QUEUE,
        body=_plain(message.body, raw.content_encoding),
        headers=dict(message.headers),
        content_type=message.content_type,
        message_id=raw.message_id,
        correlation_id=raw.correlation_id,
    )


def _plain(body: bytes, encoding: str | None) -> bytes:
    """The body unpacked, for people to read and to be delivered plain; as it came where it cannot be unpacked."""
    try:
        return unpack(body, encoding)
    except BadMessage:
        return body


def create_app(settings: SchedulerSettings | None = None) -> Service:
    """The scheduler, not yet running."""
    settings = settings or load(SchedulerSettings)
    subscription = Subscription(DEAD, decode_dead, keep_dead, prefetch=10)

    async def wire(wired: Wired) -> Wiring:
        events = Outbox(wired.pool, wired.bus)
        clock = Clock(wired.pool, events, settings)
        tick = settings.tick_seconds
        return Wiring(
            ports={"parking": PostgresParking(wired.pool, events, scopes_at_once=settings.scopes_at_once)},
            pause=PausingIntegrations(wired.pool, events, "scheduler"),
            loops=(
                every(tick, clock.sweep_outbox),
                every(tick, clock.request_due_syncs),
                every(tick, clock.announce_due_details),
                every(tick, clock.announce_due_pushes),
                every(tick, clock.announce_due_probes),
                every(tick, clock.revive_stuck_runs),
                every(tick, clock.forget_removed),
                every(FRESHNESS_SECONDS, clock.tell_freshness),
                every(PRUNE_SECONDS, clock.prune),
            ),
        )

    return Service("scheduler", settings, [subscription], wire)


def every(seconds: float, duty: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """A loop that does its duty, waits, and goes on when the store or the broker was away."""

    async def loop() -> None:
        while True:
            try:
                await duty()
            except PipelineError as error:
                log.warning("duty not done", action=duty.__name__, reason=str(error))
            except Exception:
                log.exception("bug in a duty", action=duty.__name__)
            await asyncio.sleep(seconds)

    return loop
