"""A removed integration: what it said and what was to be written to it goes; manual dates and the ledger stay."""

from typing import Final
from uuid import UUID

from shared.date_ledger.changes import tell_changes
from shared.date_ledger.values import asset_of, store_values_of
from shared.dates.sources import integration_source
from shared.postgres import Connection, sql

BATCH: Final = 5_000
"""Assets whose values are computed anew at once: what they said is held in memory meanwhile."""


async def forget_integration(conn: Connection, integration_id: UUID, *, source: str) -> None:
    """Forget the dates of an integration, in the transaction that removes it, after its links have gone.

    Edits that were waiting for it end as recorded. Which dates count now is told through the outbox alone: there can be
    too many for anybody to publish after the commit but the scheduler's sweep. Twice is nothing.
    """
    await conn.execute(sql(__package__, "end_pushes"), integration_id)
    for statement in (
        "delete from two_way where integration_id = $1",
        "delete from date_settings where integration_id = $1",
        "delete from date_turns where integration_id = $1",
        "delete from date_targets where integration_id = $1",
        "delete from date_conflicts where integration_id = $1",
    ):
        await conn.execute(statement, integration_id)
    while await _forget_some(conn, integration_source(integration_id), source):
        pass


async def _forget_some(conn: Connection, who: str, source: str) -> bool:
    """Forget what `who` said of some assets; False where it has said nothing (more)."""
    rows = await conn.fetch(sql(__package__, "forget_next"), who, BATCH)
    # An asset that went with the integration takes every other word about it along.
    gone = [row["asset_id"] for row in rows if row["id"] is None]
    there = [asset_of(row) for row in rows if row["id"] is not None]
    await conn.execute("delete from date_observations where asset_id = any($1::uuid[])", gone)
    await conn.execute(
        "delete from date_observations where asset_id = any($1::uuid[]) and source = $2",
        [asset.id for asset in there],
        who,
    )
    await store_values_of(conn, there)
    await tell_changes(conn, there, source=source)
    return bool(rows)
