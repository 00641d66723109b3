"""The run's bookkeeping in Postgres: beginning, pages, scopes. Every step is guarded by where the run stands."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from services.fetcher.backpressure import Waiting
from services.fetcher.planning import Scope
from shared import outbox
from shared.detail_sweep.announcing import ask_for
from shared.errors import BadMessage, IntegrationInactive, UnknownIntegration
from shared.events.envelope import Event, new_event
from shared.events.syncs import PageDue
from shared.integrations.reading import WORKING, Integration
from shared.postgres import Connection, Pool, connection, sql, transaction
from shared.rmm.companies import Company, Site
from shared.runs.closing import close_if_done
from shared.runs.requests import Kind, request_run
from shared.runs.scopes import fail_run, start_scopes

SOURCE: Final = "fetcher"
_SQL: Final = "services.fetcher.sql"


@dataclass(frozen=True)
class SyncOrder:
    """A wish for a sync, from whichever event. run_id None: the publisher did not queue a run itself."""

    integration_id: UUID
    request_id: UUID
    run_id: UUID | None
    kind: Kind
    target: str | None
    created: bool
    account_id: UUID | None = None


@dataclass(frozen=True)
class RunStart:
    """A queued run that is to begin."""

    run_id: UUID
    integration_id: UUID
    kind: Kind
    target: str | None


@dataclass(frozen=True)
class PageTask:
    """A page that is due, with what its chunks say of companies and sites."""

    run_id: UUID
    scope_id: UUID
    account_id: UUID
    integration_id: UUID
    company_ids: tuple[str, ...]
    device_id: str | None
    site_id: str | None
    page_no: int
    cursor: int | None
    companies: dict[str, str | None]
    sites: dict[str, str | None]
    integration: Integration
    correlation_id: UUID
    waiting: Waiting


class PostgresRuns:
    """The port that the handlers use."""

    def __init__(self, pool: Pool, events: outbox.Outbox, *, scopes_at_once: int) -> None:
        self._pool = pool
        self._events = events
        self._scopes_at_once = scopes_at_once

    async def start_for(self, order: SyncOrder) -> RunStart | None:
        """The queued run of this order; None when it began already or the order joins a run that is going.

        Raises IntegrationInactive or UnknownIntegration, with the run cancelled, when there is nothing to use.
        """
        async with transaction(self._pool) as conn:
            row = await conn.fetchrow("select status, account_id from integrations where id = $1", order.integration_id)
            status = row["status"] if row else None
            if row and order.account_id and order.account_id != row["account_id"]:
                raise BadMessage(f"integration {order.integration_id} is not of account {order.account_id}")
            if status in WORKING:
                return await self._queued(conn, order)
            pending: list[outbox.Pending] = []
            if order.run_id:
                reason = f"the integration is {status or 'not known'}"
                pending = await _fail(conn, order.run_id, "cancelled", "integration_inactive", reason)
        await self._events.publish(*pending)
        if status is None:
            raise UnknownIntegration(order.integration_id)
        raise IntegrationInactive(
            f"integration {order.integration_id} is {status}", integration_id=order.integration_id
        )

    async def _queued(self, conn: Connection, order: SyncOrder) -> RunStart | None:
        run_id = order.run_id
        if run_id is None:
            request = await request_run(
                conn,
                order.integration_id,
                request_id=order.request_id,
                started_by="created" if order.created else "event",
                actor="event",
                kind=order.kind,
                target=order.target,
            )
            if request.joined:
                return None
            run_id = request.run_id
        row = await conn.fetchrow(
            "select id, integration_id, kind, target from sync_runs where id = $1 and status = 'queued'", run_id
        )
        return RunStart(row["id"], row["integration_id"], row["kind"], row["target"]) if row else None

    async def begin(
        self, start: RunStart, companies: Sequence[Company], sites: Sequence[Site], scopes: Sequence[Scope]
    ) -> None:
        """Keep the names, store the scopes and let the first of them list. A run that began already is left alone."""
        async with transaction(self._pool) as conn:
            if not await conn.fetchval(sql(_SQL, "begin_run"), start.run_id):
                return
            await self._keep_names(conn, start.integration_id, companies, sites)
            await conn.executemany(
                "insert into sync_scopes (id, run_id, position, company_ids, device_id, site_id)"
                " values ($1, $2, $3, $4, $5, $6)",
                [
                    (uuid4(), start.run_id, position, list(scope.company_ids), scope.device_id, scope.site_id)
                    for position, scope in enumerate(scopes)
                ],
            )
            if start.kind == "device" and start.target:
                await ask_for(conn, start.integration_id, start.target.lower())
            pending = await start_scopes(conn, start.run_id, self._scopes_at_once, source=SOURCE)
        await self._events.publish(*pending)
        await close_if_done(self._pool, self._events, start.run_id, source=SOURCE)

    async def fail(self, run_id: UUID, *, reason_code: str, reason: str) -> None:
        """End a run that can't begin, with the reason."""
        async with transaction(self._pool) as conn:
            pending = await _fail(conn, run_id, "failed", reason_code, reason)
        await self._events.publish(*pending)

    async def page_task(self, scope_id: UUID, turn_page: int) -> PageTask | None:
        """What the page needs to which this turn has come; None when there is none any more."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(sql(_SQL, "page_task"), scope_id, turn_page)
        return _page_task(row) if row else None

    async def device_place(self, integration_id: UUID, device_id: str) -> tuple[str, str | None] | None:
        """Company and site of a device that we know, or None."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(
                "select company_id, site_id from devices where integration_id = $1 and device_id = $2",
                integration_id,
                device_id.lower(),
            )
        return (row["company_id"], row["site_id"]) if row and row["company_id"] else None

    async def had_devices(self, task: PageTask) -> bool:
        """Whether these companies had active devices before: an RMM that now says 'not found' is doubted."""
        async with connection(self._pool) as conn:
            return bool(
                await conn.fetchval(
                    "select exists (select from devices where integration_id = $1 and company_id = any($2)"
                    " and state = 'active')",
                    task.integration_id,
                    list(task.company_ids),
                )
            )

    async def record_page(
        self, task: PageTask, fetch_id: UUID, *, devices: int, chunks: int, next_cursor: int | None, goes_on: bool
    ) -> bool:
        """Record a page whose chunks are published, once, and tell whether the turn has another one.

        Where it does not go on, the next turn is announced; where the list is at its end, the next list begins.
        """
        following = _following(task)
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(
                sql(_SQL, "record_page"),
                task.scope_id,
                task.page_no,
                fetch_id,
                devices,
                chunks,
                next_cursor,
                following.type,
                body := following.model_dump_json(),
                following.correlation_id,
                goes_on,
            )
        if row is None:
            return False
        if row["outbox_id"]:
            await self._events.publish(outbox.Pending(row["outbox_id"], following.type, body, following.correlation_id))
        elif row["status"] == "done":
            await self._scope_ended(task.run_id)
        return goes_on and row["status"] == "listing"

    async def _scope_ended(self, run_id: UUID) -> None:
        # A crash before this leaves the next scopes pending: the next scope that ends, or the reaper, starts them.
        async with transaction(self._pool) as conn:
            pending = await start_scopes(conn, run_id, self._scopes_at_once, source=SOURCE)
        await self._events.publish(*pending)
        await close_if_done(self._pool, self._events, run_id, source=SOURCE)

    async def split_scope(self, task: PageTask) -> None:
        """One scope for each company, where the RMM refuses several in a call."""
        async with transaction(self._pool) as conn:
            await conn.execute(sql(_SQL, "split_scope"), task.scope_id, task.page_no)
            pending = await start_scopes(conn, task.run_id, self._scopes_at_once, source=SOURCE)
        await self._events.publish(*pending)

    async def _keep_names(
        self, conn: Connection, integration_id: UUID, companies: Sequence[Company], sites: Sequence[Site]
    ) -> None:
        await conn.execute(
            sql(_SQL, "keep_companies"),
            integration_id,
            [company.company_id for company in companies],
            [company.name for company in companies],
        )
        await conn.execute(
            sql(_SQL, "keep_sites"),
            integration_id,
            [site.site_id for site in sites],
            [site.company_id for site in sites],
            [site.name for site in sites],
        )


async def _fail(conn: Connection, run_id: UUID, status: str, reason_code: str, reason: str) -> list[outbox.Pending]:
    return await fail_run(
        conn,
        run_id,
        status=status,
        reason_code=reason_code,
        reason=reason,
        next_action="mend what the reason says, then sync again",
        source=SOURCE,
    )


def _following(task: PageTask) -> Event[PageDue]:
    data = PageDue(
        integration_id=task.integration_id, run_id=task.run_id, scope_id=task.scope_id, page_no=task.page_no + 1
    )
    return new_event(
        data,
        source=SOURCE,
        account_id=task.account_id,
        subject=f"runs/{task.run_id}",
        correlation_id=str(task.correlation_id),
    )


def _page_task(row: asyncpg.Record) -> PageTask:
    names: dict[str, Any] = {key: row[key] if isinstance(row[key], dict) else json.loads(row[key]) for key in _NAMES}
    return PageTask(
        run_id=row["run_id"],
        scope_id=row["scope_id"],
        account_id=row["account_id"],
        integration_id=row["integration_id"],
        company_ids=tuple(row["company_ids"]),
        device_id=row["device_id"],
        site_id=row["site_id"],
        page_no=row["page_no"],
        cursor=row["cursor"],
        companies=names["companies"],
        sites=names["sites"],
        integration=Integration(
            id=row["integration_id"],
            account_id=row["account_id"],
            name=row["name"],
            region=row["region"],
            client_id=row["client_id"],
            client_secret_sealed=row["client_secret_sealed"],
            credentials_version=row["credentials_version"],
            status=row["status"],
            reason=row["reason"],
            quirks=row["quirks"],
        ),
        correlation_id=row["correlation_id"],
        waiting=Waiting(row["waiting_own"], row["waiting_total"], row["syncing"]),
    )


_NAMES: Final = ("companies", "sites")
