"""Pausing and resuming one integration; the others never notice."""

from typing import Final
from uuid import UUID, uuid4

from shared import outbox
from shared.errors import CredentialsOutdated, IntegrationInactive, Paused
from shared.events.envelope import new_event
from shared.events.integrations import IntegrationPaused, IntegrationResumed
from shared.events.syncs import SyncFailed, SyncRequested
from shared.observability import metrics
from shared.postgres import Connection, Pool, transaction
from shared.runs.requests import StartedBy, request_run

_PAUSE: Final = """
    update integrations
    set status = 'paused_credentials', reason_code = $2, reason = $3, next_action = $4, updated_at = now()
    where id = $1 and status in ('never_synced', 'active') and ($5::int is null or credentials_version = $5)
    returning account_id
"""
_NEWER: Final = """
    select exists (select from integrations
        where id = $1 and status in ('never_synced', 'active') and credentials_version > $2)
"""
_CANCEL_RUN: Final = """
    update sync_runs
    set status = 'cancelled', reason_code = $2, reason = $3, next_action = $4, finished_at = now(), progress_at = now()
    where integration_id = $1 and status in ('queued', 'running')
    returning id, correlation_id
"""
# A page that is just being recorded waits for this, and is then nothing.
_END_SCOPES: Final = """
    update sync_scopes set status = 'failed', reason_code = $2, reason = $3, progress_at = now()
    where run_id = $1 and status in ('pending', 'listing')
"""
_RESUME: Final = """
    update integrations
    set status = case when last_success_at is null then 'never_synced' else 'active' end,
        reason_code = null, reason = null, next_action = null, probe_due_at = null, updated_at = now()
    where id = $1 and status = 'paused_credentials'
    returning account_id
"""


class PausingIntegrations:
    """Carries out what a Paused error says, once: one status, one cancelled run, one notice."""

    def __init__(self, pool: Pool, events: outbox.Outbox, source: str) -> None:
        self._pool = pool
        self._events = events
        self._source = source

    async def __call__(self, error: Paused) -> None:
        """Pause the integration of the error; one that stands still already is left as it is.

        Raises CredentialsOutdated where the error tells of credentials that were replaced: the new ones may work.
        """
        if isinstance(error, IntegrationInactive) or error.pauses != "integration":
            return
        version = error.credentials_version
        async with transaction(self._pool) as conn:
            account_id: UUID | None = await conn.fetchval(
                _PAUSE, error.integration_id, error.code, str(error), error.next_action, version
            )
            if account_id is None:
                if version is not None and await conn.fetchval(_NEWER, error.integration_id, version):
                    raise CredentialsOutdated(f"credentials {version} of {error.integration_id} were replaced")
                return
            pending = [await self._paused(conn, error, account_id)]
            pending += await cancel_run(
                conn,
                error.integration_id,
                account_id,
                reason_code=error.code,
                reason=str(error),
                next_action=error.next_action,
                source=self._source,
            )
        await self._events.publish(*pending)

    async def _paused(self, conn: Connection, error: Paused, account_id: UUID) -> outbox.Pending:
        data = IntegrationPaused(
            integration_id=error.integration_id,
            reason_code=error.code,
            reason=str(error),
            next_action=error.next_action,
        )
        event = new_event(
            data, source=self._source, account_id=account_id, subject=f"integrations/{error.integration_id}"
        )
        return await outbox.add(conn, event)


async def cancel_run(
    conn: Connection,
    integration_id: UUID,
    account_id: UUID,
    *,
    reason_code: str,
    reason: str,
    next_action: str,
    source: str,
) -> list[outbox.Pending]:
    """Cancel the run that is going, if one is, in the caller's transaction."""
    run = await conn.fetchrow(_CANCEL_RUN, integration_id, reason_code, reason, next_action)
    if run is None:
        return []
    # Before the caller's commit: one that is rolled back and tried again counts twice, which is rare.
    metrics.RUNS.labels(status="cancelled").inc()
    await conn.execute(_END_SCOPES, run["id"], reason_code, reason)
    data = SyncFailed(
        integration_id=integration_id,
        run_id=run["id"],
        status="cancelled",
        reason_code=reason_code,
        reason=reason,
        next_action=next_action,
    )
    event = new_event(
        data,
        source=source,
        account_id=account_id,
        subject=f"integrations/{integration_id}",
        correlation_id=str(run["correlation_id"]),
    )
    return [await outbox.add(conn, event)]


async def resume(conn: Connection, integration_id: UUID, *, source: str) -> list[outbox.Pending]:
    """New credentials work: resume, and queue the catch-up sync, in the caller's transaction. Twice is nothing."""
    account_id: UUID | None = await conn.fetchval(_RESUME, integration_id)
    if account_id is None:
        return []
    resumed = new_event(
        IntegrationResumed(integration_id=integration_id),
        source=source,
        account_id=account_id,
        subject=f"integrations/{integration_id}",
    )
    catch_up = await queue_sync(conn, integration_id, account_id, started_by="resumed", actor=source, source=source)
    return [await outbox.add(conn, resumed), *catch_up]


async def queue_sync(
    conn: Connection,
    integration_id: UUID,
    account_id: UUID,
    *,
    started_by: StartedBy,
    actor: str,
    source: str,
) -> list[outbox.Pending]:
    """Queue a full run with its event, in the caller's transaction; a run that is going is joined silently."""
    request_id = uuid4()
    request = await request_run(
        conn,
        integration_id,
        request_id=request_id,
        started_by=started_by,
        actor=actor,
    )
    if request.joined:
        return []
    event = new_event(
        SyncRequested(integration_id=integration_id, run_id=request.run_id),
        source=source,
        account_id=account_id,
        subject=f"integrations/{integration_id}",
        event_id=request_id,
    )
    return [await outbox.add(conn, event)]
