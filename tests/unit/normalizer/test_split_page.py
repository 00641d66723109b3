"""A page is cut between devices: nothing lost, nothing moved, each chunk within the cap."""

import json
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.events.bulk import (
    DEVICE_OVERHEAD_BYTES,
    MAX_DEVICE_BYTES,
    DeviceGroup,
    OversizedDevice,
    split_page,
)

CAP = 6_000


def device(number: int, size: int) -> msgspec.Raw:
    return msgspec.Raw(json.dumps({"endpointID": f"D{number}", "x": "y" * size}).encode())


@st.composite
def groups(draw: st.DrawFn) -> list[DeviceGroup]:
    sizes = draw(st.lists(st.lists(st.integers(0, 8_000), max_size=12), max_size=5))
    number = iter(range(1000))
    return [
        DeviceGroup(
            category="platform",
            company_id=f"c{n}",
            company_name="ö" * draw(st.integers(0, 30)),
            endpoints=[device(next(number), size) for size in each],
        )
        for n, each in enumerate(sizes)
    ]


def flat(found: list[DeviceGroup]) -> list[tuple[str | None, bytes]]:
    return [(group.company_id, bytes(each)) for group in found for each in group.endpoints]


@given(groups())
def test_nothing_is_lost_and_the_order_is_kept(page: list[DeviceGroup]) -> None:
    chunks = split_page(page, CAP)
    assert flat([group for chunk in chunks for group in chunk]) == flat(page)


@given(groups())
def test_every_chunk_is_within_the_cap_or_is_one_device(page: list[DeviceGroup]) -> None:
    for chunk in split_page(page, CAP):
        devices = flat(chunk)
        assert devices
        assert len(msgspec.json.encode(chunk)) <= CAP or len(devices) == 1


@given(groups())
def test_no_two_neighbours_would_fit_into_one_chunk(page: list[DeviceGroup]) -> None:
    chunks = split_page(page, CAP)
    for chunk, following in pairwise(chunks):
        added = msgspec.json.encode(chunk), following[0].endpoints[0]
        overhead = DEVICE_OVERHEAD_BYTES * (len(flat(chunk)) + 1) + 400
        assert len(added[0]) + len(added[1]) + overhead > CAP


def test_an_empty_page_has_no_chunk() -> None:
    assert split_page([]) == []
    assert split_page([DeviceGroup(category="platform", endpoints=[])]) == []


def test_a_usual_page_of_small_devices_is_one_chunk_as_it_was() -> None:
    page = [DeviceGroup(category="platform", endpoints=[device(n, 200) for n in range(500)])]
    assert split_page(page) == [page]


def test_a_device_above_the_cap_has_a_chunk_of_its_own() -> None:
    large = device(1, 64 * 1024)
    page = [DeviceGroup(category="platform", endpoints=[device(0, 10), large, device(2, 10)])]
    assert [len(flat(chunk)) for chunk in split_page(page, max_bytes=32 * 1024)] == [1, 1, 1]


def test_a_device_that_no_message_can_carry_is_only_told_of() -> None:
    huge = device(7, MAX_DEVICE_BYTES)
    page = [DeviceGroup(category="platform", company_id="c", endpoints=[device(0, 10), huge, device(2, 10)])]
    chunks = split_page(page)
    told = [each for chunk in chunks for group in chunk for each in group.oversized]
    assert told == [OversizedDevice(size_bytes=len(huge), device_id="d7")]
    assert [name for name, _ in flat([group for chunk in chunks for group in chunk])] == ["c", "c"]


def test_a_page_of_nothing_but_such_devices_still_tells_of_them() -> None:
    (chunk,) = split_page([DeviceGroup(category="platform", endpoints=[device(7, MAX_DEVICE_BYTES)] * 2)])
    assert len(chunk[0].oversized) == 2
