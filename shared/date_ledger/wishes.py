"""What each RMM is to hold of an asset's date: the newest wish only, and the wake-up of who carries it out."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from shared import outbox
from shared.date_ledger.values import Asset
from shared.dates.calendar import DateField
from shared.dates.pushing import wish
from shared.dates.resolving import Resolution
from shared.events.dates import PushDue
from shared.events.envelope import Event, new_event
from shared.postgres import Connection, sql

_CANCEL: Final = """
    update date_pushes
    set status = 'none', wanted = null, wish_no = wish_no + 1, reason_code = null, reason = null, next_action = null,
        changed_at = now()
    where integration_id = $1 and device_id = $2 and field = $3 and status in ('waiting', 'writing', 'held', 'failed')
"""
WAKE_SECONDS: Final = 30.0
"""A wake-up that nobody took for so long counts as lost, and is sent again."""


async def wish_for(
    conn: Connection, asset: Asset, field: DateField, resolution: Resolution, edit_id: UUID | None
) -> set[UUID]:
    """Let every RMM that has the asset, and whose switch is on, be given what counts now.

    Returns the integrations that have something to do, for `wake`. A wish takes the place of the one before it.
    """
    due: set[UUID] = set()
    for link in await conn.fetch(sql(__package__, "links"), asset.id, field):
        place = (link["integration_id"], link["device_id"], field)
        kind = wish(resolution, link["integration_id"], ours=link["ours"])
        if kind == "nothing" or (kind == "withdraw" and not link["ours"]):
            await conn.execute(_CANCEL, *place)
            continue
        wanted = resolution.value if kind == "set" else None
        await conn.execute(
            sql(__package__, "wish"), *place, asset.account_id, asset.id, wanted, edit_id, link["writable"]
        )
        if link["writable"]:
            due.add(link["integration_id"])
    return due


async def wake(
    conn: Connection, integration_ids: Iterable[UUID], *, source: str, cause: Event[Any] | None = None
) -> list[outbox.Pending]:
    """Announce that pushes are due, unless a wake-up of the integration is on its way already.

    The row of the turn is locked either way until the transaction ends: who takes the wake-up takes that lock first,
    and so sees what is committed here.
    """
    asked = list(integration_ids)
    rows = await conn.fetch(sql(__package__, "wake"), asked, WAKE_SECONDS) if asked else []
    events = [
        new_event(
            PushDue(integration_id=row["integration_id"]),
            source=source,
            account_id=row["account_id"],
            subject=f"integrations/{row['integration_id']}",
            cause=cause,
        )
        for row in rows
    ]
    return await outbox.add_all(conn, events) if events else []


async def tell_edits(conn: Connection, edit_ids: Iterable[UUID | None]) -> None:
    """Let edits stand as their pushes do: failed where one failed, else as the least finished of them."""
    await conn.execute(sql(__package__, "tell_edits"), [each for each in set(edit_ids) if each])
