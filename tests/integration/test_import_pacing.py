"""An import that keeps step with the ledger."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from uuid import UUID, uuid4

import pytest

from lifecycle.data.import_pacing import Pace
from shared.postgres import Connection, Pool, connection
from tests.integration.world import World

MOST = 5


@pytest.fixture
def world(pool: Pool, account_id: UUID) -> World:
    return World(pool, account_id)


@pytest.fixture
async def conn(pool: Pool) -> AsyncIterator[Connection]:
    async with connection(pool) as own:
        yield own


def ids(count: int) -> list[UUID]:
    return [uuid4() for _ in range(count)]


async def record(world: World, some: Iterable[UUID]) -> None:
    await world.execute(
        "insert into date_edits (id, event_source, event_id, correlation_id, account_id, field, source, actor,"
        " edited_at, received_at) select id, 'test', id::text, 'story', $2, 'purchase_date', 'manual', 'tester', now(),"
        " now() from unnest($1::uuid[]) id",
        list(some),
        world.account_id,
    )


async def test_there_is_room_again_as_soon_as_few_enough_are_not_recorded(world: World, conn: Connection) -> None:
    stalls: list[str] = []
    pace = Pace(conn, lambda: stalls.append("stalled"), under_way=MOST)
    first, second = ids(MOST - 1), ids(3)
    pace.sent(first)
    await pace.room()
    pace.sent(second)
    waiting = asyncio.create_task(pace.room())
    await record(world, first[:2])
    await asyncio.wait({waiting}, timeout=0.3)
    assert not waiting.done()
    await record(world, second[:1])
    await waiting
    assert stalls == []


async def test_where_nobody_records_it_says_so_once_and_waits_never_again(world: World, conn: Connection) -> None:
    stalls: list[str] = []
    pace = Pace(conn, lambda: stalls.append("stalled"), under_way=MOST, stall_seconds=0)
    for _ in range(3):
        pace.sent(ids(MOST))
        await pace.room()
    assert stalls == ["stalled"]
