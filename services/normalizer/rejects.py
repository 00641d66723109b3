"""Devices that cannot be mapped, each with its reason; one of them never stops the others."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from shared.assets.device_ids import find_device_id
from shared.events.bulk import NO_VENDOR, DeviceGroup, Reject

ReasonCode = Literal["no_device_id", "not_an_object", "unreadable", "too_large"]


class CannotMap(Exception):  # noqa: N818 - a verdict over one device, caught where its page is walked
    """This device is a reject. The detail has no content of the device."""

    def __init__(self, reason_code: ReasonCode, detail: str) -> None:
        super().__init__(detail)
        self.reason_code: ReasonCode = reason_code
        self.detail = detail


def reject(cause: CannotMap, vendor: bytes) -> Reject:
    """Return the reject of a device, with what was sent unless it is too large to carry."""
    return Reject(
        reason_code=cause.reason_code,
        detail=cause.detail,
        device_id=find_device_id(vendor),
        vendor=NO_VENDOR if cause.reason_code == "too_large" else _as_json(vendor),
    )


def oversized(group: DeviceGroup) -> Iterator[Reject]:
    """Yield a reject for each device that was too large for the message."""
    for device in group.oversized:
        yield Reject(
            reason_code="too_large",
            detail=too_large_detail(device.size_bytes),
            device_id=device.device_id,
        )


def too_large_detail(size_bytes: int) -> str:
    """Say how large a device is."""
    return f"the device is {size_bytes:,} bytes of json, more than a message can carry"


def _as_json(vendor: bytes) -> msgspec.Raw:
    """Return JSON that is UTF-8: what is broken in it is replaced, inside the string that it stands in.

    What is no JSON at all would spoil the whole message, so it becomes nothing.
    """
    text = vendor if vendor.isascii() else vendor.decode("utf-8", "replace").encode()
    try:
        return msgspec.json.decode(text, type=msgspec.Raw).copy()
    except (msgspec.MsgspecError, RecursionError):
        return NO_VENDOR
