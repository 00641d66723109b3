"""Runs as people and scripts see them: one document for list, show and `--wait`."""

from typing import Any, Final
from uuid import UUID

import asyncpg

from lifecycle.data.naming import PACKAGE
from lifecycle.exits import ExitCode
from shared.postgres import Connection, sql

OPEN: Final = ("queued", "running")
_SUCCEEDED: Final = ("succeeded", "succeeded_with_rejects")
_BALANCE: Final = ("created", "updated", "unchanged", "rejected", "repeated")
_PLAIN: Final = (
    *("kind", "target", "status", "reason_code", "reason", "next_action", "started_by", "actor"),
    *("requested_at", "started_at", "progress_at", "finished_at"),
)

Document = dict[str, Any]


async def list_runs(
    connection: Connection, account_id: UUID, *, integration_id: UUID | None = None, limit: int = 20
) -> list[Document]:
    """The newest runs first."""
    rows = await connection.fetch(sql(PACKAGE, "runs"), account_id, integration_id, None, limit)
    return [run_document(row) for row in rows]


async def read_run(connection: Connection, account_id: UUID, run_id: UUID) -> Document:
    """One run; it must be there."""
    row = await connection.fetchrow(sql(PACKAGE, "runs"), account_id, None, run_id, 1)
    assert row is not None
    return run_document(row)


def run_document(row: asyncpg.Record) -> Document:
    """The document of a row of runs.sql; a run that goes shows what is recorded so far."""
    going = row["finished_at"] is None
    seen = row["listed"] if going else row["seen"]
    counts = {name: int(row[f"so_far_{name}" if going else name]) for name in _BALANCE}
    return {
        "id": row["id"],
        "run_id": row["id"],
        "integration_id": row["integration_id"],
        "integration": row["integration_name"],
        **{name: row[name] for name in _PLAIN},
        "balance": {"seen": int(seen), **counts},
        "missing": row["missing"],
        "archived": row["archived"],
        "scopes": {"total": row["scopes_total"], "done": row["scopes_done"], "failed": row["scopes_failed"]},
        "companies": {"known": int(row["companies_known"]), "done": int(row["companies_done"])},
        "pages": row["pages"],
        "chunks": {
            "recorded": int(row["chunks"]),
            "settled": row["chunks_settled"],
            "lost": row["chunks_lost"],
        },
    }


def exit_code(run: Document) -> ExitCode:
    """What the shell sees of a run that was waited for."""
    if run["status"] in _SUCCEEDED:
        return ExitCode.DONE
    if run["status"] in OPEN:
        return ExitCode.WAIT_RAN_OUT
    return ExitCode.PARTIAL if run["status"] == "partial" else ExitCode.FAILED


def covers(run: Document, kind: str, target: str | None) -> bool:
    """Whether a run that is going will read what another request wants."""
    return bool(run["kind"] == "full" or (run["kind"] == kind and run["target"] == target))
