"""How a page of devices becomes messages: pure, and nothing looks into a device."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from shared.assets.device_ids import find_device_id
from shared.events.bulk import DeviceGroup, OversizedDevice

MAX_CHUNK_BYTES: Final = 512 * 1024
"""The most bytes of devices in one message; our publisher refuses a body of more than 1 MiB."""

MAX_DEVICE_BYTES: Final = 768 * 1024
"""The largest device that a message can carry, with room for the header, the names of sites and the mapped asset."""

DEVICE_OVERHEAD_BYTES: Final = 512
"""What each device counts beyond its own bytes.

A mapped asset says again most of what its device says, and less than a kilobyte of its own: so a chunk of devices
within the cap is a chunk of assets within twice the cap, which our publisher still takes.
"""

_encode = msgspec.json.encode


def split_page(groups: Sequence[DeviceGroup], max_bytes: int = MAX_CHUNK_BYTES) -> list[list[DeviceGroup]]:
    """Cut a page between devices into chunks of at most `max_bytes`, in order and with nothing lost.

    A device above the cap is alone in its chunk; one above MAX_DEVICE_BYTES becomes an entry of `oversized` in its
    group, which the normalizer rejects. Groups without devices are left out, so an empty page has no chunk.
    """
    chunks: list[list[DeviceGroup]] = []
    room = 0
    for group in map(_without_oversized, groups):
        head = len(_encode(replace(group, endpoints=[], oversized=[])))
        first, last, oversized = 0, len(group.endpoints), group.oversized
        if oversized:
            chunks.append([replace(group, endpoints=[])])
            room = max_bytes - len(_encode(chunks[-1]))
        while first < last:
            if first or not chunks or room < head + _weight(group.endpoints[first]):
                chunks.append([])
                room = max_bytes
            end, room = _fill(group.endpoints, first, room - head)
            chunks[-1].append(replace(group, endpoints=group.endpoints[first:end], oversized=[]))
            first = end
    return chunks


def _fill(endpoints: Sequence[msgspec.Raw], first: int, room: int) -> tuple[int, int]:
    """Return where the chunk ends that begins at `first`, and the room that is left; it has at least one device."""
    room -= _weight(endpoints[first])
    end = first + 1
    while end < len(endpoints) and (weight := _weight(endpoints[end])) <= room:
        room -= weight
        end += 1
    return end, room


def _weight(device: msgspec.Raw) -> int:
    return len(device) + DEVICE_OVERHEAD_BYTES


def _without_oversized(group: DeviceGroup) -> DeviceGroup:
    if not any(len(device) > MAX_DEVICE_BYTES for device in group.endpoints):
        return group
    kept = [device for device in group.endpoints if len(device) <= MAX_DEVICE_BYTES]
    return replace(group, endpoints=kept, oversized=[*group.oversized, *_oversized(group.endpoints)])


def _oversized(devices: Iterable[msgspec.Raw]) -> Iterable[OversizedDevice]:
    for device in devices:
        if len(device) > MAX_DEVICE_BYTES:
            yield OversizedDevice(size_bytes=len(device), device_id=find_device_id(device))
