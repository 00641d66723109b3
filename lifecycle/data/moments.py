"""Times as a person types them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from lifecycle.exits import WrongUsage

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_moment(option: str, text: str) -> datetime:
    """`30m`, `2h`, `7d` ago, `now`, a day, or an RFC 3339 time; UTC where it names no zone.

    Raises `WrongUsage`, which names the option.
    """
    given = text.strip()
    if given == "now":
        return datetime.now(UTC)
    try:
        if found := re.fullmatch(r"([0-9]{1,6})([smhd])", given):
            return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
        at = datetime.fromisoformat(given)
    except (ValueError, OverflowError):
        raise WrongUsage(
            f"{option} {text!r} is no time", "give 2h or 7d, a day such as 2026-11-24, or an RFC 3339 time"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
