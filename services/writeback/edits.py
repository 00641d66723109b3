"""Recording edits: find the asset, refuse what makes no sense, keep the rest; what comes at the same time, together."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.writeback.finding import find_assets
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

_KNOWN: Final = """
    select id, account_id, asset_id, edited_at, refused_at_once from date_edits where id = any($1::uuid[])
"""
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
            now, new, later = await _sorted_out(conn, orders)
            lot = _Lot(now, patient, later)
            await lot.record(conn, new)
            edits = [each.edit for each in new]
            if await conn.fetchval(_TAKEN, [edit.id for edit in edits], [edit.account_id for edit in edits]):
                # Nothing is recorded here; the next try sees what the other account recorded.
                raise StoreConflict("another account used the source and the id of an edit at the same time")
        return lot


@dataclass(frozen=True)
class _Arrival:
    """An order as it came, and the edit that is to be recorded; `known_of` is the asset where the ledger has it."""

    came: EditOrder
    edit: NewEdit
    known_of: UUID | None = None


async def _sorted_out(
    conn: Connection, orders: Sequence[EditOrder]
) -> tuple[datetime, list[_Arrival], list[EditOrder]]:
    """The database's time, the edits to record, and the orders that are to be done after those.

    Two deliveries of one edit are one, and the first counts, as where they come in two lots; but with the earliest
    moment that any says, so that their order does not matter: two runs of an import each have a moment of their own.
    """
    owns = [EditOfAnotherAccount.of(order.edit) for order in orders]
    now, ids = await time_and_recorded(conn, {edit.id for edit in (*owns, *(order.edit for order in orders))})
    known = {row["id"]: row for row in await conn.fetch(_KNOWN, list(ids))} if ids else {}
    accounts: dict[UUID, UUID] = {each: row["account_id"] for each, row in known.items()}
    new: dict[UUID, _Arrival] = {}
    later: list[EditOrder] = []
    for order, own in zip(orders, owns, strict=True):
        of_another = own.id in accounts or accounts.get(order.edit.id, order.edit.account_id) != order.edit.account_id
        edit = own if of_another else order.edit
        if edit.id not in accounts:
            accounts[edit.id] = edit.account_id
            new[edit.id] = _Arrival(order, edit)
        elif edit.id in new:
            if edit.edited_at < new[edit.id].edit.edited_at:
                later.append(order)
        elif edit.edited_at < known[edit.id]["edited_at"] and not known[edit.id]["refused_at_once"]:
            new[edit.id] = _Arrival(order, edit, known[edit.id]["asset_id"])
    return now, list(new.values()), later


@dataclass
class _Lot:
    """Edits of one transaction. It waits for an asset that somebody else has in hand only where it is `patient`."""

    now: datetime
    patient: bool
    left: list[EditOrder] = dataclasses.field(default_factory=list[EditOrder])
    pending: list[outbox.Pending] = dataclasses.field(default_factory=list[outbox.Pending])

    async def record(self, conn: Connection, some: Sequence[_Arrival]) -> None:
        """Record the edits: of one asset one after another, of different assets at once."""
        found = await find_assets(conn, [dataclasses.replace(one.came, edit=one.edit) for one in some])
        refused: list[Refused] = []
        named: list[tuple[_Arrival, UUID]] = []
        for one in some:
            asset_id = one.known_of or found[one.edit.id]
            if isinstance(asset_id, Refusal):
                refused.append(Refused(one.edit, asset_id))
            else:
                named.append((one, asset_id))
        assets: list[Asset] = []
        while named:
            first: dict[UUID, _Arrival] = {}
            for one, asset_id in named:
                first.setdefault(asset_id, one)
            named = [each for each in named if first[each[1]] is not each[0]]
            taken = await self._take(conn, first, refused)
            self.pending += await record_all(conn, taken, source=SOURCE)
            assets += [asset for asset, _ in taken]
        self.pending += await record_refused(conn, refused, source=SOURCE)
        self.pending += await tell_changes(conn, assets, source=SOURCE)

    async def _take(
        self, conn: Connection, some: dict[UUID, _Arrival], refused: list[Refused]
    ) -> list[tuple[Asset, NewEdit]]:
        """Lock the assets, and sort out what is not to be recorded as an edit of them."""
        locked = await lock_assets(conn, list(some), skip_locked=not self.patient)
        taken: list[tuple[Asset, NewEdit]] = []
        for asset_id, one in some.items():
            asset = locked.get(asset_id)
            if asset is None:
                if not self.patient:
                    self.left.append(one.came)
                elif not one.known_of:
                    # It went since it was found: it may be another asset now, or none. Found once more, that is known.
                    raise StoreConflict(f"asset {asset_id} went while edit {one.edit.id} waited for it")
            elif one.known_of:
                # What was looked at when it came first; it has not become another edit.
                taken.append((asset, one.edit))
            elif why := refuse_moment(one.edit.edited_at, self.now) or _refuse(one.edit, asset):
                refused.append(Refused(one.edit, why, asset.id))
            else:
                taken.append((asset, one.edit))
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
