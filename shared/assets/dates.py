"""Calendar dates of an asset: which make sense, and what people derive from them. Pure; today is passed in."""

from datetime import date
from typing import Final, Literal

from shared.rmm.dates import parse_remote_date

WarrantyStatus = Literal["active", "expiring", "expired", "unknown"]

EARLIEST: Final = date(1990, 1, 1)
LATEST: Final = date(2100, 1, 1)
"""A date makes sense strictly between these two: the sentinels 1900-01-01, 1970-01-01 and 9999-12-31 lie outside."""

EXPIRING_DAYS: Final = 90
_DAYS_A_YEAR: Final = 365.2425


def is_sane(value: date) -> bool:
    """Return whether a date can be a purchase or a warranty expiration date."""
    return EARLIEST < value < LATEST


def sane_date(sent: str | None) -> date | None:
    """Read a calendar date as the vendor spells it, never shifted by a zone; None where it makes no sense."""
    value = parse_remote_date(sent)
    return value if value is not None and is_sane(value) else None


def warranty_status(expires: date | None, today: date, expiring_days: int = EXPIRING_DAYS) -> WarrantyStatus:
    """Return how a warranty stands on `today`: it is good through the day on which it expires.

    `expiring` from `expiring_days` days before that day on; `unknown` without a date.
    """
    if expires is None:
        return "unknown"
    left = (expires - today).days
    if left < 0:
        return "expired"
    return "expiring" if left <= expiring_days else "active"


def age(purchased: date | None, today: date) -> float | None:
    """Return the age in years, to a tenth; None without a date, or with one that is yet to come."""
    if purchased is None or purchased > today:
        return None
    return round((today - purchased).days / _DAYS_A_YEAR, 1)
