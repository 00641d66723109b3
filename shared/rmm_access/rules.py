"""What the sweep of dates may have of a request budget: what edits and lists leave. Pure (docs/adr/0022)."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Final

PACE_SHARE: Final = 0.008
"""So much of the budget at most may the sweep take at once: 4 requests of 450."""

PACE_AHEAD: Final = 0.95
"""Of the time in which that much leaves the window. With the whole of it, what a turn takes to begin would be lost."""

BEFORE_PAGES: Final = 3
"""What a list asks before its first page: a sign-in, the companies, the sites."""

LIST_ALONE: Final = timedelta(hours=1)
"""So long the sweep stands aside for a list; for one that takes longer it claims devices again."""


@dataclass(frozen=True)
class BudgetRules:
    """At most `requests` in any `window`, of which `reserve` are left to edits."""

    requests: int
    window: timedelta
    reserve: int


@dataclass(frozen=True)
class Lists:
    """What is known of an integration's lists.

    `listing_for`: how long ago the one was asked for that is queued or read now, None where none is. `due_in`: how long
    until the next one by schedule, negative where it should have begun, None where none is due within a window.
    `pages`: how many the last full list had.
    """

    listing_for: timedelta | None = None
    due_in: timedelta | None = None
    pages: int = 0


def left_by_sweep(rules: BudgetRules, lists: Lists) -> int:
    """How many requests of the budget the sweep does not take: those of edits, and those of a list that is foreseen.

    Always fewer than the budget, or a small one would never be swept.
    """
    room = 0
    if lists.listing_for is not None:
        # No device is claimed any more, but a turn may be under way. After an hour both go on, and the list before.
        room = rules.reserve
    foreseen = lists.due_in is not None and lists.due_in <= rules.window
    if foreseen or (lists.listing_for is not None and lists.listing_for < LIST_ALONE):
        # What is taken now is still counted when the list begins.
        room = max(room, lists.pages + BEFORE_PAGES)
    return min(rules.reserve + room, rules.requests - 1)


def pace_of(rules: BudgetRules) -> tuple[int, timedelta]:
    """At most so many requests of the sweep in any such time.

    What is used up leaves the window as evenly as it was taken, so that a list which nobody foresaw is given requests
    from its first second.
    """
    requests = max(1, ceil(rules.requests * PACE_SHARE))
    return requests, rules.window * (requests / rules.requests * PACE_AHEAD)
