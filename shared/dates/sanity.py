"""Dates that make no sense are refused with a reason, and so never reach an RMM."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from shared.dates.calendar import PURCHASE, WARRANTY, DateField

EARLIEST: Final = date(1980, 1, 1)
LATEST: Final = date(2100, 12, 31)
# What software writes when it has nothing: years 1, OLE and Excel, SQL Server, Unix, DOS, and "never".
SENTINELS: Final = frozenset(
    {
        date(1, 1, 1),
        date(1899, 12, 30),
        date(1899, 12, 31),
        date(1900, 1, 1),
        date(1970, 1, 1),
        date(1980, 1, 1),
        date(9999, 12, 31),
    }
)
LARGEST_SKEW: Final = timedelta(days=1)
"""How far a publisher's clock may be ahead; such an edit counts as made when it was received."""


@dataclass(frozen=True)
class Refusal:
    """Why an edit is not taken: a stable code, words, and what to do."""

    code: str
    reason: str
    next_action: str


def refuse_value(field: DateField, value: date | None, *, virtual_machine: bool = False) -> Refusal | None:
    """Refuse a sentinel, an absurd date, and a warranty of a virtual machine. Clearing is always allowed."""
    if value is None:
        return None
    if value in SENTINELS:
        return Refusal(
            "sentinel_date",
            f"{value} stands for no date in other software",
            "send the true date, or null to clear it",
        )
    if not EARLIEST <= value <= LATEST:
        return Refusal("absurd_date", f"{value} lies outside {EARLIEST} to {LATEST}", "send the true date")
    if virtual_machine and field == WARRANTY:
        return Refusal(
            "virtual_machine", "a virtual machine has no warranty", "set it on the machine that runs it, if anywhere"
        )
    return None


def refuse_pair(purchase: date | None, warranty: date | None, field: DateField) -> Refusal | None:
    """Refuse a warranty that ends before the purchase; `field` is the one being edited."""
    if purchase is None or warranty is None or warranty >= purchase:
        return None
    if field == PURCHASE:
        reason = f"the purchase date {purchase} is after the warranty's end {warranty}"
    else:
        reason = f"the warranty's end {warranty} is before the purchase date {purchase}"
    return Refusal("expires_before_purchase", reason, "correct one of the two dates first")


def refuse_moment(edited_at: datetime, received_at: datetime) -> Refusal | None:
    """Refuse an edit from the future: its publisher's clock is wrong, and it would win over every true edit."""
    if edited_at - received_at <= LARGEST_SKEW:
        return None
    return Refusal(
        "edited_in_the_future",
        f"edited_at {edited_at.isoformat()} is more than a day after it was received",
        "correct the publisher's clock and send it again",
    )
