"""Parked messages: kept in Postgres, with what their loss means for the run they belong to.

One transaction: a message that is kept has had its consequence, and the other way round.
"""

from typing import Final
from uuid import UUID, uuid4

from services.scheduler.dead import DeadMessage
from shared import outbox
from shared.postgres import Connection, Pool, sql, transaction
from shared.runs.closing import close_if_done
from shared.runs.scopes import fail_run, fail_scope, start_scopes

SOURCE: Final = "scheduler"
_SQL: Final = "services.scheduler.sql"


class PostgresParking:
    """The port that the handler uses."""

    def __init__(self, pool: Pool, events: outbox.Outbox, *, scopes_at_once: int) -> None:
        self._pool = pool
        self._events = events
        self._scopes_at_once = scopes_at_once

    async def keep(self, dead: DeadMessage) -> None:
        """Keep a dead message once and let its run go on without it."""
        async with transaction(self._pool) as conn:
            if not await self._store(conn, dead):
                return
            run_id, pending = await self._consequence(conn, dead)
        await self._events.publish(*pending)
        if run_id:
            await close_if_done(self._pool, self._events, run_id, source=SOURCE)

    async def _store(self, conn: Connection, dead: DeadMessage) -> bool:
        return bool(
            await conn.fetchval(
                sql(_SQL, "park"),
                uuid4(),
                dead.queue,
                dead.key,
                dead.event_type,
                dead.event_id,
                dead.account_id,
                dead.id_of("integration_id"),
                dead.correlation_id,
                dead.reason_code,
                dead.reason,
                dead.next_action,
                dead.traceback,
                dead.attempts,
                dead.first_failed_at,
                dead.content_type,
                dead.headers_json,
                dead.body,
            )
        )

    async def _consequence(self, conn: Connection, dead: DeadMessage) -> tuple[UUID | None, list[outbox.Pending]]:
        match dead.event_type:
            case "sync.page_due":
                return await self._fail_scope(conn, dead)
            case "device.page_fetched" | "asset.page_normalized":
                return await self._lose_chunk(conn, dead), []
            case "integration.created" | "sync.requested":
                return None, await self._fail_run(conn, dead)
            case _:
                return None, []

    async def _fail_scope(self, conn: Connection, dead: DeadMessage) -> tuple[UUID | None, list[outbox.Pending]]:
        scope_id = dead.id_of("scope_id")
        page_no = dead.number_of("page_no")
        if scope_id is None or page_no is None:
            return None, []
        run_id = await fail_scope(conn, scope_id, page_no, reason_code=dead.reason_code, reason=dead.reason)
        if run_id is None:
            return None, []
        return run_id, await start_scopes(conn, run_id, self._scopes_at_once, source=SOURCE)

    async def _lose_chunk(self, conn: Connection, dead: DeadMessage) -> UUID | None:
        ids = [dead.id_of(name) for name in ("fetch_id", "run_id", "integration_id")]
        chunk_no, seq = dead.number_of("chunk_no"), dead.number_of("observed_seq", bits=63)
        if None in ids or chunk_no is None or seq is None:
            return None
        run_id: UUID | None = await conn.fetchval(sql(_SQL, "lose_chunk"), ids[0], chunk_no, ids[1], ids[2], seq)
        return run_id

    async def _fail_run(self, conn: Connection, dead: DeadMessage) -> list[outbox.Pending]:
        run_id = dead.id_of("run_id")
        if run_id is None:
            return []
        return await fail_run(
            conn,
            run_id,
            status="failed",
            reason_code=dead.reason_code,
            reason=dead.reason,
            next_action=dead.next_action,
            source=SOURCE,
        )
