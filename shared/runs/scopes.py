"""The scopes of a run: which may list now, and how one, or the whole run, fails."""

from uuid import UUID

from shared import outbox
from shared.events.envelope import new_event
from shared.events.syncs import PageDue, SyncFailed
from shared.observability import metrics
from shared.postgres import Connection, sql

_FAIL_SCOPE = """
    update sync_scopes set status = 'failed', reason_code = $3, progress_at = now(),
        reason = case when $2::int is null then $4 else format('page %s: %s', page_no + 1, $4::text) end
    where id = $1 and status in ('pending', 'listing') and ($2::int is null or turn_page = $2)
    returning run_id
"""


async def start_scopes(conn: Connection, run_id: UUID, at_once: int, *, source: str) -> list[outbox.Pending]:
    """Let the next scopes of the run list, at most `at_once` of them in all, in the caller's transaction."""
    # One at a time: each counts the lists that go, and two that count at once would both fill up.
    await conn.execute("select from sync_runs where id = $1 for no key update", run_id)
    rows = await conn.fetch(sql(__package__, "start_scopes"), run_id, at_once)
    return [await page_due(conn, run_id, row["id"], row["turn_page"], source=source) for row in rows]


async def page_due(conn: Connection, run_id: UUID, scope_id: UUID, turn_page: int, *, source: str) -> outbox.Pending:
    """Announce the turn of a scope that began, or begins, at this page, in the caller's transaction."""
    run = await conn.fetchrow("select account_id, integration_id, correlation_id from sync_runs where id = $1", run_id)
    assert run is not None
    event = new_event(
        PageDue(integration_id=run["integration_id"], run_id=run_id, scope_id=scope_id, page_no=turn_page),
        source=source,
        account_id=run["account_id"],
        subject=f"runs/{run_id}",
        correlation_id=str(run["correlation_id"]),
    )
    return await outbox.add(conn, event)


async def fail_scope(
    conn: Connection, scope_id: UUID, turn_page: int | None, *, reason_code: str, reason: str
) -> UUID | None:
    """Fail a scope in the turn that began at this page, and say at which it stands; None: in whatever turn.

    Returns its run, or None when that turn is over or the scope ended.
    """
    run_id: UUID | None = await conn.fetchval(_FAIL_SCOPE, scope_id, turn_page, reason_code, reason)
    return run_id


async def fail_run(
    conn: Connection, run_id: UUID, *, status: str, reason_code: str, reason: str, next_action: str, source: str
) -> list[outbox.Pending]:
    """End a run that can't go on, in the caller's transaction; one that ended already is left alone."""
    run = await conn.fetchrow(sql(__package__, "fail_run"), run_id, status, reason_code, reason, next_action)
    if run is None:
        return []
    # Before the caller's commit: one that is rolled back and tried again counts twice, which is rare.
    metrics.RUNS.labels(status=status).inc()
    data = SyncFailed(
        integration_id=run["integration_id"],
        run_id=run_id,
        status=status,
        reason_code=reason_code,
        reason=reason,
        next_action=next_action,
    )
    event = new_event(
        data,
        source=source,
        account_id=run["account_id"],
        subject=f"integrations/{run['integration_id']}",
        correlation_id=str(run["correlation_id"]),
    )
    return [await outbox.add(conn, event)]
