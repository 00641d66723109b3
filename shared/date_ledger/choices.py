"""What a person decides about dates: a conflict's side, a source that does not count. In the caller's transaction."""

from typing import Final, Literal
from uuid import UUID

from shared import audit, outbox
from shared.audit import Author
from shared.date_ledger.changes import tell_changes
from shared.date_ledger.remote import Pulled, yield_to_remote
from shared.date_ledger.values import lock_asset, observations, store_values
from shared.date_ledger.wishes import follow, tell_edits, wake, wish_for
from shared.dates.calendar import DateField
from shared.dates.resolving import resolve
from shared.errors import Permanent
from shared.postgres import Connection, sql

Side = Literal["manual", "remote"]

_CONFLICT: Final = """
    select id, asset_id, integration_id, device_id, field, manual_value, manual_edit_id, remote_value, remote_seq
    from date_conflicts where id = $1 and account_id = $2 and status = 'open'
"""
_EXCLUDE: Final = """
    update date_observations
    set excluded_at = case when $4 then coalesce(excluded_at, now()) end, excluded_by = case when $4 then $5 end
    where asset_id = $1 and field = $2 and source = $3
    returning value
"""


class NothingToDecide(Permanent):
    """There is no such conflict, asset or observation, or it was decided already."""

    code = "nothing_to_decide"
    next_action = "look again; it may have been settled meanwhile"


async def settle_conflict(conn: Connection, author: Author, conflict_id: UUID, side: Side) -> list[outbox.Pending]:
    """Take one side: the manual date is written to the RMM again, or the RMM's date counts from now on.

    Raises NothingToDecide.
    """
    row = await conn.fetchrow(_CONFLICT, conflict_id, author.account_id)
    asset = await lock_asset(conn, row["asset_id"]) if row else None
    still = await conn.fetchrow(_CONFLICT, conflict_id, author.account_id)
    if row is None or asset is None or still is None:
        raise NothingToDecide(f"there is no open conflict {conflict_id}")
    field: DateField = still["field"]
    await conn.execute(
        sql(__package__, "conflict_settled"),
        still["integration_id"],
        still["device_id"],
        field,
        "kept_manual" if side == "manual" else "took_remote",
        author.actor,
    )
    after = {"side": side, "manual": still["manual_value"], "remote": still["remote_value"], "field": field}
    await audit.record(conn, author, "dates.conflict_settled", "asset", asset.id, after=after)
    if side == "remote":
        pulled = Pulled(still["device_id"], field, still["remote_value"], still["remote_seq"])
        pending = await yield_to_remote(
            conn, asset, still["integration_id"], pulled, actor=author.actor, source=author.source
        )
        return [*pending, *await tell_changes(conn, [asset], source=author.source)]
    resolution = resolve(field, (await observations(conn, asset.id))[field])
    due = await wish_for(conn, asset, field, resolution, still["manual_edit_id"])
    await tell_edits(conn, [still["manual_edit_id"]])
    return await wake(conn, due, source=author.source)


async def exclude_source(
    conn: Connection, author: Author, asset_id: UUID, field: DateField, source: str, *, excluded: bool
) -> list[outbox.Pending]:
    """Let one source's date not count, or count again; what then counts is written where two-way is on.

    Raises NothingToDecide.
    """
    asset = await lock_asset(conn, asset_id)
    if asset is None or asset.account_id != author.account_id:
        raise NothingToDecide(f"there is no asset {asset_id}")
    row = await conn.fetchrow(_EXCLUDE, asset_id, field, source, excluded, author.actor)
    if row is None:
        raise NothingToDecide(f"{source} says nothing about the {field} of asset {asset_id}")
    after = {"field": field, "source": source, "value": row["value"], "excluded": excluded}
    await audit.record(conn, author, "dates.source_excluded", "asset", asset_id, after=after)
    resolution = (await store_values(conn, asset))[field]
    if (resolution.value, resolution.origin) == asset.stored[field]:
        return []
    pending = await follow(conn, asset, field, resolution, source=author.source)
    return [*pending, *await tell_changes(conn, [asset], source=author.source)]
