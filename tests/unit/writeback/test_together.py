"""Lots of what is asked for at the same time: nobody waits for nothing, and nobody pays for another one's fault."""

import asyncio
from collections.abc import Collection, Sequence

import pytest

from services.writeback.together import Together
from shared.errors import StoreUnavailable


class Store:
    """Does lots when it is told to, and remembers them."""

    def __init__(self, *, most: int = 100) -> None:
        self.lots: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.locked: set[str] = set()
        self.unlocked = asyncio.Event()
        self.bad: dict[str, Exception] = {}
        self.together = Together(self._work, most=most)

    async def _work(self, lot: Sequence[str], *, alone: bool) -> Collection[str]:
        self.lots.append(list(lot))
        await self.open.wait()
        for one in lot:
            if one in self.bad:
                raise self.bad[one]
        if alone and self.locked.intersection(lot):
            await self.unlocked.wait()
        return [] if alone else [one for one in lot if one in self.locked]

    def ask(self, *names: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.together.do(name)) for name in names]


async def settle() -> None:
    """Let everybody who can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_asked_for_alone_is_done_at_once() -> None:
    store = Store()
    await store.together.do("a")
    assert store.lots == [["a"]]


async def test_what_comes_while_a_lot_is_done_is_the_next_lot() -> None:
    store = Store()
    store.open.clear()
    tasks = store.ask("a")
    await settle()
    for name in ("b", "c"):
        tasks += store.ask(name)
        await settle()
    assert store.lots == [["a"]]
    store.open.set()
    await asyncio.gather(*tasks)
    assert store.lots == [["a"], ["b", "c"]]


async def test_a_lot_that_is_full_is_begun_beside_the_first_and_no_third() -> None:
    store = Store(most=2)
    store.open.clear()
    tasks = store.ask("a")
    await settle()
    tasks += store.ask(*"bcdefg")
    await settle()
    assert store.lots == [["a"], ["b", "c"]]
    store.open.set()
    await asyncio.gather(*tasks)
    assert store.lots[:4] == [["a"], ["b", "c"], ["d", "e"], ["f", "g"]]


async def test_a_lot_is_never_larger_than_it_may_be() -> None:
    store = Store(most=3)
    await asyncio.gather(*store.ask(*"abcdefgh"))
    assert sorted(one for lot in store.lots for one in lot) == list("abcdefgh")
    assert max(map(len, store.lots)) == 3


async def test_what_cannot_be_done_with_the_others_is_done_alone() -> None:
    store = Store()
    store.locked = {"b"}
    store.unlocked.set()
    await asyncio.gather(*store.ask(*"abc"))
    assert store.lots == [["a", "b", "c"], ["b"]]


async def test_nobody_waits_behind_one_that_came_alone_and_has_to_wait() -> None:
    store = Store()
    store.locked = {"first"}
    (first,) = store.ask("first")
    await settle()
    await asyncio.wait_for(store.together.do("second"), timeout=5)
    assert not first.done()
    store.unlocked.set()
    await first
    assert store.lots == [["first"], ["first"], ["second"]]


async def test_one_that_is_at_fault_fails_alone() -> None:
    store = Store()
    store.bad["b"] = ValueError("b is bad")
    done = await asyncio.gather(*store.ask(*"abc"), return_exceptions=True)
    assert [type(each) for each in done] == [type(None), ValueError, type(None)]
    assert store.lots == [["a", "b", "c"], ["a"], ["b"], ["c"]]


async def test_where_the_store_is_away_all_are_told_and_nothing_is_tried_again() -> None:
    store = Store()
    store.bad["a"] = StoreUnavailable("away")
    done = await asyncio.gather(*store.ask(*"abc"), return_exceptions=True)
    assert [type(each) for each in done] == [StoreUnavailable] * 3
    assert store.lots == [["a", "b", "c"]]
    del store.bad["a"]
    await store.together.do("a")


async def test_what_nobody_waits_for_any_more_is_left_out_and_the_others_are_done() -> None:
    store = Store()
    store.open.clear()
    (first,) = store.ask("a")
    await settle()
    gone, kept = store.ask("gone", "kept")
    await settle()
    for task in (gone, first):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    store.open.set()
    await kept
    assert store.lots == [["a"], ["kept"]]
