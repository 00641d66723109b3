"""What a preflight says of the dates."""

from uuid import uuid4

import pytest

from services.fetcher.findings import (
    Adapter,
    DatePlace,
    WriteRight,
    created,
    in_custom_field,
    not_created,
    patched,
    result_of,
    unreadable,
)
from shared.dates.calendar import PURCHASE
from shared.errors import Locked, RmmRefused, ScopeMissing
from shared.rmm.custom_fields import FieldDefinition

FIELD = FieldDefinition("f1", " purchase DATE ", "string")
REFUSED = RmmRefused("no, because", status=409, words="exists")
WRITES, NOBODY_KNOWS = WriteRight(), WriteRight(unknown=Locked("come back later"))
LACKS_SCOPE = ScopeMissing("the key lacks platform.devices.write", integration_id=uuid4())
READS_ONLY = WriteRight(refused=LACKS_SCOPE)


def place(adapter: Adapter = "auto", *, remembered: bool = False) -> DatePlace:
    return DatePlace(PURCHASE, "Purchase Date", "purchaseDate", adapter, remembered)


@pytest.mark.parametrize(
    ("adapter", "remembered", "right", "words"),
    [
        ("auto", False, WRITES, "a PATCH of member 'purchaseDate' is tried before it; the key may write it; whether"),
        ("custom_fields", False, WRITES, "(string); the key may write it; whether the RMM keeps it shows at the first"),
        ("custom_fields", True, WRITES, "(string); the key may write it, and a write was kept this way before"),
        (
            "custom_fields",
            True,
            NOBODY_KNOWS,
            "(string); whether the key may write it is known at the first write (come",
        ),
    ],
)
def test_a_field_that_is_there_tells_which_way_is_used_and_what_is_known_of_writing(
    adapter: Adapter, remembered: bool, right: WriteRight, words: str
) -> None:
    finding = in_custom_field(place(adapter, remembered=remembered), right, [FIELD])
    assert (finding.ok, finding.adapter, finding.field) == (True, adapter, PURCHASE)
    assert (finding.may_read, finding.may_write) == (True, None if right is NOBODY_KNOWS else True)
    assert words in finding.detail


@pytest.mark.parametrize("remembered", [False, True])
def test_a_key_that_may_not_write_is_told_with_the_scopes_that_it_lacks_and_still_reads(remembered: bool) -> None:
    for finding in (
        in_custom_field(place("custom_fields", remembered=remembered), READS_ONLY, [FIELD]),
        patched(place("patch", remembered=remembered), READS_ONLY),
    ):
        assert (finding.ok, finding.may_read, finding.may_write) == (False, True, False)
        assert finding.detail.endswith("; not writable: the key lacks platform.devices.write")
        assert finding.next_action == LACKS_SCOPE.next_action
    assert result_of([in_custom_field(place(), READS_ONLY, [FIELD])])["ok"]


def test_what_is_to_be_done_about_reading_and_writing_is_said_once() -> None:
    missing = in_custom_field(place("custom_fields"), READS_ONLY, [])
    assert missing.next_action
    assert all(words in missing.next_action for words in ("--create-definitions", "; and make a key"))
    both = unreadable(place(), READS_ONLY, LACKS_SCOPE)
    assert (both.may_read, both.next_action) == (False, LACKS_SCOPE.next_action)


def test_a_missing_field_tells_how_to_create_it() -> None:
    finding = in_custom_field(place("custom_fields"), WRITES, [])
    assert (finding.ok, finding.detail) == (False, "the RMM has no custom field 'Purchase Date' for devices")
    assert finding.next_action
    assert "--create-definitions" in finding.next_action


def test_where_dates_are_patched_no_custom_field_is_asked_for() -> None:
    finding = patched(place("patch", remembered=True), WRITES)
    assert finding.detail.endswith("by PATCH; the key may write it, and a write was kept this way before")


def test_dates_that_cannot_be_read_fail_no_preflight_and_a_field_that_was_not_created_does() -> None:
    assert result_of([unreadable(place(), WRITES, REFUSED)])["ok"]
    assert result_of([created([]), created([FIELD])])["ok"]
    assert not result_of([created([FIELD]), not_created("Purchase Date", REFUSED)])["ok"]
