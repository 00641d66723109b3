"""What a preflight says of the dates."""

import pytest

from services.fetcher.findings import (
    Adapter,
    DatePlace,
    created,
    in_custom_field,
    not_created,
    patched,
    result_of,
    unreadable,
)
from shared.dates.calendar import PURCHASE
from shared.errors import RmmRefused
from shared.rmm.custom_fields import FieldDefinition

FIELD = FieldDefinition("f1", " purchase DATE ", "string")
REFUSED = RmmRefused("no, because", status=409, words="exists")


def place(adapter: Adapter = "auto", *, remembered: bool = False) -> DatePlace:
    return DatePlace(PURCHASE, "Purchase Date", "purchaseDate", adapter, remembered)


@pytest.mark.parametrize(
    ("adapter", "remembered", "words"),
    [
        ("auto", False, "a PATCH of member 'purchaseDate' is tried before it; whether the key may write it is known"),
        ("custom_fields", False, "(string); whether the key may write it is known at the first write"),
        ("custom_fields", True, "(string); a write was kept this way before"),
    ],
)
def test_a_field_that_is_there_tells_which_way_is_used_and_what_is_known_of_writing(
    adapter: Adapter, remembered: bool, words: str
) -> None:
    finding = in_custom_field(place(adapter, remembered=remembered), [FIELD])
    assert (finding.ok, finding.adapter, finding.field) == (True, adapter, PURCHASE)
    assert words in finding.detail


def test_a_missing_field_tells_how_to_create_it() -> None:
    finding = in_custom_field(place("custom_fields"), [])
    assert (finding.ok, finding.detail) == (False, "the RMM has no custom field 'Purchase Date' for devices")
    assert finding.next_action
    assert "--create-definitions" in finding.next_action


def test_where_dates_are_patched_no_custom_field_is_asked_for() -> None:
    assert patched(place("patch", remembered=True)).detail.endswith("by PATCH; a write was kept this way before")


def test_dates_that_cannot_be_read_fail_no_preflight_and_a_field_that_was_not_created_does() -> None:
    assert result_of([unreadable(place(), REFUSED)])["ok"]
    assert result_of([created([]), created([FIELD])])["ok"]
    assert not result_of([created([FIELD]), not_created("Purchase Date", REFUSED)])["ok"]
