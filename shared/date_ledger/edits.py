"""The ledger of edits: each is a row, and what became of it follows from the set of them (shared/dates/replaying).

Edits are recorded many at a time, each step of it one statement for all of them.
"""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID, uuid5

import asyncpg

from shared import outbox
from shared.date_ledger import values
from shared.date_ledger.values import Asset, Cause
from shared.date_ledger.wishes import Counts, Device, tell_edits, wake, wish_again, wish_all
from shared.dates.calendar import FIELDS, DateField
from shared.dates.replaying import Edit, Outcome, Replayed, replay_with
from shared.dates.resolving import Observation, Resolution
from shared.dates.sanity import Refusal
from shared.dates.sources import MANUAL
from shared.events.dates import DateWriteBackFailed
from shared.events.envelope import Event, new_event
from shared.postgres import Connection, sql

_SPACE: Final = UUID("3f0f4a2e-6e0b-5d7a-9d55-2d7c4f5b8a10")
_TIME_AND_RECORDED: Final = """
    select clock_timestamp(), array(select id from date_edits where id = any($1::uuid[]))
"""
# What was written to an RMM, or could not be, has happened, whatever is edited later.
_HISTORY: Final = frozenset({"written", "failed"})
_PUSHED: Final = frozenset({"waiting", "writing", "held"})


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

    @cached_property
    def id(self) -> UUID:
        """The ledger's id."""
        return edit_id(self.event_source, self.event_id)


@dataclass(frozen=True)
class Refused:
    """An edit that is refused for itself, whatever else may be edited."""

    edit: NewEdit
    why: Refusal
    asset_id: UUID | None = None


@dataclass(frozen=True)
class _Story:
    """A new edit of a locked asset: all edits of the asset by id, and what became of them without it and with it.

    Or one that was made earlier than was known; then without it is with its later moment.
    """

    asset: Asset
    edit: NewEdit
    rows: Mapping[UUID, asyncpg.Record]
    before: Replayed
    after: Replayed


async def time_and_recorded(conn: Connection, edits: Collection[UUID]) -> tuple[datetime, set[UUID]]:
    """The database's time, and which of the edits the ledger has already."""
    row = await conn.fetchrow(_TIME_AND_RECORDED, list(edits))
    assert row is not None
    return row[0], set(row[1])


async def record_refused(conn: Connection, some: Sequence[Refused], *, source: str) -> list[outbox.Pending]:
    """Record edits that are not taken, and tell their senders why. Twice is nothing; each is named once."""
    rows = [_row(each.edit, each.asset_id, why=each.why) for each in some]
    added = await _insert(conn, rows)
    events = [
        _refused_event({**vars(each.edit), "id": each.edit.id}, each.asset_id, each.why, source)
        for each in some
        if each.edit.id in added
    ]
    return await outbox.add_all(conn, events) if events else []


async def record(
    conn: Connection, asset: Asset, edit: NewEdit, *, source: str, spare: Device | None = None
) -> list[outbox.Pending]:
    """Record an edit of a locked asset, replay all of them, and let the consequences follow. Twice is nothing.

    What counts then is written to every RMM that has the asset, but not to the device `spare`.
    """
    return await record_all(conn, [(asset, edit)], source=source, spare=spare)


async def record_all(
    conn: Connection, some: Sequence[tuple[Asset, NewEdit]], *, source: str, spare: Device | None = None
) -> list[outbox.Pending]:
    """Like `record` for edits of many locked assets, one edit of each asset at most.

    An edit that the ledger has already, with a later moment, is from now on one of this moment: the earliest counts, so
    that it does not matter which delivery came first.
    """
    if not some:
        return []
    said = await values.observations_of(conn, [asset.id for asset, _ in some])
    stories = await _added(conn, some, said)
    if not stories:
        return []
    await _keep_said(conn, stories, said)
    causes = {each.asset.id: _cause(each.edit) for each in stories}
    resolved = await values.store_values_of(conn, [each.asset for each in stories], causes)
    pending = await keep_outcomes(conn, [(each.rows, each.after) for each in stories], source=source)
    counting = [one for each in stories for one in _counting(each, resolved[each.asset.id])]
    due = await wish_all(conn, counting, spare=spare)
    due |= await wish_again(conn, [one for each in stories for one in _repeated(each, resolved[each.asset.id])])
    told = (edits_told_by_pushes(each.rows, each.after, also=each.edit.id) for each in stories)
    await tell_edits(conn, [one for some_of_one in told for one in some_of_one])
    return [*pending, *await wake(conn, due, source=source)]


async def _added(
    conn: Connection,
    some: Sequence[tuple[Asset, NewEdit]],
    said: Mapping[UUID, Mapping[DateField, list[Observation]]],
) -> list[_Story]:
    """Add the edits to the ledger, and replay those that it did not have, or not of this moment."""
    known: defaultdict[UUID, dict[UUID, asyncpg.Record]] = defaultdict(dict)
    for row in await conn.fetch(sql(__package__, "edits_of"), [asset.id for asset, _ in some]):
        known[row["asset_id"]][row["id"]] = row
    added = await _insert(
        conn,
        [_row(edit, asset.id, around=values.around_to_json(values.around(said[asset.id]))) for asset, edit in some],
    )
    stories: list[_Story] = []
    for asset, edit in some:
        if edit.id in added:
            rows = known[asset.id]
            before, after = replay_with(map(edit_of, rows.values()), edit_of(added[edit.id]))
            # The asset is locked: nobody else has added one.
            rows[edit.id] = added[edit.id]
            stories.append(_Story(asset, edit, rows, before, after))
    return stories


def _counting(story: _Story, resolved: Mapping[DateField, Resolution]) -> Iterable[Counts]:
    """The fields of which something else counts now, or by another edit."""
    for of in FIELDS:
        standing, was = story.after.standing.get(of), story.before.standing.get(of)
        changed = (resolved[of].value, resolved[of].origin) != story.asset.stored[of]
        if changed or (standing and standing.id) != (was and was.id):
            yield Counts(story.asset, of, resolved[of], standing.id if standing else None)


def _repeated(story: _Story, resolved: Mapping[DateField, Resolution]) -> Iterable[Counts]:
    """The field of which a source says once more what counts: where that could not be written, it is tried again.

    Not where another source says the same, or a mirror would try again for ever what an RMM refuses.
    """
    edit = story.edit
    if story.after.outcomes[edit.id].kind != "unchanged" or edit.id in story.before.outcomes:
        return
    for of in FIELDS:
        cleared = edit.value is None and (of, edit.source) in story.before.said
        if of == edit.field and (cleared or edit.source == resolved[of].origin):
            yield Counts(story.asset, of, resolved[of], edit.id)


def edits_told_by_pushes(
    rows: Mapping[UUID, asyncpg.Record], after: Replayed, *, also: UUID | None = None
) -> Iterable[UUID]:
    """The edits that stand as their pushes do: the standing ones, and a repeated one whose push is under way.

    `also` is a repeated one that may have taken over pushes just now.
    """
    for standing in after.standing.values():
        yield standing.id
    for edit, outcome in after.outcomes.items():
        if outcome.kind == "unchanged" and (edit == also or rows[edit]["status"] in _PUSHED):
            yield edit


def _cause(edit: NewEdit) -> Cause:
    return Cause(edit.event_source, edit.event_id, edit.correlation_id)


def _row(
    edit: NewEdit, asset_id: UUID | None, *, around: Mapping[str, Any] | None = None, why: Refusal | None = None
) -> tuple[Any, ...]:
    """An edit in the order of insert_edits.sql."""
    return (
        edit.id,
        edit.event_source,
        edit.event_id,
        edit.correlation_id,
        edit.account_id,
        asset_id,
        json.dumps(dict(edit.asked)),
        edit.field,
        edit.value,
        edit.source,
        edit.actor,
        edit.edited_at,
        edit.if_version,
        json.dumps(around or {}),
        *((why.code, why.reason, why.next_action) if why else (None, None, None)),
    )


async def _insert(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> dict[UUID, asyncpg.Record]:
    """Add the rows that are not there yet, and give those. In one order: two of us would wait for each other."""
    if not rows:
        return {}
    columns = map(list, zip(*sorted(rows, key=lambda row: row[0]), strict=True))
    added = await conn.fetch(sql(__package__, "insert_edits"), *columns)
    return {row["id"]: row for row in added}


def edit_of(row: asyncpg.Record) -> Edit:
    """An edit from its row of the ledger."""
    return Edit(
        row["id"],
        row["field"],
        row["source"],
        row["value"],
        row["edited_at"],
        (row["event_id"], row["event_source"]),
        values.around_from_json(row["around"]),
    )


async def _keep_said(
    conn: Connection, stories: Sequence[_Story], said_before: Mapping[UUID, Mapping[DateField, list[Observation]]]
) -> None:
    """Keep what each source says now. A source whose every edit turned out void says nothing."""
    rows: list[tuple[Any, ...]] = []
    chosen: list[tuple[UUID, DateField]] = []
    manual: list[tuple[UUID, DateField, date | None]] = []
    for story in stories:
        asset = story.asset
        for key in story.before.said.keys() | story.after.said.keys():
            said, was = story.after.said.get(key), story.before.said.get(key)
            if said == was:
                continue
            of, who = key
            told = (said.value, said.edit.edited_at, said.edit.id) if said else (None, None, None)
            rows.append((asset.id, of, who, asset.account_id, *told))
            if who == MANUAL:
                manual.append((asset.id, of, said.value if said else None))
            if who == MANUAL and said and said.value and any(each.chosen for each in said_before[asset.id][of]):
                chosen.append((asset.id, of))
    if rows:
        await conn.execute(sql(__package__, "say"), *map(list, zip(*rows, strict=True)))
    if chosen:
        await conn.execute(sql(__package__, "choose_none"), *map(list, zip(*chosen, strict=True)))
    if manual:
        await conn.execute(sql(__package__, "conflicts_over"), *map(list, zip(*manual, strict=True)))


async def keep_outcomes(
    conn: Connection, some: Sequence[tuple[Mapping[UUID, asyncpg.Record], Replayed]], *, source: str
) -> list[outbox.Pending]:
    """Let edits of assets, by id, stand as a replay of all of them has it; who is refused by it is told."""
    changed: list[tuple[Any, ...]] = []
    events: list[Event[DateWriteBackFailed]] = []
    for rows, after in some:
        for of, outcome in after.outcomes.items():
            row, why = rows[of], outcome.refusal
            status = _status(outcome, row["status"])
            if status == row["status"]:
                continue
            words = (why.code, why.reason, why.next_action) if why else (None, None, None)
            changed.append((of, status, *words, outcome.by))
            if why:
                events.append(_refused_event(row, row["asset_id"], why, source))
    if changed:
        await conn.execute(sql(__package__, "set_statuses"), *map(list, zip(*changed, strict=True)))
    return await outbox.add_all(conn, events) if events else []


def _status(outcome: Outcome, now: str) -> str:
    if outcome.kind == "refused":
        return "refused"
    if now in _HISTORY:
        return now
    if outcome.kind == "standing":
        # Its pushes say more, where there are any.
        return "recorded" if now in {"superseded", "refused", "unchanged"} else now
    return outcome.kind


def _refused_event(
    row: Mapping[str, Any] | asyncpg.Record, asset_id: UUID | None, refusal: Refusal, source: str
) -> Event[DateWriteBackFailed]:
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
    return new_event(
        data,
        source=source,
        account_id=row["account_id"],
        subject=f"assets/{asset_id}" if asset_id else None,
        correlation_id=row["correlation_id"],
    )
