"""One thing with all that belongs to it, as a person reads it on a terminal."""

import shlex
from typing import Any

from lifecycle.data import words
from lifecycle.data.date_freshness import freshness_text
from lifecycle.data.integrations import say_attention
from lifecycle.data.runs import Document
from lifecycle.data.two_way_state import pause_text, switches_text
from lifecycle.output import Output

RUN_COLUMNS = ("run", "integration", "kind", "status", "requested", "took", "devices")


def run_row(run: Document) -> tuple[Any, ...]:
    """The row of a run in a list."""
    kind = run["kind"] if run["target"] is None else f"{run['kind']} {run['target']}"
    return (
        run["run_id"],
        run["integration"],
        kind,
        run["status"],
        words.ago(run["requested_at"]),
        words.run_length(run) if run["started_at"] else "",
        words.balance(run),
    )


def facts(out: Output, pairs: list[tuple[str, object]]) -> None:
    """Names and values below each other; a value of None is left out."""
    width = max(len(name) for name, _ in pairs) + 2
    for name, value in pairs:
        if value is not None and value != "":
            out.text(f"{name:<{width}}{value}")


def show_integration(out: Output, document: Document) -> None:
    """Status, devices, last syncs and changes."""
    devices, requests = document["devices"], document["requests"]
    facts(
        out,
        [
            ("name", document["name"]),
            ("id", document["integration_id"]),
            ("status", document["status"] if not document["reason"] else f"{document['status']}: {document['reason']}"),
            ("what to do", document["next_action"]),
            ("region", document["region"]),
            ("client id", document["client_id"]),
            (
                "devices",
                f"{devices['active']:,} active, {devices['missing']:,} missing, {devices['archived']:,} archived",
            ),
            ("dates", freshness_text(document["dates"]) if document["dates"] else None),
            ("two-way", switches_text(document["two_way"])),
            ("writing", pause_text(document["two_way"], shlex.quote(document["name"]))),
            ("last success", words.ago(document["last_success_at"])),
            ("next sync", words.ago(document["next_sync_at"])),
            ("requests", f"{requests['in_five_minutes']} in the last five minutes"),
            (
                "waits",
                requests["blocked_reason"] and f"{requests['blocked_reason']}, until {requests['blocked_until']}",
            ),
            ("edits waiting", f"{document['edits_waiting']:,}" if document["edits_waiting"] else None),
            ("conflicts", f"{document['conflicts']:,}" if document["conflicts"] else None),
            ("parked", f"{document['parked']:,} messages" if document["parked"] else None),
        ],
    )
    if document["runs"]:
        out.text("")
        out.table(RUN_COLUMNS, [run_row(run) for run in document["runs"]])
    if document["changes"]:
        out.text("")
        rows = [(words.ago(one["at"]), one["actor"], one["action"]) for one in document["changes"]]
        out.table(("changed", "by", "what"), rows)
    say_attention(out, [document])
