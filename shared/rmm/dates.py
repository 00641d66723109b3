"""Calendar dates as the vendor may spell them (API notes 5): cut, never shifted."""

import re
from datetime import date
from typing import Final

__all__ = ["parse_remote_date"]

# ASCII digits only: \d would take any script's.
_DATE: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?)?"
)


def parse_remote_date(text: str | None) -> date | None:
    """Read a calendar date: `2027-03-01`, alone or with a time, a fraction, and `Z` or an offset after it.

    The date is what stands there: it is cut off before any zone is looked at, so no offset moves it to another day.
    None for an empty text and for anything else (`03/04/2025`, a number, a day that does not exist); nothing is
    guessed. Sentinels such as 1900-01-01 are dates here; whether they make sense is another module's question.
    """
    found = _DATE.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    try:
        return date.fromisoformat(found["day"])
    except ValueError:
        return None
