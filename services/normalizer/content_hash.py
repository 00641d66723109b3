"""The hash that tells whether a device changed: blind for stamps that move by themselves."""

import re
from typing import Final

from xxhash import xxh3_128

MAPPING_VERSION: Final = 2
"""Raise it when the mapping changes its result for the same device: every device then counts as changed, once."""

_SEED: Final = xxh3_128(f"lifecycle mapping {MAPPING_VERSION}\0".encode())

# createTimeUTC is new with every answer, lastBootUpTimeUTC and DcDateTimeUTC move with the machine (API notes, 5), and
# DHCP leases are renewed every few hours (2.5). Each has text of its own to search for, because a pattern of
# alternatives would be tried at every quote, ten times as slowly.
_MARKS: Final = (b'TimeUTC"', b'"dhcpLease')
_VALUE: Final = re.compile(rb'[^":]*"?\s*:\s*(?:"(?:[^"\\]|\\.)*"|[-+.0-9eE]+)')


def without_stamps(vendor: bytes) -> bytes:
    """Return a device's JSON with the values of moving stamps cut out; in time linear to its length."""
    for mark in _MARKS:
        at = vendor.find(mark)
        if at >= 0:
            vendor = _cut(vendor, mark, at)
    return vendor


def _cut(vendor: bytes, mark: bytes, at: int) -> bytes:
    kept: list[bytes] = []
    start = 0
    while at >= 0:
        at += len(mark)
        kept.append(vendor[start:at])
        start = _value_end(vendor, at)
        at = vendor.find(mark, start)
    kept.append(vendor[start:])
    return b"".join(kept)


def _value_end(vendor: bytes, at: int) -> int:
    """Return where the value ends whose name ends at `at`, or `at` where no value follows."""
    if vendor.startswith(b':"', at):
        # A stamp has no escapes, and one that has is cut at the first quote: still the same for the same text.
        end = vendor.find(b'"', at + 2)
        return end + 1 if end >= 0 else at
    value = _VALUE.match(vendor, at)
    return value.end() if value else at


def content_hash(asset: bytes, vendor: bytes) -> str:
    """Return 32 hex characters over the canonical asset and the vendor's JSON without its moving stamps.

    XXH3 is no cryptographic hash, and needs to be none: who could make two states of a device that hash alike could
    as well not report the second. It takes a tenth of the time of one.
    """
    digest = _SEED.copy()
    digest.update(asset)
    # Between two JSON texts, where no NUL can be.
    digest.update(b"\0")
    digest.update(without_stamps(vendor))
    return digest.hexdigest()
