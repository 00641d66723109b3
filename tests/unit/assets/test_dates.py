"""Calendar dates: sane ones only, and what follows from them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.assets.dates import age, is_sane, sane_date, warranty_status

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2027-03-01", date(2027, 3, 1)),
        ("2027-03-01T23:30:00-11:00", date(2027, 3, 1)),
        ("2024-02-29T00:00:00Z", date(2024, 2, 29)),
        ("1990-01-02", date(1990, 1, 2)),
        ("2099-12-31", date(2099, 12, 31)),
    ],
)
def test_a_date_is_read_as_it_stands(sent: str, expected: date) -> None:
    assert sane_date(sent) == expected


@pytest.mark.parametrize(
    "sent",
    [None, "", "1900-01-01", "1970-01-01", "9999-12-31", "0001-01-01T00:00:00Z", "1990-01-01", "2100-01-01",
     "03/04/2025", "2025-02-29", "1704067200", "soon"],
)  # fmt: skip
def test_what_makes_no_sense_is_no_date(sent: str | None) -> None:
    assert sane_date(sent) is None


@pytest.mark.parametrize(
    ("expires", "status"),
    [
        (None, "unknown"),
        (TODAY - timedelta(days=1), "expired"),
        (TODAY, "expiring"),
        (TODAY + timedelta(days=90), "expiring"),
        (TODAY + timedelta(days=91), "active"),
    ],
)
def test_a_warranty_is_good_through_its_last_day(expires: date | None, status: str) -> None:
    assert warranty_status(expires, TODAY) == status


def test_how_early_a_warranty_expires_can_be_chosen() -> None:
    assert warranty_status(TODAY + timedelta(days=31), TODAY, expiring_days=30) == "active"


@given(st.dates(), st.dates())
def test_every_pair_of_dates_has_a_status(expires: date, today: date) -> None:
    assert (warranty_status(expires, today) == "expired") == (expires < today)


def test_age_is_in_years_and_unknown_for_what_is_yet_to_come() -> None:
    assert age(date(2023, 11, 24), TODAY) == 3.0
    assert age(TODAY, TODAY) == 0.0
    assert age(None, TODAY) is None
    assert age(TODAY + timedelta(days=1), TODAY) is None


@given(st.dates())
def test_only_dates_between_the_bounds_are_sane(value: date) -> None:
    assert is_sane(value) == (date(1990, 1, 1) < value < date(2100, 1, 1))
