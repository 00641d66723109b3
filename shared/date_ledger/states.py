"""What is known of one field of one device in its RMM, between its row and the pure rules."""

from datetime import date
from typing import Final

import asyncpg

from shared.dates.echo import Known, RemoteState

COLUMNS: Final = (
    "seen, seen_known, seen_seq, before, before_known, written, written_known, confirmed_seq, writing, writing_known"
)


def state_of(row: asyncpg.Record) -> RemoteState:
    """Read the state from a row with COLUMNS; a row of a field that was never looked at has nulls.

    `claimed`, where the row has it, says that somebody else has the field in hand.
    """

    def known(name: str) -> Known | None:
        return Known(row[name]) if row[f"{name}_known"] else None

    return RemoteState(
        seen=known("seen"),
        seen_seq=row["seen_seq"] or 0,
        before=known("before"),
        written=known("written"),
        confirmed_seq=row["confirmed_seq"] or 0,
        writing=known("writing"),
        in_flight=bool(row.get("claimed")) and row["writing_known"],
    )


def to_columns(state: RemoteState) -> tuple[date | bool | int | None, ...]:
    """The values of COLUMNS in their order."""

    def pair(known: Known | None) -> tuple[date | None, bool]:
        return (known.value, True) if known else (None, False)

    return (
        *pair(state.seen),
        state.seen_seq,
        *pair(state.before),
        *pair(state.written),
        state.confirmed_seq,
        *pair(state.writing),
    )
