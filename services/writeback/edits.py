"""Recording edits: find the asset, refuse what makes no sense, keep the rest, in one transaction each."""

from typing import Final
from uuid import UUID

import asyncpg

from services.writeback.intake import AssetName, ByDevice, EditOrder
from shared import outbox
from shared.assets.serials import normalise_serial
from shared.date_ledger.changes import tell_changes
from shared.date_ledger.edits import record, record_refused, time_unless_recorded
from shared.date_ledger.values import Asset, lock_asset
from shared.dates.calendar import DateField
from shared.dates.sanity import Refusal, refuse_moment, refuse_value
from shared.postgres import Connection, Pool, again_on_conflict, transaction

SOURCE: Final = "writeback"

_BY_ID: Final = "select id from assets where account_id = $1 and id = $2"
_BY_DEVICE: Final = (
    "select asset_id as id from devices where account_id = $1 and integration_id = $2 and device_id = $3"
)
_BY_SERIAL: Final = """
    select id, state from assets where account_id = $1 and serial_normalised = $2
    order by state = 'archived', id limit 3
"""
_UNKNOWN: Final = Refusal("unknown_asset", "the account has no such asset", "check the id; sync first if it is new")


class PostgresEdits:
    """The port that the handler uses."""

    def __init__(self, pool: Pool, events: outbox.Outbox) -> None:
        self._pool = pool
        self._events = events

    async def record(self, order: EditOrder) -> None:
        """Record an edit once; it and everything that follows commit together. Raises StoreUnavailable."""
        pending = await again_on_conflict(lambda: self._record(order))
        await self._events.publish(*pending)

    async def _record(self, order: EditOrder) -> list[outbox.Pending]:
        async with transaction(self._pool) as conn:
            edit = order.edit
            now = await time_unless_recorded(conn, edit.id)
            if now is None:
                return []
            if order.refusal or order.asset is None:
                refusal = order.refusal or _UNKNOWN
                return await record_refused(conn, edit, refusal, asset_id=None, source=SOURCE)
            found = await _find(conn, edit.account_id, order.asset)
            asset = None if isinstance(found, Refusal) else await lock_asset(conn, found)
            if isinstance(found, Refusal) or asset is None:
                refusal = found if isinstance(found, Refusal) else _UNKNOWN
                return await record_refused(conn, edit, refusal, asset_id=None, source=SOURCE)
            refused = refuse_moment(edit.edited_at, now) or _refuse(order, asset)
            if refused:
                return await record_refused(conn, edit, refused, asset_id=asset.id, source=SOURCE)
            pending = await record(conn, asset, edit, source=SOURCE)
            return [*pending, *await tell_changes(conn, [asset], source=SOURCE)]


def _refuse(order: EditOrder, asset: Asset) -> Refusal | None:
    """Refuse what is wrong whatever else may be edited."""
    edit = order.edit
    field: DateField = "purchase_date" if edit.field == "purchase_date" else "warranty_expiration_date"
    if edit.if_version is not None and edit.if_version != asset.version:
        return Refusal(
            "version_conflict",
            f"the edit was made on version {edit.if_version}, the asset has version {asset.version}",
            "look at the asset as it is now, and edit it again",
        )
    return refuse_value(field, edit.value, virtual_machine=asset.asset_type == "virtual_machine")


async def _find(conn: Connection, account_id: UUID, name: AssetName) -> UUID | Refusal:
    if isinstance(name, UUID):
        found: UUID | None = await conn.fetchval(_BY_ID, account_id, name)
        return found or _UNKNOWN
    if isinstance(name, ByDevice):
        found = await conn.fetchval(_BY_DEVICE, account_id, name.integration_id, name.device_id)
        return found or _UNKNOWN
    serial = normalise_serial(name.serial_number)
    rows = await conn.fetch(_BY_SERIAL, account_id, serial) if serial else []
    return _only(rows, serial)


def _only(rows: list[asyncpg.Record], serial: str) -> UUID | Refusal:
    """The one asset with a serial; one that is archived counts only where no other has it."""
    present = [row["id"] for row in rows if row["state"] != "archived"] or [row["id"] for row in rows]
    if not present:
        return _UNKNOWN
    if len(present) > 1:
        return Refusal(
            "ambiguous_serial",
            f"more than one asset has the serial number {serial}",
            "name the asset by its id, or settle which machine has the serial",
        )
    asset_id: UUID = present[0]
    return asset_id
