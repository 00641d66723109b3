"""A date that was read in an RMM: our echo, old news, no news, or somebody's change there. Never silent, never twice.

Called wherever a read date arrives: from a page of the list, from a device's detail, from the look before a write.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from uuid import UUID

import asyncpg

from shared import outbox
from shared.date_ledger import values
from shared.date_ledger.changes import tell_changes
from shared.date_ledger.edits import NewEdit, record
from shared.date_ledger.late_writes import push_again, recognise
from shared.date_ledger.states import state_of, to_columns
from shared.date_ledger.values import Asset, lock_asset
from shared.date_ledger.wishes import follow, wake
from shared.dates.calendar import DateField
from shared.dates.echo import RemoteState, Verdict, after_pull, judge_pulled
from shared.dates.resolving import Resolution
from shared.dates.sanity import refuse_value
from shared.dates.sources import MANUAL, integration_source, may_be_written
from shared.events.envelope import source_of
from shared.postgres import Connection, sql

_QUIET: Final = frozenset({"echo", "stale", "unchanged"})
_AFTER_THE_MANUAL_DATE: Final = """
    select greatest(clock_timestamp(), max(edited_at) + interval '1 microsecond') from date_edits
    where asset_id = $1 and field = $2 and source = $3
"""
POLICY: Final = "policy remote_wins"


@dataclass(frozen=True)
class Pulled:
    """One date as it was read: None is a field that is empty there. A field that was not sent is no Pulled at all.

    `observed_seq` is the number of the request, issued by our Postgres before it was sent (`Line.observed_seq`).
    """

    device_id: str
    field: DateField
    value: date | None
    observed_seq: int


async def observe_remote(
    conn: Connection,
    integration_id: UUID,
    pulled: Sequence[Pulled],
    *,
    source: str,
    correlation_id: str | None = None,
) -> list[outbox.Pending]:
    """Take in what was read, in the caller's transaction; publish the result after the commit.

    Twice and in any order is safe: what was asked for later counts. Devices that are not known are passed over. Takes
    the locks of the assets that changed in the order of their ids, and tells which dates count now.
    """
    found = await conn.fetch(
        sql(__package__, "known_states"),
        integration_id,
        [each.device_id for each in pulled],
        [each.field for each in pulled],
    )
    news: list[tuple[UUID, Pulled]] = []
    for row in found:
        each = pulled[int(row["n"]) - 1]
        if judge_pulled(each.value, each.observed_seq, state_of(row)) not in _QUIET:
            news.append((row["asset_id"], each))
        elif row["seen_known"] and each.observed_seq > row["seen_seq"] and not row["writing_known"]:
            await conn.execute(
                sql(__package__, "still_there"),
                integration_id,
                each.device_id,
                each.field,
                each.value,
                each.observed_seq,
            )
    pending: list[outbox.Pending] = []
    assets: list[Asset] = []
    for asset_id, each in sorted(news, key=lambda item: (item[0], item[1].device_id, item[1].field)):
        asset = await lock_asset(conn, asset_id)
        if asset is not None:
            assets.append(asset)
            pending += await take_in(conn, asset, integration_id, each, source=source)
    return pending + await tell_changes(conn, assets, source=source, correlation_id=correlation_id)


async def take_in(
    conn: Connection, asset: Asset, integration_id: UUID, pulled: Pulled, *, source: str, in_hand: bool = False
) -> list[outbox.Pending]:
    """Take in one date of a locked asset, with what follows from it; the caller tells which date counts now.

    `in_hand` says that it is the caller's own look at a field that it has claimed, so nothing of ours is under way.
    """
    row = await conn.fetchrow(sql(__package__, "known_states"), integration_id, [pulled.device_id], [pulled.field])
    if row is None:
        return []
    state = replace(state_of(row), in_flight=False) if in_hand else state_of(row)
    place = (integration_id, pulled.device_id, pulled.field)
    late = await recognise(conn, asset, place, (pulled.value, pulled.observed_seq), state)
    if late is not None:
        await keep_state(conn, asset, *place, late)
        await push_again(conn, *place)
        return await _own_word_gone(conn, asset, integration_id, pulled, source)
    verdict = judge_pulled(pulled.value, pulled.observed_seq, state)
    after = after_pull(pulled.value, pulled.observed_seq, state)
    if after != state:
        await keep_state(conn, asset, integration_id, pulled.device_id, pulled.field, after)
    if verdict in _QUIET:
        return []
    return await _hear(conn, asset, integration_id, pulled, verdict, row["conflict_policy"], source)


async def keep_state(
    conn: Connection, asset: Asset, integration_id: UUID, device_id: str, field: DateField, state: RemoteState
) -> None:
    """Store what is known of a field in the RMM."""
    await conn.execute(
        sql(__package__, "keep_state"), integration_id, device_id, field, asset.account_id, asset.id, *to_columns(state)
    )


async def _hear(
    conn: Connection,
    asset: Asset,
    integration_id: UUID,
    pulled: Pulled,
    verdict: Verdict,
    policy: str,
    source: str,
) -> list[outbox.Pending]:
    """Let the integration have its say, and settle or show what contradicts a manual date."""
    sane = pulled.value if refuse_value(pulled.field, pulled.value) is None else None
    await _say(conn, asset, integration_id, pulled, sane)
    manual = await conn.fetchrow(
        "select value, edit_id from date_observations where asset_id = $1 and field = $2 and source = $3"
        " and value is not null and excluded_at is null",
        asset.id,
        pulled.field,
        MANUAL,
    )
    if manual is None or manual["value"] == pulled.value:
        await conn.execute(sql(__package__, "conflict_gone"), integration_id, pulled.device_id, pulled.field)
    elif verdict == "remote_change":
        wins = policy == "remote_wins" and sane == pulled.value
        await _conflict(conn, asset, integration_id, pulled, manual, settled=wins)
        if wins:
            return await yield_to_remote(conn, asset, integration_id, pulled, actor=POLICY, source=source)
    counts = (await values.store_values(conn, asset))[pulled.field]
    return await _wish_anew(conn, asset, pulled.field, counts, source)


async def _own_word_gone(
    conn: Connection, asset: Asset, integration_id: UUID, pulled: Pulled, source: str
) -> list[outbox.Pending]:
    """Let the integration say nothing any more, for a date of ours stands there; where none is wished, that goes."""
    await _say(conn, asset, integration_id, pulled, None)
    counts = (await values.store_values(conn, asset))[pulled.field]
    pending = await wake(conn, {integration_id}, source=source)
    if (counts.value, counts.origin) != asset.stored[pulled.field]:
        pending += await follow(conn, asset, pulled.field, counts, source=source)
    return pending


async def _say(conn: Connection, asset: Asset, integration_id: UUID, pulled: Pulled, value: date | None) -> None:
    who = integration_source(integration_id)
    await conn.execute(
        sql(__package__, "hear"), asset.id, pulled.field, who, asset.account_id, value, pulled.observed_seq
    )


async def _wish_anew(
    conn: Connection, asset: Asset, field: DateField, counts: Resolution, source: str
) -> list[outbox.Pending]:
    """Where what an RMM says decides whether a date of ours counts: what is wished follows, and what waits may end.

    Only as often as something else comes to count, so nobody is fought with who changes the RMM again and again.
    """
    was = asset.stored[field]
    if (counts.value, counts.origin) == was or not (may_be_written(was[1]) or may_be_written(counts.origin)):
        return []
    return await follow(conn, asset, field, counts, source=source)


async def _conflict(
    conn: Connection,
    asset: Asset,
    integration_id: UUID,
    pulled: Pulled,
    manual: asyncpg.Record,
    *,
    settled: bool,
) -> None:
    await conn.execute(
        sql(__package__, "conflict"),
        asset.account_id,
        asset.id,
        integration_id,
        pulled.device_id,
        pulled.field,
        manual["value"],
        manual["edit_id"],
        pulled.value,
        pulled.observed_seq,
    )
    if settled:
        await conn.execute(
            sql(__package__, "conflict_settled"),
            integration_id,
            pulled.device_id,
            pulled.field,
            "took_remote",
            POLICY,
        )


async def yield_to_remote(
    conn: Connection, asset: Asset, integration_id: UUID, pulled: Pulled, *, actor: str, source: str
) -> list[outbox.Pending]:
    """Let the RMM's date count instead of the manual one: an edit in the ledger like any other, that clears.

    The event id is made of the request that brought the date, so the same change is yielded to once. What counts then
    is not written to that device, which has what was chosen, also where it is nothing.
    """
    await conn.execute(
        "update date_observations set chosen_at = now() where asset_id = $1 and field = $2 and source = $3",
        asset.id,
        pulled.field,
        integration_source(integration_id),
    )
    edit = NewEdit(
        event_source=source_of(source),
        event_id=f"{integration_id}/{pulled.device_id}/{pulled.field}/{pulled.observed_seq}",
        correlation_id=f"{integration_id}/{pulled.observed_seq}",
        account_id=asset.account_id,
        field=pulled.field,
        value=None,
        source=MANUAL,
        actor=actor,
        # By the clock that the other edits were clamped to, and never before the date that it ends.
        edited_at=await conn.fetchval(_AFTER_THE_MANUAL_DATE, asset.id, pulled.field, MANUAL),
        asked={"integration_id": str(integration_id), "device_id": pulled.device_id},
    )
    return await record(conn, asset, edit, source=source, spare=(integration_id, pulled.device_id))
