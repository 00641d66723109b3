"""Closing a run: whoever settles the last scope or the last chunk closes it, and exactly one succeeds.

Twice is safe: the run row is locked, and its status is looked at again. A crash before the commit leaves a run that
the next chunk, or the scheduler's reaper, closes.
"""

from typing import Any, Final, TypeGuard
from uuid import UUID

import asyncpg

from shared import outbox
from shared.events.envelope import Event, new_event
from shared.events.syncs import SyncCompleted, SyncFailed
from shared.observability import metrics
from shared.postgres import Connection, Pool, connection, sql, transaction
from shared.runs.conclusion import RUNS_UNTIL_ARCHIVED, Balance, Conclusion, Counted, conclude
from shared.runs.tally import Tally

_STILL_LISTING = "select exists (select from sync_scopes where run_id = $1 and status in ('pending', 'listing'))"
_COMPLETED = ("succeeded", "succeeded_with_rejects", "partial")


async def close_if_done(pool: Pool, events: outbox.Outbox, run_id: UUID, *, source: str) -> str | None:
    """Close the run when every scope ended and every recorded chunk is settled; returns its status when it did.

    Raises StoreUnavailable.
    """
    async with connection(pool) as conn:
        # The cheap question first: it is asked after every chunk.
        if await conn.fetchval(_STILL_LISTING, run_id):
            return None
        if not _is_done(await conn.fetchrow(sql(__package__, "progress"), run_id)):
            return None
    async with transaction(pool) as conn:
        await conn.execute("select 1 from sync_runs where id = $1 for update", run_id)
        progress = await conn.fetchrow(sql(__package__, "progress"), run_id)
        if not _is_done(progress):
            return None
        conclusion, event = await _close(conn, run_id, progress, source=source)
        pending = await outbox.add(conn, event)
    await events.publish(pending)
    metrics.RUNS.labels(status=conclusion.status).inc()
    await _analyze_once(pool, progress["integration_id"], run_id)
    return conclusion.status


async def accept_review(pool: Pool, events: outbox.Outbox, run_id: UUID, *, source: str) -> str | None:
    """A person accepts a run that waited for review: its vanished devices are judged now."""
    async with transaction(pool) as conn:
        status = await conn.fetchval("select status from sync_runs where id = $1 for update", run_id)
        if status != "needs_review":
            return None
        progress = await conn.fetchrow(sql(__package__, "progress"), run_id)
        assert progress is not None
        conclusion, event = await _close(conn, run_id, progress, source=source, accepted=True)
        pending = await outbox.add(conn, event)
    await events.publish(pending)
    return conclusion.status


def _is_done(progress: asyncpg.Record | None) -> TypeGuard[asyncpg.Record]:
    return bool(
        progress
        and progress["status"] == "running"
        and progress["open_scopes"] == 0
        and progress["settled_chunks"] >= progress["chunks"]
    )


async def _close(
    conn: Connection, run_id: UUID, progress: asyncpg.Record, *, source: str, accepted: bool = False
) -> tuple[Conclusion, Event[Any]]:
    # The planner knows nothing of unnested arrays, and would compare each key with each device.
    await conn.execute("set local enable_nestloop = off; set local work_mem = '64MB'")
    tally = await _tally(conn, run_id, progress["integration_id"])
    balance = tally.balance(int(progress["devices"])) or await _balance(conn, run_id, int(progress["devices"]))
    if progress["kind"] == "full" and not accepted and tally.all_there:
        active, unseen, gone = tally.active, 0, list[int]()
    else:
        active, unseen, gone = await _unseen(conn, run_id, progress["integration_id"])
    await conn.execute("set local enable_nestloop = on")
    counted = Counted(
        kind=progress["kind"],
        scopes=progress["scopes"],
        failed_scopes=progress["failed_scopes"],
        first_failure=progress["first_failure"],
        lost_chunks=progress["lost_chunks"],
        balance=balance,
        active_before=active,
        unseen=unseen,
    )
    conclusion = conclude(counted, accepted=accepted)
    missing = archived = 0
    if conclusion.judge and gone:
        judged = await conn.fetchrow(sql(__package__, "judge"), gone, progress["integration_id"], RUNS_UNTIL_ARCHIVED)
        assert judged is not None
        missing, archived = judged["missing"], judged["archived"]
    await _store(conn, run_id, conclusion, balance, missing, archived)
    if conclusion.status in {"succeeded", "succeeded_with_rejects"} and progress["kind"] == "full":
        await conn.execute(sql(__package__, "finish_integration"), progress["integration_id"])
    return conclusion, _event(run_id, progress, conclusion, balance, missing, archived, source)


async def _tally(conn: Connection, run_id: UUID, integration_id: UUID) -> Tally:
    row = await conn.fetchrow(sql(__package__, "tally"), run_id, integration_id)
    assert row is not None
    return Tally(**{name: int(value) for name, value in row.items()})


async def _unseen(conn: Connection, run_id: UUID, integration_id: UUID) -> tuple[int, int, list[int]]:
    """How many devices were active, how many of those were not seen, and the ids of all that are to be judged."""
    row = await conn.fetchrow(sql(__package__, "unseen"), run_id, integration_id)
    assert row is not None
    return row["active"], row["unseen"], row["gone"]


async def _balance(conn: Connection, run_id: UUID, seen: int) -> Balance:
    row = await conn.fetchrow(sql(__package__, "balance"), run_id)
    assert row is not None
    return Balance(
        seen=seen,
        created=int(row["created"]),
        updated=int(row["updated"]),
        unchanged=int(row["unchanged"]),
        rejected=int(row["rejected"]),
        repeated=int(row["repeated"]),
    )


async def _store(
    conn: Connection, run_id: UUID, conclusion: Conclusion, balance: Balance, missing: int, archived: int
) -> None:
    await conn.execute(
        sql(__package__, "finish"),
        run_id,
        conclusion.status,
        conclusion.reason_code,
        conclusion.reason,
        conclusion.next_action,
        balance.seen,
        balance.created,
        balance.updated,
        balance.unchanged,
        balance.rejected,
        balance.repeated,
        missing,
        archived,
    )


def _event(
    run_id: UUID,
    progress: asyncpg.Record,
    conclusion: Conclusion,
    balance: Balance,
    missing: int,
    archived: int,
    source: str,
) -> Event[Any]:
    integration_id = progress["integration_id"]
    data: SyncCompleted | SyncFailed
    if conclusion.status in _COMPLETED:
        data = SyncCompleted(
            integration_id=integration_id,
            run_id=run_id,
            status=conclusion.status,
            seen=balance.seen,
            created=balance.created,
            updated=balance.updated,
            unchanged=balance.unchanged,
            rejected=balance.rejected,
            repeated=balance.repeated,
            missing=missing,
            archived=archived,
        )
    else:
        data = SyncFailed(
            integration_id=integration_id,
            run_id=run_id,
            status=conclusion.status,
            reason_code=conclusion.reason_code or "",
            reason=conclusion.reason or "",
            next_action=conclusion.next_action or "",
        )
    return new_event(
        data,
        source=source,
        account_id=progress["account_id"],
        subject=f"integrations/{integration_id}",
        correlation_id=str(progress["correlation_id"]),
    )


# Where the run made a tenth of all devices, or more, the planner knows nothing of them. For less it costs 150 ms of a
# busy core, and a hundred small tenants who come beside a large one would pay it a hundred times.
_IS_NEWS: Final = """
    select r.created > 0.1 * greatest(d.reltuples, 0)
        and not exists (select from sync_runs o where o.integration_id = $1 and o.id <> r.id)
    from sync_runs r, pg_class d
    where r.id = $2 and d.oid = 'devices'::regclass
"""


async def _analyze_once(pool: Pool, integration_id: UUID, run_id: UUID) -> None:
    """After an integration's first sync the planner may still believe that the tables are empty."""
    async with connection(pool) as conn:
        if await conn.fetchval(_IS_NEWS, integration_id, run_id):
            await conn.execute("select analyze_fleet()")
