"""Integrations as people and scripts see them."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from lifecycle.data.date_freshness import read_freshness
from lifecycle.data.naming import PACKAGE
from lifecycle.data.runs import Document, list_runs
from lifecycle.data.two_way_state import read_two_way
from lifecycle.data.words import ago, at
from lifecycle.output import Output
from shared.postgres import Connection, sql

_PLAIN: Final = (
    *("name", "region", "client_id", "credentials_version", "status", "reason_code", "reason", "next_action"),
    *("next_sync_at", "last_success_at", "created_at", "removed_at", "forget_at", "forgotten_at"),
    *("parked", "edits_waiting", "conflicts"),
)
_SHOWN_RUNS: Final = 5
_SHOWN_CHANGES: Final = 20
_BAD_ENDS: Final = ("needs_review", "failed", "partial")
COLUMNS: Final = ("name", "region", "status", "devices", "last success", "last attempt", "next sync", "id")


async def list_integrations(
    connection: Connection, account_id: UUID, integration_id: UUID | None = None, *, removed: bool = False
) -> list[Document]:
    """Those that need a person first, then by name; with `removed` those that were removed too, at the end."""
    rows = await connection.fetch(sql(PACKAGE, "integrations"), account_id, integration_id, removed)
    dates = await read_freshness(connection, account_id, integration_id)
    return [{**_document(row), "dates": dates.get(row["id"])} for row in rows]


async def read_integration(connection: Connection, account_id: UUID, integration_id: UUID) -> Document:
    """One integration with its last runs, its request budget and its changes."""
    document = (await list_integrations(connection, account_id, integration_id))[0]
    runs = await list_runs(connection, account_id, integration_id=integration_id, limit=_SHOWN_RUNS)
    changes = await connection.fetch(
        "select at, actor, action, before, after from audit_log"
        " where object_kind = 'integration' and object_id = $1 and account_id = $2 order by at desc limit $3",
        str(integration_id),
        account_id,
        _SHOWN_CHANGES,
    )
    budget = await connection.fetchrow(sql(PACKAGE, "budget"), integration_id)
    assert budget is not None
    two_way = await read_two_way(connection, integration_id)
    more = {"two_way": two_way, "requests": dict(budget), "runs": runs, "changes": [dict(row) for row in changes]}
    return {**document, **more}


def table_row(document: Document) -> tuple[Any, ...]:
    """The row of the list."""
    last = document["last_run"]
    return (
        document["name"],
        document["region"],
        document["status"],
        f"{document['devices']['active']:,}",
        ago(document["last_success_at"]),
        f"{last['status']} {ago(last['finished_at'] or last['requested_at'])}" if last else "none",
        ago(document["next_sync_at"]) if document["next_sync_at"] and _works(document) else "",
        document["integration_id"],
    )


def say_attention(out: Output, documents: list[Document]) -> None:
    """A line for each integration that waits for a person or was switched off: what is wrong and what to do."""
    for document in documents:
        if needs_attention(document) or not _works(document):
            out.message(attention_sentence(document))


def attention_sentence(document: Document) -> str:
    """What is wrong with an integration, and what to do."""
    last: Document = document["last_run"] or {}
    if _works(document) and last.get("status") not in _BAD_ENDS:
        what = f"{document['conflicts']:,} dates were changed in the RMM against a manual edit"
        then: str | None = "take one side of each"
    elif _works(document):
        what, then = f"last sync {last.get('status')}: {last.get('reason')}", last.get("next_action")
        if last.get("status") == "needs_review":
            then = f"{then}; accept it with: lifecycle runs accept {last['run_id']}"
    else:
        what, then = document["reason"] or document["status"], document["next_action"]
    if document["edits_waiting"] and not _works(document):
        what += f"; {document['edits_waiting']:,} edits of dates are kept meanwhile"
    return f"{document['name']}: {what}" + (f"; {then}" if then else "")


def needs_attention(document: Document) -> bool:
    """Whether a person should look at it; a disabled one was switched off by one."""
    last = document["last_run"]
    return document["status"].startswith("paused") or bool(
        document["conflicts"] or (last and last["status"] in _BAD_ENDS)
    )


def _works(document: Document) -> bool:
    return document["status"] in {"never_synced", "active"}


def _out_of_quota(until: datetime) -> Document:
    # Not a status of the row: it begins and ends with the block of the request budget, and the run goes on by itself.
    return {
        "status": "paused_quota",
        "reason_code": "quota_used_up",
        "reason": f"the RMM takes no more requests of this key until {until:%H:%M:%S} UTC",
        "next_action": "nothing; it goes on by itself. Where it happens often, look for another tool with the same key",
    }


def _removed(row: Any) -> Document:
    # Why it was as it was before is kept in its row, for whoever restores it.
    if row["forgotten_at"] is not None:
        reason, next_action = f"removed, data deleted at {at(row['forgotten_at'])}", None
    else:
        reason = f"removed {ago(row['removed_at'])}, data deleted at {at(row['forget_at'])}"
        next_action = f"until then it comes back with: lifecycle integrations restore {row['id']}"
    return {"reason_code": "removed", "reason": reason, "next_action": next_action}


def _document(row: Any) -> Document:
    last = None
    if row["run_id"] is not None:
        last = {
            "run_id": row["run_id"],
            **{name: row[f"run_{name}"] for name in ("status", "reason", "next_action", "requested_at", "finished_at")},
        }
    document = {name: row[name] for name in _PLAIN}
    if row["status"] == "removed":
        document |= _removed(row)
    if row["quota_until"] is not None and _works(document):
        document |= _out_of_quota(row["quota_until"])
    return {
        "id": row["id"],
        "integration_id": row["id"],
        **document,
        "sync_every_seconds": row["sync_every"].total_seconds(),
        "devices": {name: row[name] for name in ("active", "missing", "archived")},
        "last_run": last,
    }
