"""The hash that tells whether a device changed: blind for stamps that move by themselves."""

import re
from hashlib import blake2b
from typing import Final

MAPPING_VERSION: Final = 1
"""Raise it when the mapping changes its result for the same device: every device then counts as changed, once."""

_DIGEST_BYTES: Final = 16
_SEED: Final = blake2b(f"lifecycle mapping {MAPPING_VERSION}\0".encode(), digest_size=_DIGEST_BYTES)

_VALUE: Final = rb'"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[-+.0-9eE]+)'
# createTimeUTC is new with every answer, lastBootUpTimeUTC and DcDateTimeUTC move with the machine (API notes, 5), and
# DHCP leases are renewed every few hours (2.5). Two patterns, each with text of its own to search for: a single one of
# alternatives would be tried at every quote, ten times as slowly.
_STAMPS: Final = (
    re.compile(rb"TimeUTC" + _VALUE),
    re.compile(rb"dhcpLease\w*" + _VALUE),
)


def without_stamps(vendor: bytes) -> bytes:
    """Return a device's JSON with the values of moving stamps cut out."""
    for stamp in _STAMPS:
        vendor = stamp.sub(b"", vendor)
    return vendor


def content_hash(asset: bytes, vendor: bytes) -> str:
    """Return 32 hex characters over the canonical asset and the vendor's JSON without its moving stamps."""
    digest = _SEED.copy()
    digest.update(asset)
    # Between two JSON texts, where no NUL can be.
    digest.update(b"\0")
    digest.update(without_stamps(vendor))
    return digest.hexdigest()
