"""Ids of assets: UUID version 7, in the order of time."""

import time
from itertools import pairwise
from uuid import RFC_4122, UUID

from services.writer.asset_ids import new_asset_ids


def new(count: int) -> list[UUID]:
    return [UUID(bytes=made) for made in new_asset_ids(count)]


def test_an_id_is_a_uuid_of_version_7() -> None:
    for made in new(200):
        assert (made.version, made.variant) == (7, RFC_4122)


def test_an_id_begins_with_the_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    (made,) = new(1)
    after = time.time_ns() // 1_000_000
    assert before <= made.int >> 80 <= after


def test_later_ids_are_larger_from_one_millisecond_to_the_next() -> None:
    made = [each for _ in range(300) for each in new(10)]
    stamps = [each.int >> 80 for each in made]
    assert stamps == sorted(stamps)
    assert all(earlier < later for earlier, later in pairwise(made) if earlier.int >> 80 < later.int >> 80)


def test_ids_of_one_millisecond_differ() -> None:
    made = new(3000)
    assert len(set(made)) == len(made)


def test_every_random_bit_is_used() -> None:
    """Of 200 ids a bit that is random is neither always set nor never."""
    made = [each.int for each in new(200)]
    random_bits = [*range(62), *range(64, 76)]
    assert all(0 < sum(value >> bit & 1 for value in made) < len(made) for bit in random_bits)
