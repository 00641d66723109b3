"""One step of one device in the store: under the lock of its asset, over the fields whose lease is still ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg

from services.writeback.edits import SOURCE
from services.writeback.telling import failed_event, written_event
from services.writeback.turns import DeviceWork, Look, ToWrite
from shared import outbox
from shared.date_ledger.changes import tell_changes
from shared.date_ledger.late_writes import push_again, recognise
from shared.date_ledger.remote import Pulled, keep_state, take_in
from shared.date_ledger.states import state_of
from shared.date_ledger.values import Asset, lock_asset, store_values
from shared.date_ledger.wishes import follow, tell_edits, wake
from shared.dates.calendar import FIELDS, DateField
from shared.dates.echo import Known, RemoteState, after_pull, give_up
from shared.dates.pushing import PushStatus, Seen
from shared.dates.sanity import Refusal
from shared.dates.sources import integration_source
from shared.detail_sweep.announcing import was_read
from shared.postgres import Connection, sql

SQL: Final = "services.writeback.sql"
_LINKED: Final = "select asset_id from devices where integration_id = $1 and device_id = $2"


@dataclass
class Step:
    """One step of one device within a transaction: its asset, its rows, and the events to be told."""

    conn: Connection
    work: DeviceWork
    asset: Asset
    rows: Mapping[DateField, asyncpg.Record]
    pending: list[outbox.Pending]
    known: dict[DateField, RemoteState]

    def state(self, field: DateField) -> RemoteState:
        """What is known of a field in the RMM; a write that the tenant has no method for was none."""
        state = self.known.get(field) or state_of(self.rows[field])
        return give_up(state) if self.work.fell_back else state

    async def keep(self, field: DateField, state: RemoteState) -> None:
        """Keep what is known of a field in the RMM."""
        self.known[field] = state
        await keep_state(self.conn, self.asset, self.work.integration_id, self.work.device_id, field, state)

    async def recognise(self, field: DateField, seen: Seen, observed_seq: int) -> None:
        """Take an older date of ours, which was written late, for what it is."""
        if seen.readable:
            place = (self.work.integration_id, self.work.device_id, field)
            late = await recognise(self.conn, self.asset, place, (seen.value, observed_seq), self.state(field))
            if late is not None:
                await self.keep(field, late)

    async def hear(self, field: DateField, seen: Seen, observed_seq: int) -> None:
        """Let the integration have its say with what was read."""
        if not seen.readable:
            return
        ours = field in self.rows
        state = self.state(field) if ours else None
        pulled = Pulled(self.work.device_id, field, seen.value, observed_seq)
        self.pending += await take_in(
            self.conn, self.asset, self.work.integration_id, pulled, source=SOURCE, in_hand=ours
        )
        if state is not None:
            self.known[field] = after_pull(seen.value, observed_seq, state)

    async def counts_as_reading(self, look: Look) -> None:
        """Let a look that showed both dates stand for the sweep's reading of the device: that saves its request.

        Where no claim is ours any more the look may be old, and says nothing.
        """
        if not self.rows or not all(field in look.seen and look.seen[field].readable for field in FIELDS):
            return
        for field in FIELDS:
            if field not in self.work.leases:
                await self.hear(field, look.seen[field], look.observed_seq)
        await was_read(self.conn, self.work.integration_id, self.work.device_id)

    async def finish(
        self,
        field: DateField,
        status: PushStatus,
        why: Refusal | None = None,
        *,
        again: timedelta | None = None,
        attempts: int = 0,
        rechecks: int = 0,
    ) -> None:
        """Say how the push of a field went, and give its claim back."""
        code, reason, next_action = (why.code, why.reason, why.next_action) if why else (None, None, None)
        place = (self.work.integration_id, self.work.device_id, field)
        await self.conn.execute(
            sql(SQL, "finish"), *place, status, code, reason, next_action, again, attempts, rechecks
        )
        if status == "failed" and why:
            self.pending.append(await outbox.add(self.conn, failed_event(self.rows[field], why)))

    async def tell(self, field: DateField, before: Known | None, *, written: bool) -> None:
        """Tell the world that the date stands there."""
        row = self.rows[field]
        event = written_event(row, before.value if before else None, written=written)
        self.pending.append(await outbox.add(self.conn, event))
        await self.conn.execute(sql(SQL, "written"), row["edit_id"], row["wanted"])

    async def moved_on(self, field: DateField) -> None:
        """Give the claim back: the wish is another one by now."""
        await self.conn.execute(sql(SQL, "moved_on"), self.work.integration_id, self.work.device_id, field)

    async def wish(self, field: DateField) -> tuple[int, PushStatus]:
        """Number and status of the wish as it is now, after what was heard."""
        row = await self.conn.fetchrow(
            "select wish_no, status from date_pushes where integration_id = $1 and device_id = $2 and field = $3",
            self.work.integration_id,
            self.work.device_id,
            field,
        )
        return (row["wish_no"], row["status"]) if row else (0, "none")


async def open_step(conn: Connection, work: DeviceWork) -> Step | None:
    """Lock the asset and the fields that are still ours. None where the asset went with its integration.

    Where a person said meanwhile that it is the same machine as another one, it is that one.
    """
    asset = await lock_asset(conn, work.asset_id)
    if asset is None:
        linked = await conn.fetchval(_LINKED, work.integration_id, work.device_id)
        asset = await lock_asset(conn, linked) if linked else None
    if asset is None:
        return None
    rows = await conn.fetch(
        sql(SQL, "held_rows"),
        work.integration_id,
        work.device_id,
        list(work.leases),
        list(work.leases.values()),
    )
    return Step(conn, work, asset, {row["field"]: row for row in rows}, [], {})


async def is_ours(step: Step, field: DateField, *, written: bool) -> None:
    """What stands there is our word: the integration's own has gone, and a conflict over it is over.

    `written` says that we put it there just now, over whatever a conflict is about. Where the integration's own date
    counted, for the wish moved while ours was on its way, something else counts now: it is wished.
    """
    conn, place = step.conn, (step.work.integration_id, step.work.device_id, field)
    if written:
        await conn.execute(sql("shared.date_ledger", "conflict_settled"), *place, "kept_manual", "policy keep_manual")
    else:
        await conn.execute(sql("shared.date_ledger", "conflict_gone"), *place)
    source = integration_source(step.work.integration_id)
    if await conn.execute(sql(SQL, "speechless"), step.asset.id, field, source) == "UPDATE 0":
        return
    fresh = await lock_asset(conn, step.asset.id)
    assert fresh is not None, "it is locked"
    counts = (await store_values(conn, fresh))[field]
    step.asset.news.extend(fresh.news)
    if (counts.value, counts.origin) != fresh.stored[field]:
        step.pending += await follow(conn, fresh, field, counts, source=SOURCE)


async def disturb_lost(step: Step, sent: ToWrite | None) -> None:
    """Where somebody else holds the claim by now, what we sent may have come after theirs: it is looked at again."""
    for field in sent.values if sent else ():
        if field not in step.rows:
            await push_again(step.conn, step.work.integration_id, step.work.device_id, field)


async def tell_step_edits(step: Step) -> None:
    """Let the edits of the step stand as their pushes do, and the world hear which dates count now."""
    await tell_edits(step.conn, [row["edit_id"] for row in step.rows.values()])
    step.pending += await tell_changes(step.conn, [step.asset], source=SOURCE)


async def claim_following(step: Step, look: Look, lease: timedelta) -> DeviceWork | None:
    """Claim what is wished of the device by now, with the look in hand; None where nothing is."""
    work = step.work
    place = (work.integration_id, work.device_id, step.asset.id)
    rows = await step.conn.fetch(sql(SQL, "claim_following"), *place, list(look.seen), lease)
    return work.following({row["field"]: row["lease_no"] for row in rows}, look) if rows else None


async def wake_for_more(step: Step) -> list[outbox.Pending]:
    """A turn for what was wished meanwhile."""
    busy = await step.conn.fetchrow(sql(SQL, "busy"), step.work.integration_id)
    return await wake(step.conn, {step.work.integration_id}, source=SOURCE) if busy and busy["due"] else []
