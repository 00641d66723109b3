"""The start of an id as a range of ids."""

from uuid import uuid4

import pytest

from lifecycle.data.assets import id_range

ID = uuid4()


@pytest.mark.parametrize("length", [6, 8, 9, 13, 14, 20, 35, 36])
def test_an_id_is_in_the_range_of_its_start_whose_ends_begin_so_too(length: int) -> None:
    low, high = id_range(str(ID)[:length].upper())
    assert low is not None
    assert high is not None
    assert low <= ID <= high
    assert all(str(end).startswith(str(ID)[:length]) for end in (low, high))


@pytest.mark.parametrize("word", ["", "12345", "PC-ACME-1", "------", "1234-5678", "0" * 33, "srv-01", "ä" * 8])
def test_a_word_that_no_id_begins_with_has_none(word: str) -> None:
    assert id_range(word) == (None, None)
