"""Numbers and times as a person reads them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from lifecycle.data import words

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.81, "0.8 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (3 * 86400, "3 days")],
)
def test_durations_use_the_unit_that_fits(seconds: float, expected: str) -> None:
    assert words.duration(seconds) == expected


def test_times_are_told_from_now_both_ways() -> None:
    assert words.ago(None) == "never"
    assert words.ago(NOW - timedelta(seconds=30), NOW) == "30 s ago"
    assert words.ago(NOW + timedelta(hours=5), NOW) == "in 5 h 0 min"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (None, ""),
        (date(2026, 5, 4), "2026-05-04 (today)"),
        (date(2026, 5, 5), "2026-05-05 (in 1 day)"),
        (date(2026, 3, 24), "2026-03-24 (41 days ago)"),
        (date(2030, 5, 4), "2030-05-04 (in 4.0 years)"),
    ],
)
def test_a_day_is_told_with_how_far_it_is(day: date | None, expected: str) -> None:
    assert words.day_in_words(day, date(2026, 5, 4)) == expected


def test_a_run_is_one_sentence_with_its_reason() -> None:
    run: dict[str, Any] = {
        "integration": "Acme",
        "status": "partial",
        "reason": "1 of 3 lists could not be read to the end",
        "requested_at": NOW,
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=12),
        "balance": {"seen": 1200, "created": 1000, "updated": 0, "unchanged": 200, "rejected": 0, "repeated": 0},
        "missing": 0,
        "archived": 0,
    }
    assert words.outcome(run) == (
        "sync of Acme: partial after 12 s, 1,200 devices = 1,000 created + 200 unchanged; "
        "1 of 3 lists could not be read to the end"
    )
