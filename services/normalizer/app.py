"""How the normalizer is wired."""

from typing import Any

from pydantic import Field

from services.normalizer.handlers import normalize
from shared import topology
from shared.bus import Bus
from shared.events.bulk import AssetPageNormalized, Bulk, DevicePageFetched, encode_bulk, parse_bulk
from shared.integrations.status import PausingIntegrations
from shared.outbox import Outbox
from shared.runtime import Service, Subscription, Wired, Wiring
from shared.settings import ServiceSettings, load
from shared.verdict import RetryPolicy


class NormalizerSettings(ServiceSettings):
    """What the normalizer needs beyond every service."""

    normalizer_prefetch: int = Field(default=16, ge=1, le=100, description="chunks that one normalizer takes ahead")
    normalizer_at_once: int = Field(default=1, ge=1, le=100, description="chunks that one normalizer works on at once")


class BusPages:
    """Publishes normalized pages."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def __call__(self, page: Bulk[AssetPageNormalized]) -> None:
        """Publish, confirmed."""
        await self._bus.publish_body(AssetPageNormalized.event_type, encode_bulk(page), page.correlation_id)


def decode_page(message: Any) -> Bulk[DevicePageFetched]:
    """A fetched chunk."""
    return parse_bulk(message.body, DevicePageFetched)


def create_app(settings: NormalizerSettings | None = None) -> Service:
    """The normalizer, not yet running."""
    settings = settings or load(NormalizerSettings)
    policy = RetryPolicy(settings.max_attempts, settings.max_age)
    subscription = Subscription(
        topology.NORMALIZER_PAGES,
        decode_page,
        normalize,
        prefetch=settings.normalizer_prefetch,
        policy=policy,
        at_once=settings.normalizer_at_once,
    )

    async def wire(wired: Wired) -> Wiring:
        return Wiring(
            ports={"announce_page": BusPages(wired.bus)},
            pause=PausingIntegrations(wired.pool, Outbox(wired.pool, wired.bus), "normalizer"),
        )

    return Service("normalizer", settings, [subscription], wire, pool_size=2)
