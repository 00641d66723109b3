"""Two assets that are one machine have one ledger: their edits are replayed together, whichever of them each named."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from shared import outbox
from shared.date_ledger.edits import edit_of, edits_told_by_pushes, keep_outcomes
from shared.date_ledger.values import Asset, store_values
from shared.date_ledger.wishes import EDIT_OF, Counts, Device, tell_edits, wake, wish_all
from shared.dates.calendar import FIELDS, DateField
from shared.dates.replaying import Replayed, Said, replay
from shared.dates.resolving import Resolution
from shared.dates.sanity import Refusal
from shared.dates.sources import MANUAL, may_be_written
from shared.postgres import Connection, sql

_DEVICES: Final = "select integration_id, device_id from devices where asset_id = $1"


@dataclass(frozen=True)
class Lost:
    """A manual date of the asset that stays, and what would count as one; `why` where the first would be refused."""

    field: DateField
    value: date | None
    instead: date | None
    why: Refusal | None


@dataclass(frozen=True)
class Joined:
    """What becomes of all edits of two assets that are one; nothing is written yet.

    `said` is by field and source what they say in the end, `devices` are those of the asset that goes.
    """

    after: Replayed
    said: Mapping[tuple[DateField, str], Said | None]
    devices: Collection[Device]
    lost: Lost | None


async def replay_both(conn: Connection, given_up: UUID, kept: UUID) -> Joined:
    """Replay the edits of two locked assets together; `lost` is a person's date that would not outlive that."""
    rows = await conn.fetch(sql(__package__, "edits_of"), [given_up, kept])
    alone = {of: replay(edit_of(row) for row in rows if row["asset_id"] == of) for of in (given_up, kept)}
    after = replay(map(edit_of, rows))
    keys = after.said.keys() | alone[given_up].said.keys() | alone[kept].said.keys()
    devices = {(row["integration_id"], row["device_id"]) for row in await conn.fetch(_DEVICES, given_up)}
    lost = next(filter(None, (_lost(field, alone[kept], after) for field in FIELDS)), None)
    return Joined(after, {key: after.said.get(key) for key in keys}, devices, lost)


def _lost(field: DateField, before: Replayed, after: Replayed) -> Lost | None:
    was, now = before.said.get((field, MANUAL)), after.said.get((field, MANUAL))
    value, instead = was.value if was else None, now.value if now else None
    if value == instead:
        return None
    return Lost(field, value, instead, after.outcomes[was.edit.id].refusal if was else None)


async def join_edits(
    conn: Connection, joined: Joined, given_up: Asset, kept: Asset, *, source: str
) -> list[outbox.Pending]:
    """Let the edits of both, which the ledger has for `kept` by now, have their consequences; the caller tells changes.

    The RMMs of `kept` are given what comes to count by it. Those that came with the other one are given it where a date
    that may be ours stands there and another one counts now; else with the next edit.
    """
    edits = {row["id"]: row for row in await conn.fetch(sql(__package__, "edits_of"), [kept.id])}
    rows = [
        (kept.id, of, who, kept.account_id, *((said.value, said.edit.edited_at, said.edit.id) if said else (None,) * 3))
        for (of, who), said in joined.said.items()
    ]
    if rows:
        await conn.execute(sql(__package__, "say"), *map(list, zip(*rows, strict=True)))
    resolved = await store_values(conn, kept)
    pending = await keep_outcomes(conn, [(edits, joined.after)], source=source)
    everywhere: list[Counts] = []
    there: list[Counts] = []
    for field in FIELDS:
        counts = Counts(kept, field, resolved[field], await _edit_behind(conn, kept, resolved[field]))
        value, origin = given_up.stored[field]
        if (resolved[field].value, resolved[field].origin) != kept.stored[field]:
            everywhere.append(counts)
        elif may_be_written(origin) and value != resolved[field].value:
            there.append(counts)
    due = await wish_all(conn, everywhere) | await wish_all(conn, there, only=joined.devices)
    told = edits_told_by_pushes(edits, joined.after)
    await tell_edits(conn, [*told, *(each.edit_id for each in (*everywhere, *there))])
    return [*pending, *await wake(conn, due, source=source)]


async def _edit_behind(conn: Connection, asset: Asset, resolution: Resolution) -> UUID | None:
    edit_id: UUID | None = await conn.fetchval(EDIT_OF, asset.id, resolution.field, resolution.origin)
    return edit_id
