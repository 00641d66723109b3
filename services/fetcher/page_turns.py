"""A turn of pages: which list it reads, and how long it lasts. Pure."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

TURN_SECONDS: Final = 3.0
"""A turn that is older begins no other page: so a stop is quick, and whoever waits in the queue gets on."""


@dataclass(frozen=True)
class PageTurn:
    """A turn of the list of a scope, which began at `first_page`. `retried`: a page of it has failed before."""

    scope_id: UUID
    first_page: int
    correlation_id: str
    retried: bool = False


@dataclass(frozen=True)
class TurnRules:
    """When a list goes on with its next page at once, instead of going to the back of the line.

    `lists_at_once` is how many lists of one integration are read at a time, `turns_at_once` how many turns one fetcher
    works on.
    """

    lists_at_once: int
    turns_at_once: int

    def goes_on(self, turn: PageTurn, *, seconds: float, syncing: int) -> bool:
        """Whether a turn that has lasted so long takes another page, while so many integrations sync.

        Only while the lists of all of them fit beside each other: then nobody waits in the line to which it would go.
        And not after a failure, which its message counts: the next page has all its tries.
        """
        return not turn.retried and seconds < TURN_SECONDS and syncing * self.lists_at_once <= self.turns_at_once
