"""An older date of ours that turns up in an RMM: a write whose process lost its claim came after a newer one.

The RMM knows no fence (ADR 0016). A process that was frozen between its claim and its write, or a request that lay
somewhere for minutes, can put an old date over a newer one of ours; that is no person's change.
"""

from dataclasses import replace
from datetime import date
from typing import Final
from uuid import UUID

from shared.date_ledger.values import Asset
from shared.dates.calendar import DateField
from shared.dates.echo import Known, RemoteState, judge_pulled
from shared.postgres import Connection, sql

SETTLED_BY: Final = "late write of an older date"


async def recognise(
    conn: Connection,
    asset: Asset,
    place: tuple[UUID, str, DateField],
    found: tuple[date | None, int],
    state: RemoteState,
) -> RemoteState | None:
    """Recognise a late write of ours in what stands in an RMM, under the lock of the asset; None where it is none.

    `place` is integration, device and field, `found` the value and the number of the request that brought it. Returns
    what is known of the field now: what stands there is our own word. Kept as a settled conflict, so that it shows.
    """
    integration_id, device_id, field = place
    value, observed_seq = found
    if judge_pulled(value, observed_seq, state) != "remote_change":
        return None
    if not await conn.fetchval(
        sql(__package__, "late_write"), asset.id, field, value, integration_id, device_id, SETTLED_BY
    ):
        return None
    await conn.execute(
        sql(__package__, "late_write_found"),
        asset.account_id,
        asset.id,
        *place,
        *found,
        SETTLED_BY,
    )
    return replace(
        state,
        seen=Known(value),
        seen_seq=observed_seq,
        before=None,
        written=Known(value),
        confirmed_seq=observed_seq,
    )


async def push_again(conn: Connection, integration_id: UUID, device_id: str, field: DateField) -> None:
    """Let what is wished of a field be looked at again, for the RMM may hold an older date of ours."""
    await conn.execute(sql(__package__, "push_again"), integration_id, device_id, field)
