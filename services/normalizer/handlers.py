"""The normalizer's one handler."""

from typing import Protocol

from services.normalizer.mapping import normalize_page
from shared.events.bulk import AssetPageNormalized, Bulk, DevicePageFetched, new_bulk

SOURCE = "normalizer"


class AnnouncePage(Protocol):
    """Where normalized pages go."""

    async def __call__(self, page: Bulk[AssetPageNormalized]) -> None:
        """Publish, confirmed."""
        ...


async def normalize(page: Bulk[DevicePageFetched], announce_page: AnnouncePage) -> None:
    """Map a chunk of vendor devices to canonical assets, one message in and one out.

    Twice is safe: the mapping is pure, and the writer takes a chunk once. A crash after the publish repeats it.
    """
    assets = normalize_page(page.data)
    await announce_page(new_bulk(assets, source=SOURCE, account_id=assets.account_id, subject=page.subject, cause=page))
