"""Announcing turns of the sweep, from the tables. Any number of callers: one turn of an integration at a time."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg

from shared import outbox
from shared.events.envelope import new_event
from shared.events.syncs import DetailDue
from shared.postgres import Connection, sql

BATCH: Final = 50
LOST_AFTER: Final = timedelta(seconds=90)
"""An announced turn that nobody ended for so long counts as lost, and is announced again under its number."""


async def fill_lines(conn: Connection) -> None:
    """Put devices that came since in the lines of their integrations. Twice is nothing."""
    await conn.execute(sql(__package__, "enter"))
    for row in await conn.fetch(sql(__package__, "seed_due"), BATCH):
        await conn.execute(sql(__package__, "seed"), row["integration_id"])


async def announce_due_details(
    conn: Connection, *, fresh_for: timedelta, source: str, only: UUID | None = None
) -> list[outbox.Pending]:
    """Announce a turn for every integration, or `only` one, that has dates older than `fresh_for` and may read them.

    A turn that is on its way is left alone until it counts as lost. It is told again under the same number, so the
    copies of it that are still queued end as nothing once one of them is done.
    """
    rows = await conn.fetch(sql(__package__, "due"), fresh_for, LOST_AFTER, BATCH, only)
    return [await _announce(conn, row, source) for row in rows]


async def ask_for(conn: Connection, integration_id: UUID, device_id: str) -> None:
    """Let the dates of one device be read next, with the next turn. A device that is not known is nothing."""
    await conn.execute(sql(__package__, "ask"), integration_id, device_id)


async def was_read(conn: Connection, integration_id: UUID, device_id: str) -> None:
    """To the back of the line: a device of which both dates were just read by somebody else than the sweep.

    Not one that somebody asked for, nor one that the sweep is reading. A device that is not in the line is nothing.
    """
    await conn.execute(sql(__package__, "read_by_look"), integration_id, device_id)


async def _announce(conn: Connection, row: asyncpg.Record, source: str) -> outbox.Pending:
    event = new_event(
        DetailDue(integration_id=row["integration_id"], turn=row["turn_no"]),
        source=source,
        account_id=row["account_id"],
        subject=f"integrations/{row['integration_id']}",
    )
    return await outbox.add(conn, event)
