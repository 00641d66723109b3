"""Removing an integration: its links, observations and credentials go; what others see and people edited stays."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from shared import audit, outbox
from shared.audit import Author
from shared.date_ledger.forgetting import forget_integration
from shared.events.envelope import new_event
from shared.events.integrations import IntegrationRemoved
from shared.integrations.changes import lock_integration
from shared.integrations.status import cancel_run
from shared.postgres import Connection, sql

# Writers of this integration hold the lock shared while they write a chunk: none of them makes a row anew after us.
_ALONE: Final = "select pg_advisory_xact_lock(hashtextextended('integration:' || $1, 0))"
_CLOSE: Final = """
    update integrations
    set status = 'removed', client_secret_sealed = null, removed_at = now(), updated_at = now(), next_sync_at = null,
        probe_due_at = null, status_before_disable = null, reason_code = 'removed', reason = $2, next_action = null
    where id = $1
"""
_ERASE: Final = (
    "delete from rmm_tokens where integration_id = $1",
    "delete from companies where integration_id = $1",
    "delete from sites where integration_id = $1",
    "delete from detail_reads where integration_id = $1",
    "delete from detail_sweeps where integration_id = $1",
    "delete from sync_rejects where integration_id = $1",
    "delete from sync_pages where run_id in (select id from sync_runs where integration_id = $1)",
    "delete from sync_chunks where integration_id = $1",
    "delete from probes where integration_id = $1",
    "delete from request_grants where integration_id = $1",
    "delete from request_budgets where integration_id = $1",
)
# Their bodies hold devices of the removed fleet, and a retry would be dropped: the row stays, its content goes.
_DISCARD: Final = """
    update parked_messages
    set status = 'discarded', decided_at = now(), decided_by = $2, decision_note = 'the integration was removed',
        body = ''
    where integration_id = $1 and status = 'parked'
"""


@dataclass(frozen=True)
class RemovalCounts:
    """What goes with an integration (devices, assets) and what stays although it was seen here."""

    devices: int
    assets: int
    kept_seen_elsewhere: int
    kept_edited: int


@dataclass(frozen=True)
class Removed:
    """What went and what stayed."""

    integration_id: UUID
    name: str
    devices: int
    assets: int
    kept: int
    pending: list[outbox.Pending]


async def count_removal(conn: Connection, integration_id: UUID) -> RemovalCounts:
    """Counts what a removal would do now."""
    row = await conn.fetchrow(sql(__package__, "removal_counts"), integration_id)
    assert row is not None
    kept = row["seen_elsewhere"] + row["edited"]
    return RemovalCounts(row["devices"], row["assets"] - kept, row["seen_elsewhere"], row["edited"])


async def remove(conn: Connection, author: Author, integration_id: UUID) -> Removed:
    """Remove the integration for good, in the caller's transaction. Raises UnknownIntegration."""
    await conn.execute(_ALONE, str(integration_id))
    before = await lock_integration(conn, author, integration_id)
    pending = await cancel_run(
        conn,
        integration_id,
        author.account_id,
        reason_code="integration_removed",
        reason=f"the integration was removed by {author.actor}",
        next_action="nothing; its devices are gone",
        source=author.source,
    )
    row = await conn.fetchrow(sql(__package__, "remove_links"), integration_id)
    assert row is not None
    await forget_integration(conn, integration_id)
    for statement in _ERASE:
        await conn.execute(statement, integration_id)
    await conn.execute(_DISCARD, integration_id, author.actor)
    await conn.execute(_CLOSE, integration_id, f"removed by {author.actor}")
    removed = Removed(integration_id, before["name"], row["devices"], row["assets"], row["kept"], [])
    counts = {"devices": removed.devices, "assets": removed.assets, "kept": removed.kept}
    was = {"name": before["name"], "status": before["status"], "client_id": before["client_id"]}
    await audit.record(conn, author, "integration.removed", "integration", integration_id, before=was, after=counts)
    event = new_event(
        IntegrationRemoved(integration_id=integration_id),
        source=author.source,
        account_id=author.account_id,
        subject=f"integrations/{integration_id}",
    )
    removed.pending.extend([*pending, await outbox.add(conn, event)])
    return removed
