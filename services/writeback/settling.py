"""How pushes go: what a look before a write means, what a look after it means, and what a failure means.

Every step locks the asset, then the fields whose lease is still ours; of the others nothing is said. What is known of
the RMM is kept whatever the wish is by now.
"""

import time
from dataclasses import replace
from datetime import timedelta
from typing import Final

import asyncpg

from services.writeback.steps import (
    SQL,
    Step,
    claim_following,
    disturb_lost,
    is_ours,
    open_step,
    tell_step_edits,
    wake_for_more,
)
from services.writeback.turns import CONFLICT_TRIES, DeviceWork, Look, ToWrite, Trouble
from shared import outbox
from shared.date_ledger.wishes import tell_edits
from shared.dates.calendar import DateField
from shared.dates.echo import Known, begin_writing, confirm, give_up, judge_pulled
from shared.dates.pushing import backoff, judge_read_back, plan_field
from shared.dates.sanity import Refusal
from shared.errors import Paused
from shared.postgres import Connection, sql

_NOT_KEPT: Final = Refusal(
    "not_kept",
    "the RMM took the date and does not show it",
    "look whether the field can be edited in the RMM; set the way of writing to custom fields where it is a PATCH",
)
_NOT_OURS: Final = Refusal(
    "not_ours", "another date stands in the RMM by now, which is not ours to clear", "nothing; clear it in the RMM"
)
_CHANGED: Final = Refusal(
    "changed_again", "it was written, and somebody changed it in the RMM at once", "look at the conflict"
)
_PAUSED_CODES: Final = ("hold", "hold_writing")
_NEWS: Final = frozenset({"remote_change", "first_sight"})
# The RMM answered that it wrote nothing.
_REFUSED: Final = (*_PAUSED_CODES, "conflict")


def _version_of(trouble: Trouble) -> int | None:
    """Which credentials a pause tells of, where that is known."""
    return trouble.error.credentials_version if isinstance(trouble.error, Paused) else None


async def _is_outdated(conn: Connection, work: DeviceWork, trouble: Trouble) -> bool:
    version = _version_of(trouble)
    if trouble.kind not in _PAUSED_CODES or version is None:
        return False
    newer: bool = await conn.fetchval(
        "select exists (select from integrations where id = $1 and credentials_version > $2)",
        work.integration_id,
        version,
    )
    return newer


class Settling:
    """The three ways in which a step of a push ends. All in the caller's transaction."""

    def __init__(self, lease: timedelta, rechecks: tuple[timedelta, ...]) -> None:
        self._lease = lease
        self._rechecks = rechecks

    async def decide(
        self, conn: Connection, work: DeviceWork, look: Look
    ) -> tuple[ToWrite | None, list[outbox.Pending]]:
        """Settle what needs no write; what is left is marked as on its way before anything is sent."""
        step = await open_step(conn, work)
        if step is None:
            return None, []
        chosen: dict[DateField, asyncpg.Record] = {}
        for field, row in step.rows.items():
            if work.fell_back:
                await step.keep(field, step.state(field))
            if field in look.missing:
                trouble = look.missing[field]
                await step.finish(field, "failed", Refusal(trouble.code, trouble.reason, trouble.next_action))
            elif await self._is_to_write(step, field, row, look):
                chosen[field] = row
        for field, row in chosen.items():
            seen = look.seen[field]
            known = Known(seen.value) if seen.readable else None
            state = begin_writing(row["wanted"], known, look.observed_seq, step.state(field))
            await step.keep(field, state)
            place = (work.integration_id, work.device_id, field)
            await conn.execute(sql(SQL, "begin"), *place, self._lease, work.fell_back)
        if not chosen:
            await step.counts_as_reading(look)
        await tell_step_edits(step)
        if not chosen:
            return None, [*step.pending, *await wake_for_more(step)]
        to_write = ToWrite(
            {field: row["wanted"] for field, row in chosen.items()},
            {field: look.seen[field] for field in chosen},
            {field: row["wish_no"] for field, row in chosen.items()},
            until=time.monotonic() + self._lease.total_seconds() / 3,
        )
        return to_write, step.pending

    async def _is_to_write(self, step: Step, field: DateField, row: asyncpg.Record, look: Look) -> bool:
        seen = look.seen[field]
        if row["status"] not in {"waiting", "writing"}:
            await step.hear(field, seen, look.observed_seq)
            await step.moved_on(field)
            return False
        await step.recognise(field, seen, look.observed_seq)
        state = step.state(field)
        plan = plan_field(row["wanted"], seen, state)
        if plan == "already":
            await self._already(step, field, row, look)
            return False
        if plan == "not_ours":
            await step.keep(field, give_up(state))
            await step.hear(field, seen, look.observed_seq)
            await step.finish(field, "unchanged", _NOT_OURS)
            return False
        if row["rechecks"] and state.writing == Known(row["wanted"]):
            await self._not_kept(step, field, row)
            return False
        return not await self._yields(step, field, row, look)

    async def _already(self, step: Step, field: DateField, row: asyncpg.Record, look: Look) -> None:
        """It stands there: by our write whose end nobody saw, by an earlier one, or by somebody else's."""
        state, wanted = step.state(field), Known(row["wanted"])
        if wanted in {state.writing, state.written}:
            on_its_way = state.writing == wanted
            # Looked at once more, for a late write might have come over it: it did not, and all is told.
            told = not on_its_way and row["edit_status"] in {"written", "unchanged"}
            await step.keep(field, confirm(wanted.value, look.observed_seq, state))
            await is_ours(step, field, written=on_its_way)
            await step.finish(field, row["edit_status"] if told else "written" if on_its_way else "unchanged")
            if not told:
                await step.tell(field, state.before, written=on_its_way)
            return
        await step.keep(field, give_up(state))
        await step.hear(field, look.seen[field], look.observed_seq)
        await step.finish(field, "unchanged")
        await step.tell(field, wanted, written=False)

    async def _yields(self, step: Step, field: DateField, row: asyncpg.Record, look: Look) -> bool:
        """Whether what nobody knew of in the RMM changes what is wished: by the rule, or by the policy in a conflict.

        Where it does not, it is known all the same, until our write is read back: a write may fail.
        """
        seen = look.seen[field]
        if not seen.readable or judge_pulled(seen.value, look.observed_seq, step.state(field)) not in _NEWS:
            return False
        await step.hear(field, seen, look.observed_seq)
        if await step.wish(field) == (row["wish_no"], row["status"]):
            return False
        await step.moved_on(field)
        return True

    async def settle(
        self, conn: Connection, work: DeviceWork, written: ToWrite, look: Look
    ) -> tuple[DeviceWork | None, list[outbox.Pending]]:
        """Settle a write by the look after it, and claim what is wished of the device by now, once."""
        step = await open_step(conn, work)
        if step is None:
            return None, []
        await disturb_lost(step, written)
        for field in sorted(written.values.keys() & step.rows.keys()):
            row, value = step.rows[field], written.values[field]
            verdict = judge_read_back(value, written.before[field], look.seen.get(field, written.before[field]))
            if verdict == "not_kept":
                await self._not_kept(step, field, row)
            else:
                await self._kept(step, field, row, written, look, changed=verdict == "changed")
        await step.counts_as_reading(look)
        await tell_step_edits(step)
        following = None if work.in_hand else await claim_following(step, look, self._lease)
        return following, [*step.pending, *await wake_for_more(step)]

    async def _kept(
        self, step: Step, field: DateField, row: asyncpg.Record, written: ToWrite, look: Look, *, changed: bool
    ) -> None:
        # Where somebody was quicker than our look, ours stood there at least one request earlier.
        seq = look.observed_seq - 1 if changed else look.observed_seq
        state = confirm(written.values[field], seq, step.state(field))
        await step.keep(field, state)
        await is_ours(step, field, written=True)
        if row["wish_no"] != written.wishes[field]:
            await step.moved_on(field)
            return
        await step.finish(field, "written", _CHANGED if changed else None)
        await step.tell(field, state.before, written=True)
        if changed:
            await step.hear(field, look.seen[field], look.observed_seq)

    async def _not_kept(self, step: Step, field: DateField, row: asyncpg.Record) -> None:
        """Look again a few times: nothing says how soon a write is shown. Then it was not kept."""
        rechecks: int = row["rechecks"]
        if rechecks < len(self._rechecks):
            await step.finish(field, "writing", again=self._rechecks[rechecks], rechecks=1)
            return
        await step.keep(field, give_up(step.state(field)))
        await step.finish(field, "failed", _NOT_KEPT)

    async def settle_trouble(
        self, conn: Connection, work: DeviceWork, trouble: Trouble, sent: ToWrite | None = None
    ) -> tuple[None, list[outbox.Pending]]:
        """Settle a step that did not come about: later, never, or when the pause is over.

        `sent` may be in the RMM or not; where the claim has gone to somebody else, their work is looked at again.
        """
        step = await open_step(conn, work)
        if step is None:
            return None, []
        await disturb_lost(step, sent)
        if await _is_outdated(conn, work, trouble):
            # What was said of a key that was replaced meanwhile holds nothing back: its successor may.
            trouble = replace(trouble, kind="retry")
        why = Refusal(trouble.code, trouble.reason, trouble.next_action)
        if trouble.kind == "hold_writing":
            args = (work.integration_id, why.code, why.reason, why.next_action, _version_of(trouble))
            await conn.execute(sql(SQL, "pause_writing"), *args)
        for field, row in step.rows.items():
            if sent and trouble.kind in _REFUSED:
                await step.keep(field, give_up(step.state(field)))
            if row["status"] not in {"waiting", "writing"}:
                await step.moved_on(field)
            elif trouble.kind in _PAUSED_CODES:
                await step.finish(field, "held", why)
            elif trouble.kind == "failed" or (trouble.kind == "conflict" and row["attempts"] + 1 >= CONFLICT_TRIES):
                await step.keep(field, give_up(step.state(field)))
                await step.finish(field, "failed", why)
            else:
                wait = max(trouble.wait or timedelta(0), backoff(1 if trouble.stops else row["attempts"] + 1))
                await step.finish(field, row["status"], why, again=wait, attempts=0 if trouble.stops else 1)
        await tell_step_edits(step)
        if trouble.kind == "hold_writing":
            held = await conn.fetch(sql(SQL, "hold"), work.integration_id, why.code, why.reason, why.next_action)
            await tell_edits(conn, [row["edit_id"] for row in held])
        return None, step.pending
