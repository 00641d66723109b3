"""Pushes in Postgres: claims with a fencing number, given back whatever happens. How they go is in settling.py."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

import asyncpg

from services.writeback.edits import SOURCE
from services.writeback.settling import Settling
from services.writeback.telling import failed_event
from services.writeback.turns import DeviceWork, Look, ToWrite, Trouble
from shared import outbox
from shared.date_ledger.wishes import tell_edits, wake
from shared.dates.calendar import DateField
from shared.dates.sanity import Refusal
from shared.postgres import Connection, Pool, again_on_conflict, connection, sql, transaction

_SQL: Final = "services.writeback.sql"
T = TypeVar("T")

# A timer may end a little early, and then the turn would find nothing, and another one would have to follow.
_TIMER_SECONDS: Final = 0.003


@dataclass(frozen=True)
class PushRules:
    """How much at once, how long a claim and a try may last, when to look again, and how long to wait for more.

    `gather` is how long a wish waits for the other date of its device.
    """

    devices_per_turn: int
    devices_at_once: int
    lease: timedelta
    max_age: timedelta
    rechecks: tuple[timedelta, ...]
    gather: timedelta = timedelta(0)


class PostgresPushes:
    """The port that the handler uses."""

    def __init__(self, pool: Pool, events: outbox.Outbox, rules: PushRules) -> None:
        self._pool = pool
        self._events = events
        self._rules = rules
        self._settling = Settling(rules.lease, rules.rechecks)

    async def gather(self, integration_id: UUID) -> None:
        """Wait until the first of what is due has waited for the other date of its device; nothing due is no wait.

        Before the claim, so that the wake-up still counts as on its way: edits that come meanwhile send no other one,
        and all of them are seen by the claim.
        """
        async with connection(self._pool) as conn:
            wait = await conn.fetchval(sql(_SQL, "gathering"), integration_id, self._rules.gather)
        if wait:
            await asyncio.sleep(wait.total_seconds() + _TIMER_SECONDS)

    async def claim(self, integration_id: UUID) -> Sequence[DeviceWork]:
        """Claim the devices that wait longest; the next turn is announced at once where more are due.

        Holds what waits where the integration cannot be written to, and lets it go on where it can be again.
        """
        return await self._within(lambda conn: self._claim(conn, integration_id))

    async def decide(self, work: DeviceWork, look: Look) -> ToWrite | None:
        """Take in what was read, settle what needs no write, mark the rest as on its way."""
        return await self._within(lambda conn: self._settling.decide(conn, work, look))

    async def settle(self, work: DeviceWork, written: ToWrite, look: Look) -> DeviceWork | None:
        """Settle a write by what was read after it, and claim what is wished of the device by now."""
        return await self._within(lambda conn: self._settling.settle(conn, work, written, look))

    async def settle_trouble(self, work: DeviceWork, trouble: Trouble, sent: ToWrite | None = None) -> None:
        """Settle a look or a write that did not come about; `sent` is what the RMM may have got nevertheless."""
        await self._within(lambda conn: self._settling.settle_trouble(conn, work, trouble, sent))

    async def release(self, rest: Sequence[DeviceWork], trouble: Trouble | None) -> None:
        """Give claims back untried, to be taken after the wait that the trouble asks for."""
        if rest:
            await self._within(lambda conn: self._release(conn, rest, trouble))

    async def end_turn(self, integration_id: UUID) -> None:
        """Announce the next turn where something is due that nobody has claimed."""
        await self._within(lambda conn: self._more(conn, integration_id))

    async def _within(self, work: Callable[[Connection], Awaitable[tuple[T, list[outbox.Pending]]]]) -> T:
        """One transaction, again where Postgres asks for it, and its events after the commit."""

        async def once() -> tuple[T, list[outbox.Pending]]:
            async with transaction(self._pool) as conn:
                return await work(conn)

        result, pending = await again_on_conflict(once)
        await self._events.publish(*pending)
        return result

    async def _claim(self, conn: Connection, integration_id: UUID) -> tuple[list[DeviceWork], list[outbox.Pending]]:
        # First, and for its lock: whoever wished before us has committed, and whoever comes after sends a wake-up.
        await conn.execute("update date_turns set announced_at = null where integration_id = $1", integration_id)
        may = await conn.fetchrow(sql(_SQL, "may_write"), integration_id)
        if may is None:
            return [], []
        if not may["writable"]:
            why = (may["reason_code"], may["reason"], may["next_action"])
            await tell_edits(conn, _edits(await conn.fetch(sql(_SQL, "hold"), integration_id, *why)))
            return [], []
        await tell_edits(conn, _edits(await conn.fetch(sql(_SQL, "unhold"), integration_id)))
        pending = await self._give_up(conn, integration_id)
        rows = await self._take(conn, integration_id)
        _, more = await self._more(conn, integration_id)
        return [_work(row) for row in rows], [*pending, *more]

    async def _take(self, conn: Connection, integration_id: UUID) -> list[asyncpg.Record]:
        busy = await conn.fetchrow(sql(_SQL, "busy"), integration_id)
        assert busy is not None
        room = min(self._rules.devices_per_turn, self._rules.devices_at_once - int(busy["busy"]))
        if room <= 0:
            return []
        return await conn.fetch(sql(_SQL, "claim"), integration_id, room, self._rules.lease, self._rules.gather)

    async def _more(self, conn: Connection, integration_id: UUID) -> tuple[None, list[outbox.Pending]]:
        busy = await conn.fetchrow(sql(_SQL, "busy"), integration_id)
        if busy is None or not busy["due"] or busy["busy"] >= self._rules.devices_at_once:
            return None, []
        return None, await wake(conn, {integration_id}, source=SOURCE)

    async def _give_up(self, conn: Connection, integration_id: UUID) -> list[outbox.Pending]:
        rows = await conn.fetch(sql(_SQL, "give_up"), integration_id, self._rules.max_age)
        await tell_edits(conn, _edits(rows))
        return [
            await outbox.add(conn, failed_event(row, Refusal(row["reason_code"], row["reason"], row["next_action"])))
            for row in rows
        ]

    async def _release(
        self, conn: Connection, rest: Sequence[DeviceWork], trouble: Trouble | None
    ) -> tuple[None, list[outbox.Pending]]:
        claims = [(work.device_id, field, lease) for work in rest for field, lease in work.leases.items()]
        wait = (trouble.wait if trouble else None) or timedelta(seconds=2 if trouble else 0)
        devices, fields, leases = zip(*claims, strict=True)
        await conn.execute(
            sql(_SQL, "release"), rest[0].integration_id, list(devices), list(fields), list(leases), wait
        )
        return None, []


def _edits(rows: Sequence[asyncpg.Record]) -> list[UUID | None]:
    return [row["edit_id"] for row in rows]


def _work(row: asyncpg.Record) -> DeviceWork:
    leases: dict[DateField, int] = dict(zip(row["fields"], row["leases"], strict=True))
    return DeviceWork(
        row["integration_id"],
        row["account_id"],
        row["asset_id"],
        row["device_id"],
        row["company_id"],
        row["site_id"],
        leases,
    )
