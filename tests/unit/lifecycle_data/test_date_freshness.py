"""The freshness figure as a person reads it."""

from typing import Any

import pytest

from lifecycle.data.date_freshness import freshness_text

NOTHING = {"reason": None, "next_action": None}


@pytest.mark.parametrize(
    ("dates", "text"),
    [
        ({"devices": 0, "fresh": 0, "read": 0, "within_seconds": 86_400}, "no device to read dates of"),
        (
            {"devices": 50, "fresh": 48, "read": 50, "within_seconds": 86_400},
            "dates of 96 % of devices read within 24 h",
        ),
        (
            {"devices": 1000, "fresh": 999, "read": 999, "within_seconds": 600},
            "dates of 99 % of devices read within 10 min 0 s, 1 never yet",
        ),
        (
            {
                "devices": 1,
                "fresh": 0,
                "read": 1,
                "within_seconds": 3600,
                "reason": "no right",
                "next_action": "get it",
            },
            "dates of 0 % of devices read within 1 h; not going on: no right; get it",
        ),
    ],
)
def test_the_figure_is_rounded_down_and_says_what_stands_against_it(dates: dict[str, Any], text: str) -> None:
    assert freshness_text({**NOTHING, **dates}) == text
