"""One edit that is delivered with several moments, as two runs of one import send it, is an edit of the earliest."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.writeback.edits import PostgresEdits
from services.writeback.intake import read_edit
from shared import topology
from shared.dates.calendar import FIELDS, PURCHASE, WARRANTY
from tests.integration.world import World
from tests.support.queues import open_channel
from tests.support.shell import Shell
from tests.support.stage import Stage

BEFORE = datetime(2026, 11, 1, tzinfo=UTC)
OLD = {PURCHASE: "2020-01-01", WARRANTY: "2023-01-01"}
NEW = {PURCHASE: "2024-03-01", WARRANTY: "2027-03-01"}
"""Contradicts the old pair, so the warranty must come to count before the purchase date."""
BATCH = 500

Event = dict[str, Any]


@pytest.fixture
def world(stage: Stage) -> World:
    return World(stage.pool, stage.account_id)


@pytest.fixture
def shell(stage: Stage, tmp_path: Path) -> Shell:
    return Shell.at(stage, tmp_path)


def event(stage: Stage, asset_id: UUID, field: str, value: str | None, at: datetime, **more: str) -> Event:
    """An edit as anybody publishes it."""
    data = {"account_id": str(stage.account_id), "asset": {"id": str(asset_id)}, "field": field, "value": value}
    data |= {"origin": "manual", "actor": "somebody", "edited_at": at.isoformat()}
    sent = {"specversion": "1.0", "id": str(uuid4()), "source": "/strangers/script", "type": "date.edited"}
    return {**sent, "time": at.isoformat(), "data": data, **more}


def said_at(one: Event, at: datetime) -> Event:
    """The same edit with another moment."""
    return {**one, "data": {**one["data"], "edited_at": at.isoformat()}}


async def record(stage: Stage, *events: Event) -> None:
    """Record edits one after another, each as a delivery of its own."""
    edits = PostgresEdits(stage.pool, stage.outbox, 10)
    for each in events:
        await edits.record(read_edit(json.dumps(each).encode()))


async def machines(world: World, count: int) -> list[UUID]:
    """Assets with the serials `SN0000`, `SN0001` and so on."""
    ids = [uuid4() for _ in range(count)]
    for place, one in enumerate(ids):
        row: dict[str, Any] = {"id": one, "account_id": world.account_id, "asset_type": "laptop", "observed_seq": 1}
        await world.insert("assets", {**row, "serial_number": f"SN{place:04}", "serial_normalised": f"SN{place:04}"})
    return ids


async def sent(stage: Stage) -> list[Event]:
    """The edits that wait for write-back, which does not run, in their order."""
    found: list[Event] = []
    async with open_channel(stage.amqp_url) as channel:
        queue = await channel.get_queue(topology.WRITEBACK_EDITS.name, ensure=False)
        while message := await queue.get(fail=False, no_ack=True):
            found.append(json.loads(message.body))
    return found


def table(shell: Shell, rows: Iterable[str]) -> Path:
    path = shell.folder / "export.csv"
    path.write_text("\n".join(["Serial Number,Purchase Date,Warranty Expiration", *rows]) + "\n")
    return path


def run_of(path: Path) -> tuple[object, ...]:
    return ("dates", "import", path, "--origin", "manual", "--apply", "--json")


async def dates_of(world: World, asset_id: UUID) -> dict[str, str]:
    row = await world.row("select * from assets where id = $1", asset_id)
    return {field: str(row[field]) for field in FIELDS}


async def test_two_runs_of_one_import_replace_both_dates_in_whatever_order_their_edits_are_recorded(
    stage: Stage, world: World, shell: Shell
) -> None:
    orders = list(permutations(range(4)))
    assets = await machines(world, len(orders))
    for asset_id in assets:
        await record(stage, *(event(stage, asset_id, of, OLD[of], BEFORE) for of in FIELDS))
    path = table(shell, [f"SN{place:04},{NEW[PURCHASE]},{NEW[WARRANTY]}" for place in range(len(orders))])
    # Nobody records meanwhile, so neither run knows what the other one sends.
    runs = await asyncio.gather(shell(*run_of(path)), shell(*run_of(path)))
    assert [(run.code, run.json["sent"]) for run in runs] == [(0, 2 * len(assets))] * 2

    ended: dict[tuple[int, ...], dict[str, str]] = {}
    of_asset: defaultdict[str, list[Event]] = defaultdict(list)
    for one in await sent(stage):
        of_asset[one["data"]["asset"]["id"]].append(one)
    for asset_id, order in zip(assets, orders, strict=True):
        edits = sorted(of_asset[str(asset_id)], key=lambda one: one["data"]["edited_at"])
        assert [one["data"]["field"] for one in edits] == [WARRANTY, PURCHASE] * 2
        await record(stage, *(edits[place] for place in order))
        ended[order] = await dates_of(world, asset_id)
    assert {order: dates for order, dates in ended.items() if dates != NEW} == {}
    for asset_id, order in zip(assets, orders, strict=True):
        ends = await world.rows("select status, edited_at from date_edits where asset_id = $1 order by 2", asset_id)
        assert [row["status"] for row in ends] == ["superseded"] * 2 + ["recorded"] * 2, order
        edits = sorted(of_asset[str(asset_id)], key=lambda one: one["data"]["edited_at"])
        moments = [datetime.fromisoformat(one["data"]["edited_at"]) for one in edits[:2]]
        assert [row["edited_at"] for row in ends[2:]] == moments, order


@pytest.mark.parametrize("recorded", [0, 1])
async def test_a_run_sends_both_dates_of_a_machine_or_none(
    stage: Stage, world: World, shell: Shell, recorded: int
) -> None:
    """Else the moment of another run, of which it knows one date, could come between its own two."""
    (asset_id,) = await machines(world, 1)
    await record(stage, *(event(stage, asset_id, of, OLD[of], BEFORE) for of in FIELDS))
    path = table(shell, [f"SN0000,{NEW[PURCHASE]},{NEW[WARRANTY]}"])
    assert (await shell(*run_of(path))).code == 0
    first = await sent(stage)
    await record(stage, first[recorded])
    # As if that run had been the later one of two, whose edits were recorded first.
    later = "update date_edits set edited_at = edited_at + interval '1 hour' where event_id = $1"
    await world.execute(later, first[recorded]["id"])
    again = await shell(*run_of(path))
    assert (again.json["sent"], again.json["known_already"]) == (1, 1)
    second = await sent(stage)
    assert [one["data"]["field"] for one in second] == [WARRANTY, PURCHASE]
    await record(stage, *second, *first)
    assert await dates_of(world, asset_id) == NEW
    assert (await shell(*run_of(path))).json["sent"] == 0
    assert await sent(stage) == []


async def test_the_dates_of_one_serial_go_together_wherever_in_the_file_they_stand(
    stage: Stage, world: World, shell: Shell
) -> None:
    count = BATCH // 2 + 3
    path = table(
        shell,
        [f"SN{place:04},{NEW[PURCHASE]}," for place in range(count)]
        + [f"SN{place:04},,{NEW[WARRANTY]}" for place in reversed(range(count))],
    )
    await machines(world, count)
    assert (await shell(*run_of(path))).json["sent"] == 2 * count
    edits = await sent(stage)
    assert [one["data"]["field"] for one in edits] == [WARRANTY, PURCHASE] * count
    assert all(
        one["data"]["asset"] == next_one["data"]["asset"] for one, next_one in zip(edits[::2], edits[1::2], strict=True)
    )


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("earliest_comes", ["first", "last"])
async def test_of_the_moments_that_deliveries_of_one_edit_say_the_earliest_counts(
    stage: Stage, world: World, earliest_comes: str, *, together: bool
) -> None:
    (asset_id,) = await machines(world, 1)
    mine = event(stage, asset_id, PURCHASE, "2021-01-01", BEFORE)
    other = event(stage, asset_id, PURCHASE, "2022-02-02", BEFORE + timedelta(hours=1))
    late = said_at(mine, BEFORE + timedelta(hours=2))
    deliveries = [mine, other, late] if earliest_comes == "first" else [late, other, mine]
    if together:
        edits = PostgresEdits(stage.pool, stage.outbox, 10)
        await asyncio.gather(*(edits.record(read_edit(json.dumps(each).encode())) for each in deliveries))
    else:
        await record(stage, *deliveries)
    assert (await dates_of(world, asset_id))[PURCHASE] == "2022-02-02"
    rows = await world.rows("select event_id, status, edited_at from date_edits order by edited_at")
    assert [(row["event_id"], row["status"]) for row in rows] == [
        (mine["id"], "superseded"),
        (other["id"], "recorded"),
    ]
    assert rows[0]["edited_at"] == BEFORE


async def test_an_earlier_moment_makes_no_other_edit_of_it(stage: Stage, world: World) -> None:
    (first,) = await machines(world, 1)
    mine = event(stage, first, PURCHASE, "2021-01-01", BEFORE)
    refused = event(stage, first, WARRANTY, "1900-01-01", BEFORE)
    await record(stage, mine, refused)
    earlier = BEFORE - timedelta(days=1)
    others = [{"value": "2022-01-01"}, {"origin": "lookup", "lookup": "dell"}]
    for change in others:
        one = said_at(mine, earlier)
        await record(stage, {**one, "data": {**one["data"], **change}})
    await record(stage, said_at(refused, earlier))
    rows = await world.rows("select asset_id, edited_at from date_edits")
    assert {(row["asset_id"], row["edited_at"]) for row in rows} == {(first, BEFORE)}
    assert (await dates_of(world, first))[PURCHASE] == "2021-01-01"
