"""A turn of pages: when it goes on, and what its handler makes of each page."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.fetcher.backpressure import Waiting
from services.fetcher.bookkeeping import PageTask
from services.fetcher.handlers import fetch_pages
from services.fetcher.page_turns import TURN_SECONDS, PageTurn, TurnRules
from services.fetcher.rmm_devices import FetchedPage
from shared.errors import RmmAnswerUnreadable
from shared.integrations.reading import Integration

RULES = TurnRules(lists_at_once=2, turns_at_once=24)
TURN = PageTurn(uuid4(), 0, "story")


@pytest.mark.parametrize(
    ("seconds", "syncing", "goes_on"),
    [(0.0, 1, True), (TURN_SECONDS, 1, False), (1.0, 12, True), (1.0, 13, False), (0.0, 0, True)],
)
def test_a_turn_goes_on_while_it_is_young_and_nobody_waits_behind_it(
    seconds: float, syncing: int, goes_on: bool
) -> None:
    assert RULES.goes_on(TURN, seconds=seconds, syncing=syncing) is goes_on


def test_a_turn_that_failed_before_ends_with_its_page() -> None:
    assert not RULES.goes_on(replace(TURN, retried=True), seconds=0.0, syncing=1)


INTEGRATION = Integration(uuid4(), uuid4(), "tenant", "na", "client", "sealed", 1, "active", None, {})


@dataclass
class Rmm:
    """A list of so many pages, as Postgres and the RMM know it, and everything that a turn did about it."""

    pages: int
    at: int = 0
    syncing: int = 1
    had: bool = True
    log: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    answers: dict[int, FetchedPage | Exception] = field(default_factory=dict[int, FetchedPage | Exception])
    taken_by_another: int | None = None
    holding: int = 0
    now: float = 0.0
    page_seconds: float = 0.1

    async def page_task(self, scope_id: UUID, turn_page: int) -> PageTask | None:
        assert (scope_id, turn_page) == (TURN.scope_id, TURN.first_page)
        if self.at >= self.pages:
            return None
        return PageTask(
            run_id=uuid4(),
            scope_id=scope_id,
            account_id=INTEGRATION.account_id,
            integration_id=INTEGRATION.id,
            company_ids=("c1",),
            device_id=None,
            site_id=None,
            page_no=self.at,
            cursor=self.at * 500,
            companies={},
            sites={},
            integration=INTEGRATION,
            correlation_id=uuid4(),
            waiting=Waiting(0, 0, self.syncing),
        )

    async def page(self, task: PageTask) -> FetchedPage:
        assert self.holding == 1, "no request without a place"
        self.log.append(("page", task.page_no))
        self.now += self.page_seconds
        answer = self.answers.get(task.page_no, FetchedPage(7, devices=500, next_cursor=(task.page_no + 1) * 500))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def publish(self, task: PageTask, fetch_id: UUID, page: FetchedPage, correlation_id: str) -> int:
        assert correlation_id == TURN.correlation_id
        self.log.append(("publish", task.page_no))
        return 1

    async def record_page(self, task: PageTask, fetch_id: UUID, *, goes_on: bool, **page: Any) -> bool:
        if task.page_no == self.taken_by_another:
            return False
        self.log.append(("record", task.page_no, goes_on))
        self.at = task.page_no + 1
        return goes_on and page["next_cursor"] is not None and self.at < self.pages

    async def had_devices(self, task: PageTask) -> bool:
        return self.had

    async def split_scope(self, task: PageTask) -> None:
        self.log.append(("split", task.page_no))

    @asynccontextmanager
    async def place(self, integration_id: UUID, waiting: Waiting) -> AsyncGenerator[None]:
        assert integration_id == INTEGRATION.id
        self.holding += 1
        try:
            yield
        finally:
            self.holding -= 1

    def clock(self) -> float:
        return self.now

    async def turn(self, turn: PageTurn = TURN) -> None:
        ports: Any = self
        await fetch_pages(turn, ports, ports, ports, ports, RULES, self.clock)

    def steps(self, kind: str) -> list[Any]:
        return [step[1] for step in self.log if step[0] == kind]


def pages(count: int) -> Iterable[tuple[Any, ...]]:
    for number in range(count):
        yield from (("page", number), ("publish", number), ("record", number, True))


async def test_a_turn_reads_page_after_page_each_published_before_it_is_recorded() -> None:
    rmm = Rmm(pages=4)
    await rmm.turn()
    assert rmm.log == list(pages(4))
    assert rmm.holding == 0


async def test_a_turn_ends_when_it_is_old() -> None:
    rmm = Rmm(pages=99, page_seconds=1.0)
    await rmm.turn()
    assert rmm.log[-1] == ("record", 2, False)


async def test_a_turn_is_one_page_where_many_sync_or_a_page_failed_before() -> None:
    many, failed = Rmm(pages=9, syncing=13), Rmm(pages=9)
    await many.turn()
    await failed.turn(replace(TURN, retried=True))
    assert many.log == failed.log == [("page", 0), ("publish", 0), ("record", 0, False)]


async def test_a_turn_that_is_over_asks_nothing_of_the_rmm() -> None:
    rmm = Rmm(pages=0)
    await rmm.turn()
    assert rmm.log == []


async def test_a_turn_whose_page_another_one_recorded_ends() -> None:
    rmm = Rmm(pages=9, taken_by_another=2)
    await rmm.turn()
    assert rmm.steps("page") == [0, 1, 2]
    assert rmm.steps("record") == [0, 1]


async def test_a_turn_that_fails_goes_on_where_the_list_stands() -> None:
    rmm = Rmm(pages=4, answers={2: RmmAnswerUnreadable("cut off")})
    with pytest.raises(RmmAnswerUnreadable):
        await rmm.turn()
    assert rmm.holding == 0
    rmm.answers.clear()
    await rmm.turn(replace(TURN, retried=True))
    assert rmm.steps("page") == [0, 1, 2, 2]
    assert rmm.steps("record") == [0, 1, 2]


async def test_a_refused_packing_splits_the_list_and_ends_the_turn() -> None:
    rmm = Rmm(pages=4, answers={1: FetchedPage(7, packing_refused=True)})
    await rmm.turn()
    assert rmm.log[-1] == ("split", 1)


@pytest.mark.parametrize("had", [True, False])
async def test_not_found_is_doubted_where_there_were_devices(had: bool) -> None:
    rmm = Rmm(pages=1, had=had, answers={0: FetchedPage(7, not_found=True)})
    if had:
        with pytest.raises(RmmAnswerUnreadable, match="c1, which had devices"):
            await rmm.turn()
        assert rmm.steps("record") == []
    else:
        await rmm.turn()
        assert rmm.steps("record") == [0]
