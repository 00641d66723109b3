"""What to do about one field of one device in the RMM: what it is to hold, and what a look there means."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal
from uuid import UUID

from shared.dates.echo import Known, RemoteState
from shared.dates.resolving import Resolution
from shared.dates.sources import integration_source, may_be_written

PushStatus = Literal["none", "waiting", "writing", "written", "unchanged", "failed", "held"]

MAX_AGE: Final = timedelta(hours=24)
"""A date that could not be written for so long, pauses not counted, is given up."""

# A write may be seen only a little later; nothing is known of how much (API notes 4, quirk 14).
RECHECKS: Final = (timedelta(seconds=1), timedelta(seconds=4), timedelta(seconds=15), timedelta(seconds=40))
_BACKOFF: Final = (timedelta(seconds=2), timedelta(seconds=10), timedelta(seconds=60), timedelta(minutes=5))

Wish = Literal["set", "withdraw", "nothing"]


@dataclass(frozen=True)
class Seen:
    """What a look showed. `readable` is False where a text stands there that is no date."""

    value: date | None
    readable: bool = True


def wish(resolution: Resolution, integration_id: UUID, *, ours: bool = False) -> Wish:
    """Tell what an integration is to hold, now that this counts.

    A date of an RMM is never written (origin gate); where one counts, or none, only a date of ours is taken back.
    The integration whose own date counts keeps what it has; but where a date of ours is there or on its way (`ours`),
    its own is gone, and ours is taken back.
    """
    if resolution.origin is None:
        return "withdraw"
    if may_be_written(resolution.origin):
        return "set"
    own = resolution.origin == integration_source(integration_id)
    return "nothing" if own and not ours else "withdraw"


def plan_field(wanted: date | None, seen: Seen, state: RemoteState) -> Literal["write", "already", "not_ours"]:
    """Tell what is to be done after a look: write only what differs, and clear only what we put there."""
    if seen.readable and seen.value == wanted:
        return "already"
    if wanted is None and (not seen.readable or Known(seen.value) not in {state.written, state.writing}):
        return "not_ours"
    return "write"


def judge_read_back(wanted: date | None, before: Seen, seen: Seen) -> Literal["kept", "not_kept", "changed"]:
    """Judge the look after a write: there it is, there is still the old one, or somebody was quicker than our look."""
    if seen.readable and seen.value == wanted:
        return "kept"
    return "not_kept" if seen == before or seen.value is None else "changed"


def backoff(attempts: int) -> timedelta:
    """Tell how long to wait after so many tries."""
    return _BACKOFF[min(max(attempts, 1), len(_BACKOFF)) - 1]
