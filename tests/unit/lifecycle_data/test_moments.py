"""Times as a person types them."""

from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.data.moments import read_moment
from lifecycle.exits import WrongUsage


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("now", timedelta()),
        ("90s", timedelta(seconds=90)),
        (" 30m ", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
    ],
)
def test_so_long_ago(text: str, ago: timedelta) -> None:
    before = datetime.now(UTC)
    assert before <= read_moment("--since", text) + ago <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T10:30", datetime(2026, 11, 24, 10, 30, tzinfo=UTC)),
        ("2026-11-24T10:30:00Z", datetime(2026, 11, 24, 10, 30, tzinfo=UTC)),
        ("2026-11-24T10:30:00+02:00", datetime(2026, 11, 24, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_day_or_a_time(text: str, at: datetime) -> None:
    assert read_moment("--since", text) == at


@pytest.mark.parametrize("text", ["", "soon", "2h30m", "999999d", "2026-13-01", "-2h"])
def test_nonsense_names_its_option(text: str) -> None:
    with pytest.raises(WrongUsage, match="--from"):
        read_moment("--from", text)
