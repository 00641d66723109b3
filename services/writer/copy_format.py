"""Values as COPY takes them in its binary format: a length, then what the type's own receive function reads. Pure.

The driver can encode records too, but it asks of each text of an array whether that is an array itself, and turns each
stamp through time zones: a row of ours costs it three times as much (docs/adr/0028). The format is Postgres's own and
the same since version 7.4: "COPY", Binary Format; the types' in src/backend/utils/adt (textrecv, array_recv, uuid_recv,
int8recv, timestamptz_recv).
"""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)  # no flags, nothing more in the header
TRAILER: Final = struct.pack("!h", -1)
NULL: Final = struct.pack("!i", -1)

_TEXT_OID: Final = 25
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NO_TEXTS: Final = struct.pack("!iiii", 12, 0, 0, _TEXT_OID)

_length: Final = struct.Struct("!i").pack
_long: Final = struct.Struct("!iq").pack
_texts: Final = struct.Struct("!iiiiii").pack
_ARRAY_HEADER_BYTES: Final = 20


def row(columns: int) -> bytes:
    """What a row of so many columns begins with."""
    return struct.pack("!h", columns)


def raw(value: bytes) -> bytes:
    """Bytes as they are: json, or a value that stands in the type's own form."""
    return _length(len(value)) + value


def text(value: str | None) -> bytes:
    """A text. Postgres refuses one with a NUL."""
    if value is None:
        return NULL
    encoded = value.encode()
    return _length(len(encoded)) + encoded


remembered_text: Final = lru_cache(maxsize=8192)(text)
"""`text` for what many rows share: companies, sites, models, systems."""


def texts(values: Sequence[str] | None) -> bytes:
    """An array of texts in one dimension."""
    if values is None:
        return NULL
    if not values:
        return _NO_TEXTS
    inside = b"".join(map(text, values))
    # One dimension, no nulls among them, counted from 1.
    return _texts(_ARRAY_HEADER_BYTES + len(inside), 1, 0, _TEXT_OID, len(values), 1) + inside


def uuid(value: UUID) -> bytes:
    """A UUID."""
    return b"\x00\x00\x00\x10" + value.bytes


def bigint(value: int | None) -> bytes:
    """A whole number of eight bytes. Raises struct.error for one that needs more."""
    return NULL if value is None else _long(8, value)


def instant(value: datetime | None) -> bytes:
    """A point in time, which must have a time zone: microseconds since 2000 in UTC."""
    return NULL if value is None else _long(8, (value - _EPOCH) // _MICROSECOND)
