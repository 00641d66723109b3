"""Recording edits: find the asset, refuse what makes no sense, keep the rest; what comes at the same time, together."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.writeback.finding import UNKNOWN, find_assets
from services.writeback.intake import EditOfAnotherAccount, EditOrder
from services.writeback.together import Together
from shared import outbox
from shared.date_ledger.changes import tell_changes
from shared.date_ledger.edits import NewEdit, Refused, record_all, record_refused, time_and_recorded
from shared.date_ledger.values import Asset, lock_assets
from shared.dates.calendar import DateField
from shared.dates.sanity import Refusal, refuse_moment, refuse_value
from shared.errors import StoreConflict
from shared.postgres import Connection, Pool, again_on_conflict, connection, transaction

SOURCE: Final = "writeback"

_ACCOUNTS: Final = "select id, account_id from date_edits where id = any($1::uuid[])"
_TAKEN: Final = """
    select exists (
        select from date_edits e join unnest($1::uuid[], $2::uuid[]) as q (id, account_id) on q.id = e.id
        where e.account_id <> q.account_id
    )
"""


class PostgresEdits:
    """The port that the handler uses. At most `lot` edits are recorded in one transaction."""

    def __init__(self, pool: Pool, events: outbox.Outbox, lot: int) -> None:
        self._pool = pool
        self._events = events
        self._together = Together(self._record_lot, most=lot)

    async def record(self, order: EditOrder) -> None:
        """Record an edit once; it and everything that follows commit together. Raises StoreUnavailable."""
        await self._together.do(order)

    async def _record_lot(self, lot: Sequence[EditOrder], *, alone: bool) -> Sequence[EditOrder]:
        """Record edits in one transaction; gives back those whose assets somebody else has in hand."""
        recorded = await again_on_conflict(lambda: self._record(lot, patient=alone))
        sent = await self._events.publish_many(recorded.pending)
        if sent:
            async with connection(self._pool) as conn:
                await outbox.delete_all(conn, sent)
        return recorded.left

    async def _record(self, orders: Sequence[EditOrder], *, patient: bool) -> "_Lot":
        async with transaction(self._pool) as conn:
            now, new = await _new(conn, orders)
            lot = _Lot(now, patient)
            await lot.record(conn, [order for _, order in new])
            edits = [order.edit for _, order in new]
            if await conn.fetchval(_TAKEN, [edit.id for edit in edits], [edit.account_id for edit in edits]):
                # Nothing is recorded here; the next try sees what the other account recorded.
                raise StoreConflict("another account used the source and the id of an edit at the same time")
        left = {order.edit.id for order in lot.left}
        lot.left = [came for came, order in new if order.edit.id in left]
        return lot


async def _new(conn: Connection, orders: Sequence[EditOrder]) -> tuple[datetime, list[tuple[EditOrder, EditOrder]]]:
    """The database's time, and the orders that the ledger does not have, as they came and as they are to be recorded.

    Two deliveries of one edit are one, and the first counts, as where they come in two lots.
    """
    owns = [EditOfAnotherAccount.of(order.edit) for order in orders]
    now, known = await time_and_recorded(conn, {edit.id for edit in (*owns, *(order.edit for order in orders))})
    accounts: dict[UUID, UUID] = {}
    if known:
        accounts = {row["id"]: row["account_id"] for row in await conn.fetch(_ACCOUNTS, list(known))}
    new: list[tuple[EditOrder, EditOrder]] = []
    for order, own in zip(orders, owns, strict=True):
        account_id = order.edit.account_id
        if own.id in accounts or accounts.get(order.edit.id) == account_id:
            continue
        recorded = dataclasses.replace(order, edit=own) if order.edit.id in accounts else order
        accounts[recorded.edit.id] = account_id
        new.append((order, recorded))
    return now, new


@dataclass
class _Lot:
    """Edits of one transaction. It waits for an asset that somebody else has in hand only where it is `patient`."""

    now: datetime
    patient: bool
    left: list[EditOrder] = dataclasses.field(default_factory=list[EditOrder])
    pending: list[outbox.Pending] = dataclasses.field(default_factory=list[outbox.Pending])

    async def record(self, conn: Connection, orders: Sequence[EditOrder]) -> None:
        """Record the edits: of one asset one after another, of different assets at once."""
        found = await find_assets(conn, orders)
        refused: list[Refused] = []
        named: list[tuple[EditOrder, UUID]] = []
        for order in orders:
            asset_id = found[order.edit.id]
            if isinstance(asset_id, Refusal):
                refused.append(Refused(order.edit, asset_id))
            else:
                named.append((order, asset_id))
        assets: list[Asset] = []
        while named:
            first: dict[UUID, EditOrder] = {}
            for order, asset_id in named:
                first.setdefault(asset_id, order)
            named = [each for each in named if first[each[1]] is not each[0]]
            taken = await self._take(conn, first, refused)
            self.pending += await record_all(conn, taken, source=SOURCE)
            assets += [asset for asset, _ in taken]
        self.pending += await record_refused(conn, refused, source=SOURCE)
        self.pending += await tell_changes(conn, assets, source=SOURCE)

    async def _take(
        self, conn: Connection, orders: dict[UUID, EditOrder], refused: list[Refused]
    ) -> list[tuple[Asset, NewEdit]]:
        """Lock the assets, and sort out what is not to be recorded as an edit of them."""
        locked = await lock_assets(conn, list(orders), skip_locked=not self.patient)
        taken: list[tuple[Asset, NewEdit]] = []
        for asset_id, order in orders.items():
            asset = locked.get(asset_id)
            if asset is None:
                if self.patient:
                    refused.append(Refused(order.edit, UNKNOWN))
                else:
                    self.left.append(order)
            elif why := refuse_moment(order.edit.edited_at, self.now) or _refuse(order.edit, asset):
                refused.append(Refused(order.edit, why, asset.id))
            else:
                taken.append((asset, order.edit))
        return taken


def _refuse(edit: NewEdit, asset: Asset) -> Refusal | None:
    """Refuse what is wrong whatever else may be edited."""
    field: DateField = "purchase_date" if edit.field == "purchase_date" else "warranty_expiration_date"
    if edit.if_version is not None and edit.if_version != asset.version:
        return Refusal(
            "version_conflict",
            f"the edit was made on version {edit.if_version}, the asset has version {asset.version}",
            "look at the asset as it is now, and edit it again",
        )
    return refuse_value(field, edit.value, virtual_machine=asset.asset_type == "virtual_machine")
