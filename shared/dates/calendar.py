"""Calendar dates and the two fields that hold one. A date is what is written there; no zone ever moves it."""

import re
from datetime import date
from typing import Final, Literal

DateField = Literal["purchase_date", "warranty_expiration_date"]

PURCHASE: Final[DateField] = "purchase_date"
WARRANTY: Final[DateField] = "warranty_expiration_date"
FIELDS: Final[tuple[DateField, ...]] = (PURCHASE, WARRANTY)

# RFC 3339, 5.6: full-date, or date-time with its offset. ASCII digits only: \d would take any script's.
_WRITTEN: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]))?"
)
_LONGEST: Final = 64


def read_date(text: str) -> date:
    """Read `2027-03-01`, alone or as the day of an RFC 3339 date-time.

    The day is cut off before anything looks at the offset, so `2027-03-01T23:30:00-11:00` is the first of March
    everywhere. Raises ValueError for every other spelling: nothing is guessed, `03/04/2025` least of all.
    """
    found = _WRITTEN.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError("not a date as YYYY-MM-DD")
    try:
        return date.fromisoformat(found["day"])
    except ValueError:
        raise ValueError("a day that no calendar has") from None


def is_field(name: str) -> bool:
    """Tell whether this is one of the two fields."""
    return name in FIELDS


def other_field(field: DateField) -> DateField:
    """Return the other of the two fields."""
    return WARRANTY if field == PURCHASE else PURCHASE
