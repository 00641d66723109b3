"""The request budget of an integration: a sliding window counted in Postgres, by its clock (migration 0002)."""

import asyncio
from datetime import timedelta
from typing import Final
from uuid import UUID

from shared.errors import QuotaExhausted
from shared.observability import metrics
from shared.postgres import Connection, Pool, connection, sql
from shared.rmm.rates import Priority, RateReading
from shared.rmm_access.rules import BudgetRules, Lists, left_by_sweep, pace_of

# A longer wait goes to the delay ladder: a held message is a slot that nobody else can use.
LONGEST_SLEEP: Final = timedelta(seconds=3)
# Without a word from the RMM of how long: long enough to be noticed, short enough to be no outage.
UNSAID_WAIT: Final = timedelta(seconds=10)
# A wait that people should see: the quota is used up, most often by another tool with the same key. `integrations list`
# shows such a block as `paused_quota`; nothing need be undone, since nobody asks before it ends.
LONG_WAIT: Final = timedelta(minutes=1)
QUOTA_USED_UP: Final = "quota used up"
# A request reaches the RMM a little after its grant, so a grant is held a little longer than the window.
MARGIN_SHARE: Final = 0.01
SOON_SHARE: Final = 0.07

_PRIORITY: Final = {Priority.WRITE: 0, Priority.LIST: 1, Priority.DETAIL: 2}
_TAKE: Final = "select wait, seq from take_request($1, $2::smallint, $3, $4, $5, $6)"
# A shorter wait leaves the reason of the longer one.
_BLOCK: Final = """
    insert into request_budgets as b (integration_id, blocked_until, blocked_reason)
    values ($1, clock_timestamp() + $2, $3)
    on conflict (integration_id) do update
        set blocked_until = greatest(b.blocked_until, excluded.blocked_until),
            blocked_reason = case
                when excluded.blocked_until >= b.blocked_until then excluded.blocked_reason else b.blocked_reason
            end
"""


class PostgresBudget:
    """The budget of one integration, as one handler uses it."""

    def __init__(self, pool: Pool, integration_id: UUID, rules: BudgetRules) -> None:
        self._pool = pool
        self._integration_id = integration_id
        self._rules = rules
        self.observed_seq = 0
        """The observation number of the last request: what was asked later is newer."""

    async def take(self, priority: Priority) -> None:
        """Return once one request may be sent. Raises QuotaExhausted where that takes more than three seconds."""
        while True:
            wait = await self._grant(priority)
            if not wait:
                return
            metrics.QUOTA_WAITS.labels(priority=priority.value).inc()
            if wait > LONGEST_SLEEP:
                raise QuotaExhausted(wait)
            await asyncio.sleep(wait.total_seconds())

    async def _grant(self, priority: Priority) -> timedelta:
        rules = self._rules
        left = min(rules.reserve, rules.requests - 1)
        async with connection(self._pool) as conn:
            if priority is Priority.DETAIL:
                paced, left = await self._leftover(conn)
                if paced:
                    return paced
            row = await conn.fetchrow(
                _TAKE,
                self._integration_id,
                _PRIORITY[priority],
                rules.requests,
                rules.window * (1 + MARGIN_SHARE),
                left,
                rules.window * SOON_SHARE,
            )
        assert row is not None
        wait: timedelta = row["wait"]
        if not wait:
            self.observed_seq = row["seq"]
        return wait

    async def _leftover(self, conn: Connection) -> tuple[timedelta | None, int]:
        """How long the sweep's pace holds it back, if at all, and what it leaves to others.

        Asked without the lock of the grant: two turns at once may be ahead of the pace by a request each.
        """
        row = await conn.fetchrow(
            sql(__package__, "leftover"), self._integration_id, *pace_of(self._rules), self._rules.window
        )
        assert row is not None
        lists = Lists(listing_for=row["listing_for"], due_in=row["due_in"], pages=row["pages"])
        return row["paced"], left_by_sweep(self._rules, lists)

    async def corrected(self, reading: RateReading) -> None:
        """Hold everybody back after a 429, or where the RMM says that nothing is left."""
        metrics.REQUESTS.labels(kind="limit", outcome="refused" if reading.refused else "told").inc()
        if not reading.refused and reading.remaining != 0:
            return
        wait = reading.wait or UNSAID_WAIT
        async with connection(self._pool) as conn:
            await conn.execute(_BLOCK, self._integration_id, wait, _why(reading, wait))


def _why(reading: RateReading, wait: timedelta) -> str:
    if not reading.refused:
        return "nothing remains"
    return QUOTA_USED_UP if wait >= LONG_WAIT else "429"
