"""How fresh the dates are that are read device by device: the figure of the slow sweep, and why it stands still."""

from typing import Any
from uuid import UUID

import asyncpg

from lifecycle.data.naming import PACKAGE
from lifecycle.data.words import duration
from shared.postgres import Connection, sql

Document = dict[str, Any]
_HOUR = 3600


async def read_freshness(
    connection: Connection, account_id: UUID, integration_id: UUID | None = None
) -> dict[UUID, Document]:
    """The freshness of the dates of each integration."""
    rows = await connection.fetch(sql(PACKAGE, "date_freshness"), account_id, integration_id)
    return {row["integration_id"]: _document(row) for row in rows}


def freshness_text(dates: Document) -> str:
    """`dates of 96 % of devices read within 24 h`, with what stands against it."""
    if not dates["devices"]:
        return "no device to read dates of"
    # Rounded down: 100 % are all of them.
    percent = dates["fresh"] * 100 // dates["devices"]
    text = f"dates of {percent} % of devices read within {_span(dates['within_seconds'])}"
    never = dates["devices"] - dates["read"]
    if never:
        text += f", {never:,} never yet"
    return text + (f"; not going on: {dates['reason']}; {dates['next_action']}" if dates["reason"] else "")


def _span(seconds: int) -> str:
    return f"{seconds // _HOUR} h" if seconds >= _HOUR and seconds % _HOUR == 0 else duration(seconds)


def _document(row: asyncpg.Record) -> Document:
    devices, fresh = row["devices"], min(row["fresh"], row["devices"])
    return {
        "devices": devices,
        "fresh": fresh,
        "read": min(row["read"], devices),
        "share": fresh / devices if devices else None,
        "within_seconds": row["within_seconds"],
        **{name: row[name] for name in ("reason_code", "reason", "next_action")},
    }
