"""One run with all that belongs to it: scopes, rejects, waits."""

from typing import Any, Final
from uuid import UUID

from lifecycle.data import words
from lifecycle.data.naming import PACKAGE
from lifecycle.data.pages import facts
from lifecycle.data.rejects import described, shortened
from lifecycle.data.runs import Document, read_run
from lifecycle.output import Output
from shared.postgres import Connection, sql

_SHOWN_SCOPES: Final = 40


async def read_run_page(connection: Connection, account_id: UUID, run_id: UUID, *, examples: int) -> Document:
    """The run with its scopes, its rejects by reason with so many examples each, its requests, and what waits."""
    run = await read_run(connection, account_id, run_id)
    scopes = await connection.fetch(sql(PACKAGE, "run_scopes"), run_id)
    rejects = await connection.fetch(sql(PACKAGE, "run_rejects"), run_id, examples)
    requests = await connection.fetchval("select count(*) from sync_requests where run_id = $1", run_id)
    budget = await connection.fetchrow(sql(PACKAGE, "budget"), run["integration_id"])
    assert budget is not None
    return {
        **run,
        "requests": requests,
        "scope_list": [dict(row) for row in scopes],
        "rejects": [dict(row) for row in rejects],
        "waits": dict(budget),
    }


def show_run(out: Output, run: Document) -> None:
    """The run as a person reads it."""
    chunks, scopes = run["chunks"], run["scopes"]
    lost = f", {chunks['lost']:,} lost" if chunks["lost"] else ""
    facts(
        out,
        [
            ("run", run["run_id"]),
            ("integration", run["integration"]),
            ("status", run["status"] if not run["reason"] else f"{run['status']}: {run['reason']}"),
            ("what to do", run["next_action"]),
            ("reads", run["kind"] if run["target"] is None else f"{run['kind']} {run['target']}"),
            ("started by", f"{run['started_by']}, {run['actor']}"),
            ("joined by", f"{run['requests'] - 1} more requests" if run["requests"] > 1 else None),
            ("requested", f"{run['requested_at']:%Y-%m-%d %H:%M:%S} UTC, {words.ago(run['requested_at'])}"),
            ("took", words.run_length(run) if run["started_at"] else None),
            ("balance", words.balance(run)),
            ("vanished", f"{run['missing']:,} missing, {run['archived']:,} archived"),
            ("lists", f"{scopes['done']} of {scopes['total']} done, {scopes['failed']} failed"),
            ("pages", f"{run['pages']:,}, {chunks['settled']:,} of {chunks['recorded']:,} parts written{lost}"),
            ("waits", _waits(run)),
        ],
    )
    _show_scopes(out, run["scope_list"])
    _show_rejects(out, run)


def _waits(run: Document) -> str | None:
    waits = run["waits"]
    if run["finished_at"] is not None:
        return None
    if waits["blocked_until"] is not None:
        return f"{waits['blocked_reason']}, until {waits['blocked_until']:%H:%M:%S} UTC"
    return f"{waits['in_five_minutes']} requests in the last five minutes"


def _show_scopes(out: Output, scopes: list[dict[str, Any]]) -> None:
    if not scopes:
        return
    out.text("")
    rows = [
        (
            scope["position"] + 1,
            ", ".join(scope["companies"][:4]) if scope["device_id"] is None else f"device {scope['device_id']}",
            scope["status"],
            scope["pages"],
            f"{scope['devices']:,}",
            scope["reason"],
        )
        for scope in scopes[:_SHOWN_SCOPES]
    ]
    out.table(("list", "companies", "status", "pages", "devices", "reason"), rows)
    if len(scopes) > _SHOWN_SCOPES:
        out.message(f"and {len(scopes) - _SHOWN_SCOPES} more lists; --json has them all")


def _show_rejects(out: Output, run: Document) -> None:
    if not run["rejects"]:
        if run["finished_at"] is not None and run["balance"]["seen"]:
            out.message("no rejects: every device was taken")
        return
    out.text("")
    rows = [
        (
            one["reason_code"],
            f"{one['count']:,}",
            shortened(example["device_id"] or ""),
            described(example["sent"]),
            example["detail"],
        )
        for one in run["rejects"]
        for example in one["examples"]
    ]
    out.table(("rejected because", "devices", "for example", "what was sent", "detail"), rows)
    most = max(one["count"] for one in run["rejects"])
    if any(len(one["examples"]) < one["count"] for one in run["rejects"]):
        out.message(
            f"all of them: lifecycle runs show {run['run_id']} --rejects {most}; as they were sent: with --json"
        )
