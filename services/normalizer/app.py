"""How the normalizer is wired."""

from typing import Any

from pydantic import Field

from services.normalizer.handlers import normalize
from shared import topology
from shared.bus import Bus
from shared.content_encoding import Encoding, unpack
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

    def __init__(self, bus: Bus, encoding: Encoding) -> None:
        self._bus = bus
        self._encoding: Encoding = encoding

    async def __call__(self, page: Bulk[AssetPageNormalized]) -> None:
        """Publish, confirmed."""
        body = encode_bulk(page)
        await self._bus.publish_body(AssetPageNormalized.event_type, body, page.correlation_id, self._encoding)


def decode_page(message: Any) -> Bulk[DevicePageFetched]:
    """A fetched chunk."""
    return parse_bulk(unpack(message.body, message.raw_message.content_encoding), DevicePageFetched)


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
            ports={"announce_page": BusPages(wired.bus, settings.page_encoding)},
            pause=PausingIntegrations(wired.pool, Outbox(wired.pool, wired.bus), "normalizer"),
        )

    return Service("normalizer", settings, [subscription], wire, pool_size=2)
