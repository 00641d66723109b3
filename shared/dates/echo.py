"""Whose date is it that came back from the RMM: our own, an old page's, nobody's news, or somebody's change there.

Sequence numbers are issued by our Postgres just before each request, so of two answers the one with the higher number
was asked for later. Kept for each (integration, device, field).
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

Verdict = Literal["echo", "stale", "unchanged", "first_sight", "remote_change"]
"""echo: what we wrote. stale: asked for before what we know. unchanged: as last seen. first_sight: never looked before.
remote_change: somebody changed it in the RMM."""


@dataclass(frozen=True)
class Known:
    """A known content of a field in the RMM; None is known to be empty. No Known at all: nobody knows."""

    value: date | None


@dataclass(frozen=True)
class RemoteState:
    """What we know of one field of one device in the RMM.

    `seen` is the last content read, by request `seen_seq`. `written` is what we last wrote and read back, by request
    `confirmed_seq`, and `before` what it replaced. `writing` is what was sent and not read back yet; while it is
    `in_flight` its writer has the field in hand, and may be writing this very moment.
    """

    seen: Known | None = None
    seen_seq: int = 0
    before: Known | None = None
    written: Known | None = None
    confirmed_seq: int = 0
    writing: Known | None = None
    in_flight: bool = False


def judge_pulled(value: date | None, observed_seq: int, state: RemoteState) -> Verdict:
    """Judge a content that request number `observed_seq` brought.

    What is in flight is settled by its writer's own look, with a later number than this. A write of which nobody knows
    whether it came there hides no change: what is neither it nor what stood there before is somebody's.
    """
    pulled = Known(value)
    if state.writing is not None and (pulled == state.writing or state.in_flight):
        return "echo" if pulled == state.writing else "stale"
    if observed_seq <= state.seen_seq:
        return "echo" if pulled == state.written else "stale"
    if pulled == state.written:
        return "echo"
    if pulled == state.before and observed_seq < state.confirmed_seq:
        return "stale"
    if state.seen is None:
        return "first_sight"
    return "unchanged" if pulled == state.seen else "remote_change"


def after_pull(value: date | None, observed_seq: int, state: RemoteState) -> RemoteState:
    """Return the state after a pull; only a newer look changes it.

    After somebody's change what we wrote is gone from there, so the same date later is news again, and no echo.
    """
    verdict = judge_pulled(value, observed_seq, state)
    if verdict == "stale" or observed_seq <= state.seen_seq or Known(value) == state.writing:
        return state
    seen = replace(state, seen=Known(value), seen_seq=observed_seq)
    return replace(seen, before=None, written=None, writing=None) if verdict == "remote_change" else seen


def begin_writing(wanted: date | None, seen: Known | None, observed_seq: int, state: RemoteState) -> RemoteState:
    """Return the state just before a write that was preceded by a look; `seen` is None where it showed no date."""
    if seen is None:
        return replace(state, before=None, writing=Known(wanted))
    return replace(state, seen=seen, seen_seq=max(observed_seq, state.seen_seq), before=seen, writing=Known(wanted))


def confirm(value: date | None, observed_seq: int, state: RemoteState) -> RemoteState:
    """Return the state once what we want was read in the RMM."""
    return replace(
        state,
        seen=Known(value),
        seen_seq=max(observed_seq, state.seen_seq),
        written=Known(value),
        confirmed_seq=observed_seq,
        writing=None,
    )


def give_up(state: RemoteState) -> RemoteState:
    """Return the state after a write that is not tried again; a later look tells what is there."""
    return replace(state, writing=None)
