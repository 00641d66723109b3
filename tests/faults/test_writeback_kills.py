"""kill -9 of write-back before the write, between write and commit, and between commit and ack: one effect per edit.

A few seeds in every run. `make kills` kills a hundred times (LIFECYCLE_TEST_KILLS), which takes a few minutes.
"""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from lifecycle.settings import environment
from tests.integration.test_writeback import MOMENT, MakeWorld, World, world  # noqa: F401 - a fixture
from tests.support.forks import Lives
from tests.support.seeds import seeded
from tests.support.waiting import until

SEEDS = int(environment().get("LIFECYCLE_TEST_KILLS", "3"))
DEVICES = 4
DELAY_MS = 100
# Requests of a turn, in their order: each device is looked at, written to, and looked at again.
POINTS = ("before the write", "between write and commit", "between commit and ack")
FINAL = {"written", "unchanged", "superseded"}


async def test_a_killed_write_back_has_one_effect_for_each_edit(world: MakeWorld, tmp_path: Path) -> None:  # noqa: F811
    w = await world(count=DEVICES)
    w.schedule()
    async with Lives.of("writeback", tmp_path, **w.values()) as lives:
        first = lives.start()
        # The way of writing and the fields' ids are found out once, by requests that the seeds do not count.
        await w.publish(w.event(0, "2024-01-01", at=MOMENT - timedelta(days=1)))
        await until("the first date is written", lambda: _stands(w, 0, "2024-01-01"))
        await w.idle()
        await first.kill()
        for seed in range(SEEDS):
            await _kill_once(w, lives, seed)


async def _kill_once(w: World, lives: Lives, seed: int) -> None:
    random = seeded(seed)
    point = POINTS[seed % len(POINTS)]
    newest, events = _edits(w, random, seed)
    before, asked = len(await w.writes()), len(await w.rmm.requests())
    await w.publish(*events)
    await w.desk.execute("update date_turns set announced_at = null")
    fault = await w.rmm.fault(_match(point, random), delay_ms=DELAY_MS)
    victim = lives.start()

    async def struck() -> bool:
        return bool(await w.rmm.fired(fault))

    await until(f"the kill point {point!r} of seed {seed}", struck)
    await victim.kill()
    await _answered(w, asked)
    await w.rmm.heal()
    # What the dead one had claimed is free when its lease ends, which is longer than any request of it can last.
    await w.desk.execute("update date_pushes set leased_until = clock_timestamp() where leased_until is not null")
    heir = lives.start()
    for event in events:
        await w.settled(event, *FINAL)
    await w.idle()
    await heir.kill()
    for device, value in newest.items():
        assert await w.there(device) == value, (seed, point)
    written = Counter((device, value) for device, _, value in (await w.writes())[before:])
    expected = {(w.devices[device]["id"], f"{value}T00:00:00Z") for device, value in newest.items()}
    assert {each: count for each, count in written.items() if count > 1} == {}, (seed, point)
    # An older date was written where its edit came before the newer one; the newest always was.
    assert expected <= written.keys(), (seed, point)
    statuses = {row["status"] for row in await w.desk.rows("select distinct status from date_edits")}
    assert statuses <= FINAL, (seed, point)
    assert await w.desk.parked() == []


def _edits(w: World, random: Random, seed: int) -> tuple[dict[int, str], list[dict[str, Any]]]:
    """A few edits of every device in any order, some of them twice; and what each device is to hold in the end."""
    newest: dict[int, str] = {}
    events: list[dict[str, Any]] = []
    for device in range(DEVICES):
        for number in range(random.randint(1, 3)):
            # No value comes back in another seed, so that a date which rises again is seen.
            value = (MOMENT - timedelta(days=1 + seed * 12 + device * 3 + number)).date().isoformat()
            newest[device] = value
            events.append(w.event(device, value, at=MOMENT + timedelta(minutes=seed * 10 + number)))
    events += random.sample(events, 2)
    random.shuffle(events)
    return newest, events


def _match(point: str, random: Random) -> dict[str, Any]:
    """The request at which it dies. The look before the second write comes after the commit of the first."""
    if point == "between write and commit" and random.random() < 0.5:
        return {"path": "custom-fields", "method": "PUT", "nth": random.randint(1, 2)}
    nth = {"before the write": 1, "between write and commit": 2, "between commit and ack": 3}[point]
    return {"path": "custom-fields", "method": "GET", "nth": nth + 2 * random.randint(0, 1)}


async def _answered(w: World, before: int) -> None:
    """Return when the RMM has done what the dead process asked for: the request that was delayed is on record."""

    async def ask() -> bool:
        return any(each["ms"] >= DELAY_MS for each in (await w.rmm.requests())[before:])

    await until("the last request is answered", ask)


async def _stands(w: World, device: int, value: str) -> bool:
    return await w.there(device) == value
