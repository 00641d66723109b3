"""The ledger of edits: each is a row, and what became of it follows from the set of them (shared/dates/replaying)."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid5

import asyncpg

from shared import outbox
from shared.date_ledger import values
from shared.date_ledger.values import Asset, Cause
from shared.date_ledger.wishes import tell_edits, wake, wish_for
from shared.dates.calendar import FIELDS, DateField
from shared.dates.replaying import Edit, Outcome, Replayed, replay
from shared.dates.resolving import Resolution
from shared.dates.sanity import Refusal
from shared.dates.sources import MANUAL
from shared.events.dates import DateWriteBackFailed
from shared.events.envelope import new_event
from shared.postgres import Connection, sql

_SPACE: Final = UUID("3f0f4a2e-6e0b-5d7a-9d55-2d7c4f5b8a10")
_EDITS: Final = """
    select id, event_source, event_id, field, source, value, edited_at, around, status, asset_id, account_id,
        correlation_id
    from date_edits where asset_id = $1 and not refused_at_once
"""
_TIME_UNLESS_RECORDED: Final = "select clock_timestamp() where not exists (select from date_edits where id = $1)"
# What was written to an RMM, or could not be, has happened, whatever is edited later.
_HISTORY: Final = frozenset({"written", "failed"})


def edit_id(event_source: str, event_id: str) -> UUID:
    """The ledger's id of an event: the same for every delivery of it."""
    return uuid5(_SPACE, f"{event_source}\n{event_id}")


@dataclass(frozen=True)
class NewEdit:
    """An edit as it came in. `field` may be none of the two, where the edit is refused for it."""

    event_source: str
    event_id: str
    correlation_id: str
    account_id: UUID
    field: str
    value: date | None
    source: str
    actor: str
    edited_at: datetime
    if_version: int | None = None
    asked: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])

    @property
    def id(self) -> UUID:
        """The ledger's id."""
        return edit_id(self.event_source, self.event_id)


async def time_unless_recorded(conn: Connection, edit: UUID) -> datetime | None:
    """The database's time; None where the ledger has the edit already."""
    now: datetime | None = await conn.fetchval(_TIME_UNLESS_RECORDED, edit)
    return now


async def record_refused(
    conn: Connection, edit: NewEdit, refusal: Refusal, *, asset_id: UUID | None, source: str
) -> list[outbox.Pending]:
    """Record an edit that is not taken, and tell its sender why. Twice is nothing."""
    if not await _insert(conn, edit, asset_id, around={}, refused=True):
        return []
    await _set_status(conn, edit.id, "refused", refusal=refusal)
    return [await _refused_event(conn, edit, asset_id, refusal, source)]


async def record(conn: Connection, asset: Asset, edit: NewEdit, *, source: str) -> list[outbox.Pending]:
    """Record an edit of a locked asset, replay all of them, and let the consequences follow. Twice is nothing."""
    kept = values.around(await values.observations(conn, asset.id))
    rows = {row["id"]: row for row in await conn.fetch(_EDITS, asset.id)}
    before = replay(map(_edit, rows.values()))
    added = await _insert(conn, edit, asset.id, around=values.around_to_json(kept), refused=False)
    if added is None:
        return []
    # The asset is locked: nobody else has added one.
    rows[edit.id] = added
    after = replay(map(_edit, rows.values()))
    await _keep_said(conn, asset, before, after)
    cause = Cause(edit.event_source, edit.event_id, edit.correlation_id)
    resolved = await values.store_values(conn, asset, cause=cause)
    pending = await _keep_outcomes(conn, rows, after, source=source)
    due = await _wish(conn, asset, before, after, resolved)
    await tell_edits(conn, [standing.id for standing in after.standing.values()])
    return [*pending, *await wake(conn, due, source=source)]


async def _wish(
    conn: Connection, asset: Asset, before: Replayed, after: Replayed, resolved: Mapping[DateField, Resolution]
) -> set[UUID]:
    due: set[UUID] = set()
    for of in FIELDS:
        standing, was = after.standing.get(of), before.standing.get(of)
        changed = (resolved[of].value, resolved[of].origin) != asset.stored[of]
        if changed or (standing and standing.id) != (was and was.id):
            due |= await wish_for(conn, asset, of, resolved[of], standing.id if standing else None)
    return due


async def _insert(
    conn: Connection, edit: NewEdit, asset_id: UUID | None, *, around: Mapping[str, Any], refused: bool
) -> asyncpg.Record | None:
    return await conn.fetchrow(
        sql(__package__, "insert_edit"),
        edit.id,
        edit.event_source,
        edit.event_id,
        edit.correlation_id,
        edit.account_id,
        asset_id,
        dict(edit.asked),
        edit.field,
        edit.value,
        edit.source,
        edit.actor,
        edit.edited_at,
        edit.if_version,
        dict(around),
        refused,
    )


def _edit(row: asyncpg.Record) -> Edit:
    return Edit(
        row["id"],
        row["field"],
        row["source"],
        row["value"],
        row["edited_at"],
        (row["event_id"], row["event_source"]),
        values.around_from_json(row["around"]),
    )


async def _keep_said(conn: Connection, asset: Asset, before: Replayed, after: Replayed) -> None:
    """Keep what each source says now. A source whose every edit turned out void says nothing."""
    for key in before.said.keys() | after.said.keys():
        said, was = after.said.get(key), before.said.get(key)
        if said == was:
            continue
        of, who = key
        await conn.execute(
            sql(__package__, "say"),
            asset.id,
            of,
            who,
            asset.account_id,
            said.value if said else None,
            said.edit.edited_at if said else None,
            said.edit.id if said else None,
        )
        if who == MANUAL and said and said.value:
            # A person has spoken since: what won an earlier conflict has no more right than the others.
            await conn.execute(
                "update date_observations set chosen_at = null"
                " where asset_id = $1 and field = $2 and chosen_at is not null",
                asset.id,
                of,
            )


async def _keep_outcomes(
    conn: Connection, rows: Mapping[UUID, asyncpg.Record], after: Replayed, *, source: str
) -> list[outbox.Pending]:
    pending: list[outbox.Pending] = []
    for of, outcome in after.outcomes.items():
        row = rows[of]
        status = _status(outcome, row["status"])
        if status == row["status"]:
            continue
        await _set_status(conn, of, status, refusal=outcome.refusal, by=outcome.by)
        if outcome.refusal:
            pending.append(await _refused_event(conn, row, row["asset_id"], outcome.refusal, source))
    return pending


def _status(outcome: Outcome, now: str) -> str:
    if outcome.kind == "refused":
        return "refused"
    if now in _HISTORY:
        return now
    if outcome.kind == "standing":
        # Its pushes say more, where there are any.
        return "recorded" if now in {"superseded", "refused", "unchanged"} else now
    return outcome.kind


async def _set_status(
    conn: Connection, edit: UUID, status: str, *, refusal: Refusal | None = None, by: UUID | None = None
) -> None:
    await conn.execute(
        sql(__package__, "set_status"),
        edit,
        status,
        refusal.code if refusal else None,
        refusal.reason if refusal else None,
        refusal.next_action if refusal else None,
        by,
    )


async def _refused_event(
    conn: Connection, edit: NewEdit | asyncpg.Record, asset_id: UUID | None, refusal: Refusal, source: str
) -> outbox.Pending:
    row: dict[str, Any] = {**vars(edit), "id": edit.id} if isinstance(edit, NewEdit) else dict(edit)
    data = DateWriteBackFailed(
        account_id=row["account_id"],
        status="refused",
        reason_code=refusal.code,
        reason=refusal.reason,
        next_action=refusal.next_action,
        asset_id=asset_id,
        field=row["field"],
        value=row["value"],
        edit_id=row["id"],
        edit_event_id=row["event_id"],
        edit_source=row["event_source"],
    )
    event = new_event(
        data,
        source=source,
        account_id=row["account_id"],
        subject=f"assets/{asset_id}" if asset_id else None,
        correlation_id=row["correlation_id"],
    )
    return await outbox.add(conn, event)
