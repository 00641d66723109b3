"""The normalizer's one handler."""

import asyncio
from typing import Protocol

from services.normalizer.mapping import normalize_devices, page_of
from shared.events.bulk import AssetPageNormalized, Bulk, DevicePageFetched, NormalizedAsset, Reject, new_bulk

SOURCE = "normalizer"
# A whole page keeps the loop for 30 ms and more; after each slice, a light message gets on.
SLICE = 100


class AnnouncePage(Protocol):
    """Where normalized pages go."""

    async def __call__(self, page: Bulk[AssetPageNormalized]) -> None:
        """Publish, confirmed."""
        ...


async def normalize(page: Bulk[DevicePageFetched], announce_page: AnnouncePage) -> None:
    """Map a chunk of vendor devices to canonical assets, one message in and one out.

    Twice is safe: the mapping is pure, and the writer takes a chunk once. A crash after the publish repeats it.
    """
    mapped: list[NormalizedAsset | Reject] = []
    for one in normalize_devices(page.data):
        mapped.append(one)
        if len(mapped) % SLICE == 0:
            await asyncio.sleep(0)
    assets = page_of(page.data, mapped)
    await announce_page(new_bulk(assets, source=SOURCE, account_id=assets.account_id, subject=page.subject, cause=page))
