"""The sweep's line in Postgres: claims, readings and turns."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from services.fetcher.detail_turns import RETRY_AFTER, DetailDevice, DetailTurn, Reading, Setback
from shared import outbox
from shared.date_ledger.remote import Pulled, observe_remote
from shared.detail_sweep.announcing import announce_due_details
from shared.postgres import Connection, Pool, sql, transaction

SOURCE: Final = "fetcher"
_SQL: Final = "services.fetcher.sql"
_NOW: Final = timedelta(0)
# A removal waits for us, or we find its devices gone: nothing of theirs is made anew after it.
_LOCK: Final = "select pg_advisory_xact_lock_shared(hashtextextended('integration:' || $1, 0))"


class PostgresDetails:
    """The port that the handler uses. `lease` outlives the handler's deadline."""

    def __init__(self, pool: Pool, events: outbox.Outbox, *, devices: int, lease: timedelta) -> None:
        self._pool = pool
        self._events = events
        self._devices = devices
        self._lease = lease

    async def claim(self, turn: DetailTurn) -> list[DetailDevice]:
        """The next devices of the line, ours for the lease; none where the turn is over or has to stand aside."""
        async with transaction(self._pool) as conn:
            rows = await conn.fetch(
                sql(_SQL, "detail_claim"), turn.integration_id, turn.number, self._lease, self._devices
            )
            # Back in the line when it is seen again.
            await conn.execute(
                "delete from detail_reads where integration_id = $1 and device_id = any($2::text[])",
                turn.integration_id,
                [row["device_id"] for row in rows if row["gone"]],
            )
        return [
            DetailDevice(row["device_id"], row["company_id"], row["site_id"], row["leased_until"], asked=row["asked"])
            for row in rows
            if not row["gone"]
        ]

    async def keep(self, turn: DetailTurn, device: DetailDevice, reading: Reading) -> None:
        """Let the date rules weigh what was read, and send the device to the back of the line, in one transaction."""
        pulled = [
            Pulled(device.device_id, field, value, reading.observed_seq) for field, value in reading.dates.items()
        ]
        async with transaction(self._pool) as conn:
            await conn.execute(_LOCK, str(turn.integration_id))
            pending = await observe_remote(conn, turn.integration_id, pulled, source=SOURCE)
            await self._settle(conn, turn, device, read=True)
        await self._events.publish(*pending)

    async def set_back(self, turn: DetailTurn, device: DetailDevice, setback: Setback) -> None:
        """Send a device that could not be read to its new place in the line; it keeps its place without a request."""
        if setback.kind not in {"later", "passed"}:
            await self._release(turn, [device])
            return
        async with transaction(self._pool) as conn:
            await self._settle(conn, turn, device, read=False, soon=setback.kind == "later")

    async def end(self, turn: DetailTurn, rest: Sequence[DetailDevice], halt: Setback | None) -> None:
        """Give back what was not tried, end the turn, and announce the next where something is due.

        Only the current turn steps the sweep and announces; twice is nothing.
        """
        unreadable = halt if halt and halt.kind == "unreadable" else None
        why = (
            (unreadable.code, unreadable.reason, unreadable.next_action, unreadable.credentials_version)
            if unreadable
            else (None, None, None, None)
        )
        await self._release(turn, rest)
        async with transaction(self._pool) as conn:
            fresh_for = await conn.fetchval(
                sql(_SQL, "detail_end"), turn.integration_id, turn.number, halt.wait if halt else _NOW, *why
            )
            if fresh_for is None:
                return
            pending = await announce_due_details(conn, fresh_for=fresh_for, source=SOURCE, only=turn.integration_id)
        await self._events.publish(*pending)

    async def _release(self, turn: DetailTurn, devices: Sequence[DetailDevice]) -> None:
        if not devices:
            return
        async with transaction(self._pool) as conn:
            await conn.execute(
                sql(_SQL, "detail_release"),
                turn.integration_id,
                [device.device_id for device in devices],
                [device.leased_until for device in devices],
            )

    async def _settle(
        self, conn: Connection, turn: DetailTurn, device: DetailDevice, *, read: bool, soon: bool = False
    ) -> None:
        nearer = _NOW
        if soon:
            fresh_for: timedelta | None = await conn.fetchval(
                "select fresh_for from detail_sweeps where integration_id = $1", turn.integration_id
            )
            nearer = max((fresh_for or _NOW) - RETRY_AFTER, _NOW)
        await conn.execute(
            sql(_SQL, "detail_settle"), turn.integration_id, device.device_id, device.leased_until, read, nearer
        )
