"""Parked messages as people and scripts see them."""

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from lifecycle.data import words
from lifecycle.data.naming import PACKAGE
from lifecycle.data.pages import facts
from lifecycle.output import Output
from lifecycle.session import Session
from shared.postgres import sql

PARKED_ID: Final = "x-parked-id"
# Their run or list was ended when they were parked, so their handler would drop them as nothing.
DROPPED_ON_RETRY: Final = ("sync.page_due", "sync.requested", "integration.created")
_SHOWN_REASON: Final = 100
_SHOWN_BODY: Final = 20_000
_TRACEBACK_LINES: Final = 12
COLUMNS: Final = ("parked", "queue", "event", "integration", "reason", "tries", "state", "id")
GROUP_COLUMNS: Final = ("reason", "queue", "1 h", "24 h", "7 d", "total", "retried before", "what to do")

Document = dict[str, Any]


@dataclass(frozen=True)
class Chosen:
    """Which messages are meant; None takes all."""

    queue: str | None = None
    reason: str | None = None
    integration_id: UUID | None = None
    status: str | None = "parked"
    ids: tuple[UUID, ...] | None = None


async def list_parked(session: Session, chosen: Chosen, limit: int | None = None) -> list[Document]:
    """The newest first."""
    rows = await session.connection.fetch(
        sql(PACKAGE, "parked"),
        session.account_id,
        chosen.queue,
        chosen.reason,
        chosen.integration_id,
        chosen.status,
        None if chosen.ids is None else list(chosen.ids),
        limit,
    )
    return [document(row) for row in rows]


async def list_groups(session: Session, chosen: Chosen) -> list[Document]:
    """How many are parked for which reason in which queue."""
    rows = await session.connection.fetch(
        sql(PACKAGE, "parked_groups"), session.account_id, chosen.queue, chosen.reason, chosen.integration_id
    )
    return [dict(row) for row in rows]


async def read_parked(session: Session, parked_id: UUID) -> Document:
    """One message with its body, its traceback and what it was retried from or as."""
    (found,) = await list_parked(session, Chosen(status=None, ids=(parked_id,)))
    row = await session.connection.fetchrow("select body, traceback from parked_messages where id = $1", parked_id)
    assert row is not None
    again = await session.connection.fetch(
        "select id, parked_at, status, reason from parked_messages where headers ->> $2 = $1 order by parked_at",
        str(parked_id),
        PARKED_ID,
    )
    return {
        **found,
        "body": _body(row["body"]),
        "traceback": row["traceback"],
        "parked_again": [dict(one) for one in again],
    }


def document(row: asyncpg.Record) -> Document:
    """The document of a row of parked.sql."""
    return {"parked_id" if name == "id" else name: value for name, value in row.items()}


def table_row(one: Document) -> tuple[Any, ...]:
    """The row of the list."""
    reason = one["reason"]
    return (
        words.ago(one["parked_at"]),
        one["queue"],
        one["event_type"],
        one["integration"],
        reason if len(reason) <= _SHOWN_REASON else f"{reason[:_SHOWN_REASON]}…",
        one["attempts"],
        one["status"] if one["retried_from"] is None else f"{one['status']}, retried before",
        one["parked_id"],
    )


def group_row(one: Document) -> tuple[Any, ...]:
    """The row of a group."""
    counts = (one["last_hour"], one["last_day"], one["last_week"], one["total"], one["retried_before"])
    return (one["reason_code"], one["queue"], *(f"{count:,}" for count in counts), one["next_action"])


def show_parked(out: Output, one: Document) -> None:
    """Why it is here, where it belongs, and what it says."""
    again = [f"{words.ago(each['parked_at'])} as {each['parked_id']}" for each in _renamed(one["parked_again"])]
    facts(
        out,
        [
            ("id", one["parked_id"]),
            ("state", one["status"]),
            ("queue", one["queue"]),
            ("event", one["event_type"]),
            ("integration", one["integration"] or one["integration_id"]),
            ("parked", f"{one['parked_at']:%Y-%m-%d %H:%M:%S} UTC, {words.ago(one['parked_at'])}"),
            ("tries", one["attempts"]),
            ("reason", f"{one['reason_code']}: {one['reason']}"),
            ("what to do", one["next_action"]),
            ("retry", _retry_note(one)),
            ("retried from", one["retried_from"]),
            ("parked again", ", ".join(again)),
            ("decided", one["decided_by"] and f"{one['decided_by']}, {words.ago(one['decided_at'])}"),
            ("note", one["decision_note"]),
            ("correlation", one["correlation_id"]),
        ],
    )
    if one["traceback"]:
        lines = one["traceback"].splitlines()
        out.text("\ntraceback, its end:")
        out.text("\n".join(lines[-_TRACEBACK_LINES:]))
    out.text("\nbody:")
    text = one["body"] if isinstance(one["body"], str) else json.dumps(one["body"], indent=2, ensure_ascii=False)
    out.text(text[:_SHOWN_BODY])
    if len(text) > _SHOWN_BODY:
        out.message(f"and {len(text) - _SHOWN_BODY:,} more characters; --json has them all")


def _retry_note(one: Document) -> str | None:
    if one["event_type"] not in DROPPED_ON_RETRY:
        return None
    return "nothing would come of it, because its run went on without it; sync the integration again"


def _renamed(rows: list[Document]) -> list[Document]:
    return [{"parked_id": row["id"], **row} for row in rows]


def _body(body: bytes) -> Any:
    """JSON where it is JSON, else text with what is not text escaped."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "backslashreplace")
