"""The normalizer's handler: a whole chunk in, a whole chunk out, and a light one does not wait for a heavy one."""

import asyncio
from uuid import uuid4

import msgspec
import pytest

from services.normalizer.handlers import SLICE, normalize
from shared.events.bulk import AssetPageNormalized, Bulk, DeviceGroup, DevicePageFetched, OversizedDevice, new_bulk
from tests.support.normalized import normalize_page


def chunk(devices: int) -> Bulk[DevicePageFetched]:
    sent = [msgspec.Raw(msgspec.json.encode({"endpointID": f"d{number}"})) for number in range(devices)]
    sent[devices // 2 : devices // 2] = [msgspec.Raw(b'"no object"')]
    data = DevicePageFetched(
        run_id=str(uuid4()),
        integration_id=str(uuid4()),
        account_id=str(uuid4()),
        scope_id=str(uuid4()),
        fetch_id=str(uuid4()),
        page_no=3,
        chunk_no=0,
        chunk_count=1,
        observed_seq=9,
        fetched_at="2026-11-28T10:00:00+00:00",
        groups=[DeviceGroup(category="platform", endpoints=sent, oversized=[OversizedDevice(size_bytes=10**6)])],
    )
    return new_bulk(data, source="fetcher", account_id=data.account_id, subject="runs/1")


class Announced:
    """Who hears of normalized pages."""

    def __init__(self) -> None:
        self.pages: list[Bulk[AssetPageNormalized]] = []

    async def __call__(self, page: Bulk[AssetPageNormalized]) -> None:
        self.pages.append(page)


@pytest.mark.parametrize("devices", [0, 1, SLICE - 1, SLICE, 3 * SLICE + 1])
async def test_a_chunk_comes_out_whole_and_carries_its_story_on(devices: int) -> None:
    announced, came = Announced(), chunk(devices)
    await normalize(came, announced)
    (page,) = announced.pages
    assert page.data == normalize_page(came.data)
    assert [asset.device_id for asset in page.data.assets] == [f"d{number}" for number in range(devices)]
    assert [reject.reason_code for reject in page.data.rejects] == ["not_an_object", "too_large"]
    assert (page.causationid, page.correlation_id, page.subject) == (came.id, came.correlation_id, "runs/1")
    assert page.data.observed_seq == 9


async def test_a_light_chunk_gets_on_between_two_slices_of_a_heavy_one() -> None:
    announced, heavy, light = Announced(), chunk(5 * SLICE), chunk(3)
    await asyncio.gather(normalize(heavy, announced), normalize(light, announced))
    assert [page.causationid for page in announced.pages] == [light.id, heavy.id]
