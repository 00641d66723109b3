"""What is due by the clock. Any number of schedulers share the work: every claim skips what another one has locked."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import structlog

from services.scheduler.settings import SchedulerSettings
from shared import outbox
from shared.date_ledger.waking import announce_due_pushes
from shared.detail_sweep.announcing import announce_due_details, fill_lines
from shared.events.envelope import new_event
from shared.events.integrations import ProbeDue
from shared.events.syncs import SyncRequested
from shared.integrations.removal import forget_next_due
from shared.integrations.status import queue_sync
from shared.observability import metrics
from shared.postgres import Connection, Pool, connection, sql, transaction
from shared.runs.closing import close_if_done
from shared.runs.scopes import fail_run, fail_scope, page_due, start_scopes

log: structlog.stdlib.BoundLogger = structlog.get_logger("scheduler")

SOURCE: Final = "scheduler"
_SQL: Final = "services.scheduler.sql"
BATCH: Final = 50


class Clock:
    """The scheduler's duties, each one turn of a loop."""

    def __init__(self, pool: Pool, events: outbox.Outbox, settings: SchedulerSettings) -> None:
        self._pool = pool
        self._events = events
        self._settings = settings

    async def sweep_outbox(self) -> None:
        """Publish what a crash left behind, and tell its age."""
        await self._events.sweep(older_than_seconds=self._settings.outbox_sweep_after_seconds)
        async with connection(self._pool) as conn:
            age = await conn.fetchval("select extract(epoch from now() - min(created_at)) from outbox")
            parked = await conn.fetchval("select count(*) from parked_messages where status = 'parked'")
        metrics.OUTBOX_AGE.set(float(age or 0))
        metrics.PARKED.set(parked)

    async def request_due_syncs(self) -> None:
        """Queue the daily syncs."""
        async with transaction(self._pool) as conn:
            pending: list[outbox.Pending] = []
            for row in await conn.fetch(sql(_SQL, "due_syncs"), BATCH):
                pending += await queue_sync(
                    conn, row["id"], row["account_id"], started_by="scheduled", actor=SOURCE, source=SOURCE
                )
        await self._events.publish(*pending)

    async def announce_due_details(self) -> None:
        """Announce the turns of the sweeps of dates that have something to read."""
        fresh_for = timedelta(seconds=self._settings.detail_freshness_seconds)
        async with transaction(self._pool) as conn:
            await fill_lines(conn)
        async with transaction(self._pool) as conn:
            pending = await announce_due_details(conn, fresh_for=fresh_for, source=SOURCE)
        await self._events.publish(*pending)

    async def announce_due_pushes(self) -> None:
        """Announce the dates that are to be written: after a backoff, a pause, a crash, or a lost wake-up."""
        async with transaction(self._pool) as conn:
            pending = await announce_due_pushes(conn, source=SOURCE)
        await self._events.publish(*pending)

    async def tell_freshness(self) -> None:
        """Tell of how many devices the dates are fresh."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(sql("shared.detail_sweep", "freshness"))
        assert row is not None
        metrics.DATES_FRESH.set(row["fresh"])
        metrics.DATES_DEVICES.set(row["devices"])

    async def announce_due_probes(self) -> None:
        """Try replaced credentials of which the first try was lost."""
        async with transaction(self._pool) as conn:
            pending = [
                await outbox.add(
                    conn, new_event(ProbeDue(integration_id=row["id"]), source=SOURCE, account_id=row["account_id"])
                )
                for row in await conn.fetch(sql(_SQL, "due_probes"), BATCH)
            ]
        await self._events.publish(*pending)

    async def revive_stuck_runs(self) -> None:
        """Tell runs without progress again: Postgres is the truth, the queue is only the wake-up."""
        async with transaction(self._pool) as conn:
            await conn.execute(sql(_SQL, "progressing_runs"), self._settings.stuck_after_seconds)
            stuck = await conn.fetch(sql(_SQL, "stuck_runs"), self._settings.stuck_after_seconds)
            pending: list[outbox.Pending] = []
            for run in stuck:
                pending += await self._revive(conn, run)
        await self._events.publish(*pending)
        for run in stuck:
            await close_if_done(self._pool, self._events, run["id"], source=SOURCE)

    async def _revive(self, conn: Connection, run: asyncpg.Record) -> list[outbox.Pending]:
        if run["announced"] > self._settings.stuck_announcements:
            return await self._give_up(conn, run)
        if run["status"] == "queued":
            return [await self._requested(conn, run)]
        # Twice without an answer: chunks that are recorded and not written are gone with their queue, and as long as
        # they count as waiting for the writer no page is read.
        if run["announced"] > 1 or not await self._has_open_scope(conn, run["id"]):
            await conn.fetch(sql(_SQL, "redo_scopes"), run["id"])
        listing = await conn.fetch(sql(_SQL, "listing_scopes"), run["id"])
        pending = [await page_due(conn, run["id"], row["id"], row["turn_page"], source=SOURCE) for row in listing]
        return pending + await start_scopes(conn, run["id"], self._settings.scopes_at_once, source=SOURCE)

    async def _has_open_scope(self, conn: Connection, run_id: UUID) -> bool:
        return bool(
            await conn.fetchval(
                "select exists (select from sync_scopes where run_id = $1 and status in ('pending', 'listing'))", run_id
            )
        )

    async def _requested(self, conn: Connection, run: asyncpg.Record) -> outbox.Pending:
        data = SyncRequested(
            integration_id=run["integration_id"], run_id=run["id"], kind=run["kind"], target=run["target"]
        )
        event = new_event(
            data,
            source=SOURCE,
            account_id=run["account_id"],
            subject=f"integrations/{run['integration_id']}",
            correlation_id=str(run["correlation_id"]),
            event_id=uuid4(),
        )
        return await outbox.add(conn, event)

    async def _give_up(self, conn: Connection, run: asyncpg.Record) -> list[outbox.Pending]:
        reason = f"no progress although it was told again {run['announced'] - 1} times"
        if run["status"] == "queued":
            return await fail_run(
                conn,
                run["id"],
                status="failed",
                reason_code="no_progress",
                reason=reason,
                next_action="look whether a fetcher runs, then sync again",
                source=SOURCE,
            )
        rows: list[Any] = await conn.fetch(
            "select id from sync_scopes where run_id = $1 and status in ('pending', 'listing')", run["id"]
        )
        for row in rows:
            await fail_scope(conn, row["id"], None, reason_code="no_progress", reason=reason)
        # Chunks that never came count as lost, so that the run ends as partial instead of never.
        await conn.execute(sql(_SQL, "lose_missing_chunks"), run["id"])
        return []

    async def forget_removed(self) -> None:
        """Let the data of an integration go that was removed, and that nobody restored in time."""
        forgotten = await forget_next_due(self._pool, source=SOURCE)
        if forgotten is None:
            return
        log.info("data of a removed integration deleted", action="forget", integration_id=str(forgotten.integration_id))
        await self._events.publish(*forgotten.pending)

    async def prune(self) -> None:
        """Drop the bookkeeping of old runs."""
        async with connection(self._pool) as conn:
            await conn.execute(sql(_SQL, "prune"))
