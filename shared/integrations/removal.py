"""Removing an integration, in two steps: it is closed at once, and its data goes after a while.

In between it can be restored. Its links, observations and credentials go; what others see and people edited stays.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from shared import audit, outbox
from shared.audit import Author
from shared.date_ledger.forgetting import forget_integration
from shared.errors import UnknownIntegration
from shared.events.envelope import Event, EventData, new_event
from shared.events.integrations import (
    IntegrationDisabled,
    IntegrationEnabled,
    IntegrationPaused,
    IntegrationRemoved,
)
from shared.integrations.changes import Changed, ChangeRefused, checked_name, lock_integration, raise_taken
from shared.integrations.reading import WORKING
from shared.integrations.status import cancel_run, queue_sync
from shared.postgres import Connection, Pool, sql, transaction

# Writers of this integration hold the lock shared while they write a chunk: none of them makes a row anew after us.
_ALONE: Final = "select pg_advisory_xact_lock(hashtextextended('integration:' || $1, 0))"
_ALONE_NOW: Final = "select pg_try_advisory_xact_lock(hashtextextended('integration:' || $1, 0))"
_REMOVED: Final = """
    select id, name, forgotten_at, status_before_removal from integrations
    where id = $1 and account_id = $2 and status = 'removed' for update
"""
_CLOSE: Final = """
    update integrations
    set client_secret_sealed = null, forgotten_at = now(), updated_at = now(), next_sync_at = null,
        probe_due_at = null, status_before_disable = null, reason_code = 'removed', reason = $2, next_action = null
    where id = $1
"""
_FORGET_TOKENS: Final = "delete from rmm_tokens where integration_id = $1"
_ERASE: Final = (
    _FORGET_TOKENS,
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
    """What went, or goes at `forget_at`, and what stays. `forget_at` is None where it has gone."""

    integration_id: UUID
    name: str
    devices: int
    assets: int
    kept: int
    forget_at: datetime | None
    pending: list[outbox.Pending]


async def count_removal(conn: Connection, integration_id: UUID) -> RemovalCounts:
    """Counts what a removal would do now."""
    row = await conn.fetchrow(sql(__package__, "removal_counts"), integration_id)
    assert row is not None
    kept = row["seen_elsewhere"] + row["edited"]
    return RemovalCounts(row["devices"], row["assets"] - kept, row["seen_elsewhere"], row["edited"])


async def remove(conn: Connection, author: Author, integration_id: UUID, *, undo_for: timedelta) -> Removed:
    """Close the integration at once, in the caller's transaction; its data goes when `undo_for` is over.

    Until then `restore` brings it back. With no time at all its data goes at once. Raises UnknownIntegration.
    """
    await conn.execute(_ALONE, str(integration_id))
    before = await lock_integration(conn, author, integration_id)
    pending = await cancel_run(
        conn,
        integration_id,
        author.account_id,
        reason_code="integration_removed",
        reason=f"the integration was removed by {author.actor}",
        next_action="restore the integration while its data is there, or add it anew",
        source=author.source,
    )
    await conn.execute(_FORGET_TOKENS, integration_id)
    forget_at: datetime = await conn.fetchval(sql(__package__, "remove"), integration_id, undo_for)
    was = {"name": before["name"], "status": before["status"], "client_id": before["client_id"]}
    after = {"forget_at": forget_at.isoformat()}
    await audit.record(conn, author, "integration.removed", "integration", integration_id, before=was, after=after)
    if not undo_for:
        return await _forget(conn, author, integration_id, before["name"], pending)
    counts = await count_removal(conn, integration_id)
    kept = counts.kept_seen_elsewhere + counts.kept_edited
    pending.append(await _tell_removed(conn, author, integration_id, forget_at))
    return Removed(integration_id, before["name"], counts.devices, counts.assets, kept, forget_at, pending)


async def forget_now(conn: Connection, author: Author, integration_id: UUID) -> Removed:
    """Let the data of a removed integration go before its time. Raises UnknownIntegration, ChangeRefused."""
    await conn.execute(_ALONE, str(integration_id))
    row = await _lock_removed(conn, author, integration_id)
    return await _forget(conn, author, integration_id, row["name"], [])


async def forget_next_due(pool: Pool, *, source: str) -> Removed | None:
    """Let the data of one removed integration go whose time is over; None where there is none, or another is at it.

    A transaction of its own: hand `pending` to the outbox. Any number of callers.
    """
    async with transaction(pool) as conn:
        due = await conn.fetchrow(sql(__package__, "forgettable"))
        if due is None or not await conn.fetchval(_ALONE_NOW, str(due["id"])):
            return None
        # Asked again, now that nobody else can be at it: it may have been restored, or have gone.
        if not await conn.fetchval(sql(__package__, "still_forgettable"), due["id"]):
            return None
        return await _forget(conn, Author(due["account_id"], source, source), due["id"], due["name"], [])


async def restore(conn: Connection, author: Author, integration_id: UUID, *, name: str | None = None) -> Changed:
    """Bring a removed integration back as it was, with a catch-up run where it may be used.

    `name` is another one than it had. Raises UnknownIntegration, NameTaken, BadInput, and ChangeRefused where its data
    has gone.
    """
    before = await _lock_removed(conn, author, integration_id)
    wanted = checked_name(name) if name is not None else before["name"]
    try:
        async with conn.transaction():
            row = await conn.fetchrow(sql(__package__, "restore"), integration_id, wanted)
    except asyncpg.UniqueViolationError:
        await raise_taken(conn, author, wanted)
        raise
    assert row is not None, "it is locked"
    status: str = row["status"]
    after = {"name": wanted, "status": status}
    await audit.record(conn, author, "integration.restored", "integration", integration_id, after=after)
    pending = [await outbox.add(conn, _restored(author, row))]
    if status in WORKING:
        pending += await queue_sync(
            conn, integration_id, author.account_id, started_by="resumed", actor=author.actor, source=author.source
        )
    return Changed(integration_id, wanted, status, row["credentials_version"], pending)


async def _lock_removed(conn: Connection, author: Author, integration_id: UUID) -> asyncpg.Record:
    row = await conn.fetchrow(_REMOVED, integration_id, author.account_id)
    if row is None:
        raise UnknownIntegration(integration_id)
    if row["forgotten_at"] is not None:
        raise ChangeRefused(
            f"the data of integration {row['name']!r} was deleted at {row['forgotten_at']:%Y-%m-%d %H:%M} UTC",
            next_action="add it anew: its first sync reads all devices",
        )
    return row


async def _forget(
    conn: Connection, author: Author, integration_id: UUID, name: str, pending: list[outbox.Pending]
) -> Removed:
    row = await conn.fetchrow(sql(__package__, "remove_links"), integration_id)
    assert row is not None
    await forget_integration(conn, integration_id, source=author.source)
    for statement in _ERASE:
        await conn.execute(statement, integration_id)
    await conn.execute(_DISCARD, integration_id, author.actor)
    await conn.execute(_CLOSE, integration_id, f"removed, and its data deleted by {author.actor}")
    counts = {"devices": row["devices"], "assets": row["assets"], "kept": row["kept"]}
    await audit.record(conn, author, "integration.forgotten", "integration", integration_id, after=counts)
    told = await _tell_removed(conn, author, integration_id, None)
    return Removed(integration_id, name, **counts, forget_at=None, pending=[*pending, told])


async def _tell_removed(
    conn: Connection, author: Author, integration_id: UUID, forget_at: datetime | None
) -> outbox.Pending:
    event = new_event(
        IntegrationRemoved(integration_id=integration_id, forget_at=forget_at),
        source=author.source,
        account_id=author.account_id,
        subject=f"integrations/{integration_id}",
    )
    return await outbox.add(conn, event)


def _restored(author: Author, row: asyncpg.Record) -> Event[EventData]:
    """How it stands now that it is back, in the words of whoever would have brought it there."""
    integration_id: UUID = row["id"]
    data: EventData
    if row["status"] in WORKING:
        data = IntegrationEnabled(integration_id=integration_id)
    elif row["status"] == "disabled":
        data = IntegrationDisabled(integration_id=integration_id)
    else:
        data = IntegrationPaused(
            integration_id=integration_id,
            reason_code=row["reason_code"] or row["status"],
            reason=row["reason"] or f"it was {row['status']} when it was removed",
            next_action=row["next_action"] or "look at the integration",
        )
    return new_event(data, source=author.source, account_id=author.account_id, subject=f"integrations/{integration_id}")
