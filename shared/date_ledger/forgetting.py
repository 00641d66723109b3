"""A removed integration: what it said and what was to be written to it goes; manual dates and the ledger stay."""

from uuid import UUID

from shared.date_ledger.values import lock_asset, store_values
from shared.dates.sources import integration_source
from shared.postgres import Connection, sql


async def forget_integration(conn: Connection, integration_id: UUID) -> None:
    """Forget the dates of an integration, in the transaction that removes it, after its links have gone.

    Edits that were waiting for it end as recorded. Twice is nothing.
    """
    await conn.execute(sql(__package__, "end_pushes"), integration_id)
    gone = await conn.fetch(
        "delete from date_observations where source = $1 returning asset_id", integration_source(integration_id)
    )
    for statement in (
        "delete from two_way where integration_id = $1",
        "delete from date_settings where integration_id = $1",
        "delete from date_turns where integration_id = $1",
        "delete from date_targets where integration_id = $1",
        "delete from date_conflicts where integration_id = $1",
    ):
        await conn.execute(statement, integration_id)
    # An asset that went with the integration takes every other word about it along.
    await conn.execute(
        "delete from date_observations o where o.asset_id = any($1::uuid[])"
        " and not exists (select from assets a where a.id = o.asset_id)",
        [row["asset_id"] for row in gone],
    )
    for asset_id in sorted({row["asset_id"] for row in gone}):
        asset = await lock_asset(conn, asset_id)
        if asset is not None:
            await store_values(conn, asset)
