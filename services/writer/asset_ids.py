"""Ids of new assets: UUID version 7, so that neighbours in time are neighbours in the index (RFC 9562, 5.7)."""

import time
from random import getrandbits
from uuid import UUID

_RANDOM_BITS = 74
_VERSION = 7
_VARIANT = 0b10


def new_asset_id() -> UUID:
    """A new id: milliseconds since 1970, then 74 random bits."""
    # Not a secret: unique is enough, and the system's source costs a call into the kernel for each device.
    random = getrandbits(_RANDOM_BITS)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=(time.time_ns() // 1_000_000) << 80 | _VERSION << 76 | high << 64 | _VARIANT << 62 | low)
