"""Which date counts: the named, versioned rule, with the winner, every loser, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.dates.calendar import PURCHASE, DateField
from shared.dates.sources import MANUAL, is_integration

RULE: Final = "manual-else-chosen-else-extreme/1"
"""A manual date wins until it is cleared; else a remote date that won a conflict; else the earliest purchase date and
the latest warranty expiration among lookups and integrations. A date that a person excluded never counts."""


@dataclass(frozen=True)
class Observation:
    """What one source says of one field. `chosen`: it won a conflict, by a person or by the integration's policy."""

    source: str
    value: date | None
    excluded: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Loser:
    """A date that does not count, and why."""

    source: str
    value: date
    why: str


@dataclass(frozen=True)
class Resolution:
    """What counts: `value` and `origin` are None together, where nobody says anything that counts."""

    field: DateField
    value: date | None
    origin: str | None
    why: str
    losers: tuple[Loser, ...] = ()
    rule: str = RULE


def resolve(field: DateField, observations: Iterable[Observation]) -> Resolution:
    """Compute the value of a field. The order of the observations does not matter."""
    said = sorted((each for each in observations if each.value is not None), key=lambda each: each.source)
    counting = [each for each in said if not each.excluded]
    winner, why = _winner(field, counting)
    losers = tuple(
        Loser(each.source, each.value, _why_not(field, each, winner))
        for each in said
        if each is not winner and each.value is not None
    )
    if winner is None:
        return Resolution(field, None, None, why, losers)
    return Resolution(field, winner.value, winner.source, why, losers)


def _winner(field: DateField, counting: Sequence[Observation]) -> tuple[Observation | None, str]:
    if not counting:
        return None, "no source says a date that counts"
    manual = next((each for each in counting if each.source == MANUAL), None)
    if manual:
        return manual, "a person set it"
    chosen = [each for each in counting if each.chosen]
    if chosen:
        return _extreme(field, chosen), "it was taken in a conflict"
    extreme = _extreme(field, counting)
    if len(counting) == 1:
        return extreme, "the only source"
    word = "earliest" if field == PURCHASE else "latest"
    return extreme, f"the {word} of {len(counting)} sources"


def _extreme(field: DateField, some: Sequence[Observation]) -> Observation:
    # Of equal dates a lookup's goes first: it may be written to an RMM. Then the name, so that the order is total.
    if field == PURCHASE:
        return min(some, key=lambda each: (each.value or date.max, is_integration(each.source), each.source))
    return min(some, key=lambda each: (-(each.value or date.min).toordinal(), is_integration(each.source), each.source))


def _why_not(field: DateField, loser: Observation, winner: Observation | None) -> str:
    if loser.excluded:
        return "a person excluded it"
    if winner is None or winner.source == MANUAL:
        return "a manual date wins until it is cleared"
    if winner.chosen and not loser.chosen:
        return "another date was taken in a conflict"
    if winner.value == loser.value:
        return f"the same date as {winner.source}"
    return "later than the earliest" if field == PURCHASE else "earlier than the latest"
