"""Whose turn it is: never more than so many at once, nobody forgotten, and no tenant in front of all others."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.turns import LIGHT_BYTES, FairTurns, Lanes


class Line:
    """Workers that wait for turns, and whom of them is working."""

    def __init__(self, at_once: int) -> None:
        self.turns = FairTurns(at_once)
        self.working: dict[str, asyncio.Event] = {}
        self.served: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        """Workers come; the owner is the first letter."""
        for name in names:
            self._tasks[name] = asyncio.create_task(self._work(name))
        await self.settle()

    async def end(self, name: str) -> None:
        """A worker is done."""
        self.working[name].set()
        await self._tasks.pop(name)
        await self.settle()

    async def cancel(self, name: str) -> None:
        """A worker goes, at work or not."""
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self.settle()

    async def settle(self) -> None:
        """Let everybody who can go on do so."""
        for _ in range(3):
            await asyncio.sleep(0)

    async def _work(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.served.append(name)
            self.working[name] = asyncio.Event()
            try:
                await self.working[name].wait()
            finally:
                del self.working[name]


async def test_a_newcomer_waits_for_one_turn_and_not_for_all_that_stand_there() -> None:
    line = Line(1)
    await line.come("a1", "a2", "a3", "a4", "b1")
    await line.end("a1")
    assert list(line.working) == ["b1"]
    await line.end("b1")
    assert list(line.working) == ["a2"]


async def test_who_holds_fewest_is_next() -> None:
    line = Line(2)
    await line.come("a1", "a2", "a3", "b1", "b2")
    await line.end("a1")
    assert set(line.working) == {"a2", "b1"}
    await line.end("b1")
    assert set(line.working) == {"a2", "b2"}, "a holds one already"


async def test_a_turn_that_is_given_to_who_no_longer_wants_it_goes_on() -> None:
    line = Line(1)
    await line.come("a1", "b1", "c1")
    # Cancelled in the same moment in which it is served.
    line.working["a1"].set()
    await line.cancel("b1")
    assert list(line.working) == ["c1"]


@pytest.mark.parametrize("at_once", [1, 2, 3])
@given(data=st.data())
def test_everybody_is_served_once_and_never_too_many(at_once: int, data: st.DataObject) -> None:
    names = [f"{owner}{n}" for n, owner in enumerate(data.draw(st.lists(st.sampled_from("abc"), max_size=12)))]

    async def play() -> None:
        line = Line(at_once)
        await line.come(*names)
        gone: set[str] = set()
        while line.working:
            assert len(line.working) <= at_once
            waiting = [name for name in names if name not in line.served and name not in gone]
            assert not waiting or len(line.working) == at_once, "a turn is free and somebody waits"
            if waiting and data.draw(st.booleans()):
                leaver = data.draw(st.sampled_from(waiting))
                gone.add(leaver)
                await line.cancel(leaver)
            else:
                await line.end(data.draw(st.sampled_from(sorted(line.working))))
        assert Counter(line.served) == Counter(set(names) - gone)

    asyncio.run(play())


@pytest.mark.parametrize(("body_bytes", "waits"), [(LIGHT_BYTES, False), (LIGHT_BYTES + 1, True)])
async def test_a_light_message_does_not_stand_behind_heavy_ones(body_bytes: int, waits: bool) -> None:
    lanes = Lanes(1)
    got: list[int] = []

    async def take() -> None:
        async with lanes.turn("small", body_bytes):
            got.append(body_bytes)

    async with lanes.turn("large", 10 * LIGHT_BYTES):
        small = asyncio.create_task(take())
        for _ in range(3):
            await asyncio.sleep(0)
        assert got == ([] if waits else [body_bytes])
    await small
    assert got == [body_bytes]


async def test_light_messages_wait_for_each_other() -> None:
    lanes = Lanes(1)
    async with lanes.turn("one", 1):
        second = asyncio.create_task(lanes.turn("two", 1).__aenter__())
        assert not (await asyncio.wait({second}, timeout=0))[0]
    await second
