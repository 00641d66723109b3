"""An event's source and id are its sender's choice: two accounts that chose the same have an edit each."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.writeback.edits import PostgresEdits
from services.writeback.intake import read_edit
from shared.date_ledger.edits import edit_id
from shared.postgres import transaction
from tests.integration.test_writeback import MakeWorld, World, world  # noqa: F401 - a fixture
from tests.support.waiting import until

SERIAL = "OTHER1"


async def another_account(w: World) -> dict[str, Any]:
    """A second account with an asset; the members of an edit of it."""
    account_id, asset_id = uuid4(), uuid4()
    await w.desk.execute("insert into accounts (id, name) values ($1, 'Second')", account_id)
    await w.desk.execute(
        "insert into assets (id, account_id, name, asset_type, serial_number, serial_normalised, observed_seq)"
        " values ($1, $2, 'theirs', 'laptop', $3, $3, 1)",
        *(asset_id, account_id, SERIAL),
    )
    return {"account_id": str(account_id), "asset": {"id": str(asset_id)}}


async def ledger(w: World, event_id: str) -> list[asyncpg.Record]:
    """The edits of an event's id, of whatever account, as they were received."""
    return await w.desk.rows("select * from date_edits where event_id = $1 order by received_at", event_id)


def body(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "theirs first"])
async def test_two_accounts_that_use_the_same_source_and_id_have_an_edit_each(
    world: MakeWorld,  # noqa: F811 - the fixture
    ours_first: bool,
) -> None:
    w = await world(switched=False)
    theirs_of = await another_account(w)
    edits = PostgresEdits(w.stage.pool, w.stage.outbox, 50)
    ours = w.event(0, "2025-03-01")
    theirs = w.event(0, "2025-04-01", **theirs_of) | {"id": ours["id"]}
    pair = [ours, theirs] if ours_first else [theirs, ours]
    for event in (*pair, *pair, *reversed(pair)):
        await edits.record(read_edit(body(event)))
    rows = await ledger(w, ours["id"])
    assert [str(row["account_id"]) for row in rows] == [event["data"]["account_id"] for event in pair]
    assert [(row["status"], str(row["value"])) for row in rows] == [
        ("recorded", event["data"]["value"]) for event in pair
    ]
    # The first one goes by the id that every row before had, so what was recorded by an older version is known.
    assert rows[0]["id"] == edit_id(ours["source"], ours["id"]) != rows[1]["id"]
    counts = await w.desk.rows(
        "select account_id, purchase_date::text as date from assets where purchase_date is not null"
    )
    assert {(str(row["account_id"]), row["date"]) for row in counts} == {
        (event["data"]["account_id"], event["data"]["value"]) for event in pair
    }


async def test_the_same_ids_in_one_lot_and_the_refusal_of_one_of_them(world: MakeWorld) -> None:  # noqa: F811
    w = await world(switched=False)
    theirs_of = await another_account(w)
    edits = PostgresEdits(w.stage.pool, w.stage.outbox, 50)
    # While the first is recorded the others gather, and are one lot.
    ahead, ours = w.event(1, "2025-03-01"), w.event(0, "2025-03-01")
    theirs = w.event(0, "1970-01-01", **theirs_of) | {"id": ours["id"]}
    await asyncio.gather(*(edits.record(read_edit(body(event))) for event in (ahead, ours, theirs, theirs, ours)))
    rows = await ledger(w, ours["id"])
    assert {(str(row["account_id"]), row["status"], row["reason_code"]) for row in rows} == {
        (str(w.stage.account_id), "recorded", None),
        (theirs_of["account_id"], "refused", "sentinel_date"),
    }
    assert len(rows) == 2


async def test_an_edit_that_waits_for_its_asset_is_recorded_though_its_id_was_used(world: MakeWorld) -> None:  # noqa: F811
    w = await world(switched=False)
    theirs_of = await another_account(w)
    edits = PostgresEdits(w.stage.pool, w.stage.outbox, 50)
    ours, more = w.event(0, "2025-03-01"), w.event(1, "2025-03-01")
    theirs = w.event(0, "2025-04-01", **theirs_of) | {"id": more["id"]}
    await edits.record(read_edit(body(more)))
    async with transaction(w.stage.pool) as conn:
        # The asset is in hand, so the lot gives its edit back, to be recorded alone.
        await conn.execute("select from assets where id = $1 for update", theirs_of["asset"]["id"])
        three = [asyncio.ensure_future(edits.record(read_edit(body(each)))) for each in (ours, theirs, ours)]
        await until("the other edit is recorded", lambda: ledger(w, ours["id"]))
    await asyncio.gather(*three)
    assert [row["status"] for row in await ledger(w, more["id"])] == ["recorded", "recorded"]


async def test_an_id_that_another_account_uses_at_the_same_moment_is_no_duplicate(world: MakeWorld) -> None:  # noqa: F811
    w = await world(switched=False)
    theirs_of = await another_account(w)
    edits = PostgresEdits(w.stage.pool, w.stage.outbox, 50)
    ours = w.event(0, "2025-03-01")
    theirs = w.event(0, "2025-04-01", **theirs_of) | {"id": ours["id"]}
    async with transaction(w.stage.pool) as conn:
        # As another replica does it, whose transaction has not ended when ours looks.
        await conn.execute(
            "insert into date_edits (id, event_source, event_id, correlation_id, account_id, field, source, actor,"
            " edited_at, received_at) values ($1, $2, $3, $3, $4, 'purchase_date', 'manual', 'x', now(), now())",
            *(edit_id(ours["source"], ours["id"]), ours["source"], ours["id"], w.stage.account_id),
        )
        recording = asyncio.ensure_future(edits.record(read_edit(body(theirs))))

        async def waits() -> bool:
            waiting = "select exists (select from pg_locks where not granted and locktype = 'transactionid')"
            return bool(await w.desk.value(waiting))

        await until("ours waits for the other transaction", waits)
    await recording
    rows = await ledger(w, ours["id"])
    assert {str(row["account_id"]) for row in rows} == {str(w.stage.account_id), theirs_of["account_id"]}
