"""A chunk as the normalizer makes it, at one go."""

from services.normalizer.mapping import normalize_devices, page_of
from shared.events.bulk import AssetPageNormalized, DevicePageFetched


def normalize_page(page: DevicePageFetched) -> AssetPageNormalized:
    """Every device of a chunk, mapped."""
    return page_of(page, normalize_devices(page))
