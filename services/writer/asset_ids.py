"""Ids of new assets: UUID version 7, so that neighbours in time are neighbours in the index (RFC 9562, 5.7)."""

import os
import time
from uuid import UUID

_RANDOM_BITS = 74
_VERSION = 7
_VARIANT = 0b10


def new_asset_id() -> UUID:
    """A new id: milliseconds since 1970, then 74 random bits."""
    random = int.from_bytes(os.urandom(10)) & ((1 << _RANDOM_BITS) - 1)
    high, low = random >> 62, random & ((1 << 62) - 1)
    value = (time.time_ns() // 1_000_000) << 80 | _VERSION << 76 | high << 64 | _VARIANT << 62 | low
    return UUID(int=value)
