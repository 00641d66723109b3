"""How the writer is wired."""

from typing import Any

from pydantic import Field

from services.writer.handlers import write_page
from services.writer.store import PostgresAssets
from shared import topology
from shared.content_encoding import unpack
from shared.events.bulk import AssetPageNormalized, Bulk, parse_bulk
from shared.integrations.status import PausingIntegrations
from shared.outbox import Outbox
from shared.runtime import Service, Subscription, Wired, Wiring
from shared.settings import ServiceSettings, load
from shared.verdict import RetryPolicy


class WriterSettings(ServiceSettings):
    """What the writer needs beyond every service."""

    writer_prefetch: int = Field(default=16, ge=1, le=100, description="chunks that one writer takes ahead")
    writer_at_once: int = Field(
        default=1, ge=1, le=50, description="chunks that one writer writes at once; it reads one more"
    )


def decode_page(message: Any) -> Bulk[AssetPageNormalized]:
    """A normalized chunk."""
    return parse_bulk(unpack(message.body, message.raw_message.content_encoding), AssetPageNormalized)


def create_app(settings: WriterSettings | None = None) -> Service:
    """The writer, not yet running."""
    settings = settings or load(WriterSettings)
    policy = RetryPolicy(settings.max_attempts, settings.max_age)
    subscription = Subscription(
        topology.WRITER_PAGES,
        decode_page,
        write_page,
        prefetch=settings.writer_prefetch,
        policy=policy,
        # One more than is written: it is unpacked and read while Postgres works.
        at_once=settings.writer_at_once + 1,
    )

    async def wire(wired: Wired) -> Wiring:
        events = Outbox(wired.pool, wired.bus)
        return Wiring(
            ports={"assets": PostgresAssets(wired.pool, events, at_once=settings.writer_at_once)},
            pause=PausingIntegrations(wired.pool, events, "writer"),
        )

    # A connection for each turn of both lanes, and for who closes a run.
    return Service("writer", settings, [subscription], wire, pool_size=2 * settings.writer_at_once + 4)
