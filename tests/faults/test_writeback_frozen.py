"""A write-back that stands still between claim and write, and writes an old date over a newer one (ADR 0016)."""

import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.date_ledger.late_writes import SETTLED_BY
from shared.date_ledger.switches import set_conflict_policy
from tests.integration.test_writeback import MOMENT, MakeWorld, World, world  # noqa: F401 - a fixture
from tests.support.forks import Lives
from tests.support.waiting import until

OLD, NEW = "2025-03-01", "2026-04-02"
STUCK_MS = 60_000
"""Longer than the test: the old write lies before the RMM, and reaches it when the test says so."""


@pytest.mark.parametrize(
    ("policy", "wakes"), [("keep_manual", True), ("remote_wins", True), ("remote_wins", False)], ids=str
)
async def test_the_newest_date_wins_in_the_end(world: MakeWorld, tmp_path: Path, *, wakes: bool, policy: str) -> None:  # noqa: F811
    w = await world(count=2)
    w.schedule()
    await w.within(lambda conn: set_conflict_policy(conn, w.author, w.integration_id, policy))
    async with Lives.of("writeback", tmp_path, **w.values(rmm_timeout_seconds=3.0)) as lives:
        frozen = lives.start()
        await w.publish(w.event(1, "2024-01-01"))
        await until("the fields are known", lambda: _stands(w, 1, "2024-01-01"))
        await w.idle()
        old, new = w.event(0, OLD, at=MOMENT), w.event(0, NEW, at=MOMENT + timedelta(minutes=1))
        late = await w.rmm.fault(
            {"path": "custom-fields", "method": "PUT", "times": 1}, delay_ms=STUCK_MS, drop="before"
        )
        await w.publish(old)
        await until("the old write is on its way", lambda: _fired(w, late))
        frozen.send(signal.SIGSTOP)
        # Before anybody else can take the field, or the older date might be written first by right.
        await w.record(new)
        await w.desk.execute("update date_pushes set leased_until = clock_timestamp() where leased_until is not null")
        heir = lives.start()
        await until("the newer date is written", lambda: _written(w, new))
        assert await w.there(0) == NEW
        await w.person(0, purchase_date=OLD)  # no person: it is the old write that comes now
        if wakes:
            frozen.send(signal.SIGCONT)
        else:
            await frozen.kill()
            # Only a sweep can see it now; what it read is no person's change.
            await w.pull(0, OLD)
        await until("the newest is written again", lambda: _stands(w, 0, NEW))
        await w.idle()
        await heir.kill()
    assert (await w.settled(new))["status"] == "written"
    assert (await w.settled(old))["status"] == "superseded"
    asset = await w.asset(0)
    assert (str(asset["purchase_date"]), asset["purchase_date_origin"]) == (NEW, "manual")
    shown = await w.desk.rows("select status, settled_by from date_conflicts")
    assert [tuple(row) for row in shown] == [("kept_manual", SETTLED_BY)]


async def test_the_same_date_a_second_time_is_somebodys(world: MakeWorld) -> None:  # noqa: F811
    w = await world(count=2)
    await w.start()
    old, new = w.event(0, OLD, at=MOMENT), w.event(0, NEW, at=MOMENT + timedelta(minutes=1))
    await w.publish(old)
    await w.settled(old, "written")
    await w.publish(new)
    await w.settled(new, "written")
    # As if one more write of the old date had been begun by a process of which nobody heard again.
    await w.desk.execute("update date_edits set attempts = attempts + 1 where event_id = $1", old["id"])
    for expected in ("kept_manual", "open"):
        await w.person(0, purchase_date=OLD)
        await w.pull(0, OLD)
        await w.idle()
        found = await w.desk.value("select status from date_conflicts order by found_at desc limit 1")
        assert found == expected
    assert await w.there(0) == OLD
    assert str((await w.asset(0))["purchase_date"]) == NEW


async def test_a_person_who_goes_back_to_a_date_of_ours_is_no_late_write(world: MakeWorld) -> None:  # noqa: F811
    w = await world(count=2)
    await w.start()
    await w.edit(0, OLD, at=MOMENT)
    await w.edit(0, NEW, at=MOMENT + timedelta(minutes=1))
    await w.person(0, purchase_date=OLD)
    await w.pull(0, OLD)
    assert await w.desk.value("select status from date_conflicts") == "open"
    assert await w.there(0) == OLD


async def _written(w: World, event: dict[str, Any]) -> bool:
    """Whether an edit is written.

    The broker finds out by its heartbeats that the frozen one hears nothing: until then every other message goes to it,
    so the wake-up is sent again and again.
    """
    await w.desk.execute("update date_turns set announced_at = null")
    return bool(await w.desk.value("select status = 'written' from date_edits where event_id = $1", event["id"]))


async def _stands(w: World, device: int, value: str) -> bool:
    return await w.there(device) == value


async def _fired(w: World, fault: int) -> bool:
    return bool(await w.rmm.fired(fault))
