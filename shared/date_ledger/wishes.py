"""What each RMM is to hold of an asset's date: the newest wish only, and the wake-up of who carries it out."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
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

WAKE_SECONDS: Final = 30.0
"""A wake-up that nobody took for so long counts as lost, and is sent again."""


EDIT_OF: Final = "select edit_id from date_observations where asset_id = $1 and field = $2 and source = $3"

Device = tuple[UUID, str]
"""An integration, and the id of a device in it."""


@dataclass(frozen=True)
class Counts:
    """What counts now for a field of a locked asset, by which edit."""

    asset: Asset
    field: DateField
    resolution: Resolution
    edit_id: UUID | None


async def wish_for(
    conn: Connection, asset: Asset, field: DateField, resolution: Resolution, edit_id: UUID | None
) -> set[UUID]:
    """Let every RMM that has the asset, and whose switch is on, be given what counts now, for `wake`."""
    return await wish_all(conn, [Counts(asset, field, resolution, edit_id)])


async def follow(
    conn: Connection, asset: Asset, field: DateField, resolution: Resolution, *, source: str
) -> list[outbox.Pending]:
    """Let what counts now, by what a source said, be given to the RMMs, and wake who carries it out."""
    edit_id: UUID | None = await conn.fetchval(EDIT_OF, asset.id, field, resolution.origin)
    due = await wish_for(conn, asset, field, resolution, edit_id)
    await tell_edits(conn, [edit_id])
    return await wake(conn, due, source=source)


async def wish_all(
    conn: Connection, some: Sequence[Counts], *, spare: Device | None = None, only: Collection[Device] | None = None
) -> set[UUID]:
    """Let the RMMs that have the assets, and whose switches are on, be given what counts now; not the device `spare`.

    `only` are the devices that are meant, where that is not all of the assets'.

    Returns the integrations that have something to do, for `wake`. A wish takes the place of the one before it; each
    field of an asset is named once. Three statements, however many they are.
    """
    if not some:
        return set()
    links = await conn.fetch(sql(__package__, "links"), [each.asset.id for each in some], [each.field for each in some])
    wishes: list[tuple[Any, ...]] = []
    over: list[tuple[UUID, str, DateField]] = []
    for link in links:
        each, ours = some[int(link["n"]) - 1], bool(link["ours"])
        place = (link["integration_id"], link["device_id"], each.field)
        if only is not None and place[:2] not in only:
            continue
        kind = wish(each.resolution, link["integration_id"], ours=ours)
        if kind == "nothing" or (kind == "withdraw" and not ours) or place[:2] == spare:
            over.append(place)
        else:
            wanted = each.resolution.value if kind == "set" else None
            wishes.append((*place, each.asset.account_id, each.asset.id, wanted, each.edit_id, link["writable"]))
    if over:
        await conn.execute(sql(__package__, "cancel_wishes"), *map(list, zip(*over, strict=True)))
    if wishes:
        await conn.execute(sql(__package__, "wish"), *map(list, zip(*wishes, strict=True)))
    return {integration_id for integration_id, *_, writable in wishes if writable}


async def wish_again(conn: Connection, some: Sequence[Counts]) -> set[UUID]:
    """Try once more what could not be written of these fields, by the edits that say it again.

    Returns the integrations that have something to do, for `wake`. What did not fail is left alone.
    """
    if not some:
        return set()
    columns = zip(*((each.asset.id, each.field, each.edit_id) for each in some), strict=True)
    rows = await conn.fetch(sql(__package__, "wish_again"), *map(list, columns))
    return {row["integration_id"] for row in rows if row["status"] == "waiting"}


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
