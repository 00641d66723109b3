"""Asking for a run: queue one, or join the one that is going."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid4

from shared.errors import UnknownIntegration
from shared.postgres import Connection, sql

Kind = Literal["full", "company", "device"]
StartedBy = Literal["created", "manual", "scheduled", "resumed", "event"]


@dataclass(frozen=True)
class RunRequest:
    """The run that a request led to. `joined` when it was going already; `repeated` when the request was known."""

    run_id: UUID
    joined: bool
    repeated: bool = False


async def request_run(
    conn: Connection,
    integration_id: UUID,
    *,
    request_id: UUID,
    started_by: StartedBy,
    actor: str,
    kind: Kind = "full",
    target: str | None = None,
) -> RunRequest:
    """Queue a run of the integration, or join the one that goes, in the caller's transaction.

    A full run that joins a narrower one is queued by the clock when that has ended. The same request twice gives the
    same run. Raises UnknownIntegration.
    """
    known = await conn.fetchrow("select run_id, joined from sync_requests where request_id = $1", request_id)
    if known:
        return RunRequest(known["run_id"], known["joined"], repeated=True)
    run_id, joined = await _queue_or_join(conn, integration_id, kind, target, started_by, actor, request_id)
    await conn.execute(
        "insert into sync_requests (request_id, run_id, joined) values ($1, $2, $3) on conflict do nothing",
        request_id,
        run_id,
        joined,
    )
    return RunRequest(run_id, joined)


async def _queue_or_join(
    conn: Connection,
    integration_id: UUID,
    kind: Kind,
    target: str | None,
    started_by: StartedBy,
    actor: str,
    request_id: UUID,
) -> tuple[UUID, bool]:
    # The running run may end between the two statements; then the next try queues one.
    for _ in range(3):
        run_id: UUID | None = await conn.fetchval(
            sql(__package__, "request"), uuid4(), integration_id, kind, target, started_by, actor, request_id
        )
        if run_id:
            return run_id, False
        running = await conn.fetchrow(
            "select id, kind from sync_runs where integration_id = $1 and status in ('queued', 'running')",
            integration_id,
        )
        if running:
            if kind == "full" and running["kind"] != "full":
                await conn.execute(sql(__package__, "full_is_due"), integration_id)
            return running["id"], True
    raise UnknownIntegration(integration_id)
