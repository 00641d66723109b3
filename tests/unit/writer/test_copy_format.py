"""Values in COPY's binary format, byte by byte as the manual has them. Postgres is asked in an integration test."""

import struct
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.writer import copy_format


def test_a_value_is_its_length_and_its_bytes() -> None:
    assert copy_format.text("Zoë") == b"\x00\x00\x00\x04Zo\xc3\xab"
    assert copy_format.raw(b"{}") == b"\x00\x00\x00\x02{}"
    assert copy_format.bigint(-2) == b"\x00\x00\x00\x08" + b"\xff" * 7 + b"\xfe"
    assert copy_format.uuid(UUID(int=5)) == b"\x00\x00\x00\x10" + bytes(15) + b"\x05"


def test_nothing_is_null_and_no_text_is_a_text() -> None:
    for encode in (copy_format.text, copy_format.texts, copy_format.bigint, copy_format.instant):
        assert encode(None) == b"\xff\xff\xff\xff"
    assert copy_format.text("") == bytes(4)


def test_an_array_has_one_dimension_that_counts_from_one() -> None:
    inside = struct.pack("!iiiii", 1, 0, 25, 2, 1) + b"\x00\x00\x00\x01a" + b"\x00\x00\x00\x02bc"
    assert copy_format.texts(["a", "bc"]) == struct.pack("!i", len(inside)) + inside
    assert copy_format.texts([]) == struct.pack("!iiii", 12, 0, 0, 25)


def test_a_point_in_time_is_microseconds_since_2000() -> None:
    assert copy_format.instant(datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == copy_format.bigint(-1)


def test_a_number_of_nine_bytes_is_refused() -> None:
    with pytest.raises(struct.error):
        copy_format.bigint(2**63)
