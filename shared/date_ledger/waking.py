"""Pushes are due by the clock: after a backoff, a pause, a crash, or a lost wake-up. The scheduler announces them."""

from typing import Final

from shared import outbox
from shared.date_ledger.wishes import WAKE_SECONDS, wake
from shared.postgres import Connection, sql

BATCH: Final = 200


async def announce_due_pushes(conn: Connection, *, source: str) -> list[outbox.Pending]:
    """Announce a turn for every integration with something due. Any number of callers: one wake-up at a time."""
    rows = await conn.fetch(sql(__package__, "due"), BATCH, WAKE_SECONDS)
    return await wake(conn, [row["integration_id"] for row in rows], source=source)
