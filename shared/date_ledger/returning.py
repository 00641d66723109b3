"""A device that was archived and is listed again: what was edited of its dates meanwhile is written to its RMM."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from shared import outbox
from shared.date_ledger.values import lock_assets, observations_of
from shared.date_ledger.wishes import EDIT_OF, Counts, tell_edits, wake, wish_all
from shared.dates.resolving import resolve
from shared.postgres import Connection, sql


async def wish_for_returned(
    conn: Connection, integration_id: UUID, returned: Mapping[str, datetime], *, source: str
) -> list[outbox.Pending]:
    """Let devices, by the moment at which each was archived, be given what counts by an edit since then.

    In the transaction that brings them back, after that. What was not edited meanwhile stays as it stands there.
    """
    rows = await conn.fetch(
        sql(__package__, "edited_meanwhile"), integration_id, list(returned), list(returned.values())
    )
    if not rows:
        return []
    assets = await lock_assets(conn, list({row["asset_id"] for row in rows}))
    said = await observations_of(conn, list(assets))
    some: list[Counts] = []
    for asset_id, field in sorted({(row["asset_id"], row["field"]) for row in rows if row["asset_id"] in assets}):
        resolution = resolve(field, said[asset_id][field])
        edit_id: UUID | None = await conn.fetchval(EDIT_OF, asset_id, field, resolution.origin)
        some.append(Counts(assets[asset_id], field, resolution, edit_id))
    due = await wish_all(conn, some, only={(integration_id, row["device_id"]) for row in rows})
    await tell_edits(conn, [each.edit_id for each in some])
    return await wake(conn, due, source=source)
