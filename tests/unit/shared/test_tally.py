"""When the sums of a run's chunks are the whole truth."""

from dataclasses import replace

import pytest

from shared.runs.conclusion import Balance
from shared.runs.tally import Tally

PLAIN = Tally(
    devices=10,
    seen_off=0,
    active=10,
    missing=0,
    unrecorded=0,
    keys=10,
    created=4,
    updated=1,
    unchanged=5,
    rejected=2,
    repeated=1,
)


def test_the_sums_are_the_balance_sheet_where_every_device_came_in_one_chunk() -> None:
    assert PLAIN.balance(13) == Balance(seen=13, created=4, updated=1, unchanged=5, rejected=2, repeated=1)


@pytest.mark.parametrize("odd", [replace(PLAIN, keys=11), replace(PLAIN, unrecorded=1)])
def test_devices_are_counted_one_by_one_where_a_chunk_counts_twice_or_not_at_all(odd: Tally) -> None:
    assert odd.balance(13) is None


def test_nobody_is_gone_where_as_many_were_seen_as_stand() -> None:
    assert PLAIN.all_there
    assert replace(PLAIN, active=9, seen_off=1).all_there


@pytest.mark.parametrize(
    "odd",
    [
        replace(PLAIN, active=11),
        replace(PLAIN, missing=1),
        # As many as stand, but one of them is archived by now: another is gone.
        replace(PLAIN, seen_off=1),
    ],
)
def test_the_gone_are_looked_for_where_one_may_be(odd: Tally) -> None:
    assert not odd.all_there
