"""Each wrong edit ends with a reason of its own in the ledger and in an event, and the right ones go through."""

import json
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg

from shared import topology
from shared.dates.calendar import WARRANTY
from tests.integration.test_writeback import MakeWorld, World, world  # noqa: F401 - a fixture
from tests.support.queues import open_channel
from tests.support.waiting import until

# What is wrong in the data of an edit of the first device, and the code that its sender is told.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown asset": ({"asset": {"id": str(uuid4())}}, "unknown_asset"),
    "unknown serial": ({"asset": {"serial_number": "no such serial"}}, "unknown_asset"),
    "unknown device": ({"asset": {"integration_id": str(uuid4()), "device_id": "x"}}, "unknown_asset"),
    "another account's asset": ({"account_id": str(uuid4())}, "unknown_asset"),
    "no asset": ({"asset": {"colour": "red"}}, "bad_asset"),
    "a serial of two": ({"asset": {"serial_number": "sa-me"}}, "ambiguous_serial"),
    "another field": ({"field": "colour"}, "unknown_field"),
    "a field that is no text": ({"field": ["purchase_date"]}, "unknown_field"),
    "a date as in America": ({"value": "03/04/2025"}, "not_a_date"),
    "a number": ({"value": 20250304}, "not_a_date"),
    "a boolean": ({"value": True}, "not_a_date"),
    "a day that is none": ({"value": "2025-02-29"}, "not_a_date"),
    "a date that means none": ({"value": "1970-01-01"}, "sentinel_date"),
    "an early date": ({"value": "1975-06-01"}, "absurd_date"),
    "a late date": ({"value": "2150-06-01"}, "absurd_date"),
    "no offset": ({"edited_at": "2026-11-24T10:00:00"}, "bad_edited_at"),
    "a clock that is ahead": ({"edited_at": "2199-11-24T10:00:00Z"}, "edited_in_the_future"),
    "a stale version": ({"if_version": 99}, "version_conflict"),
    "another origin": ({"origin": "integration"}, "bad_edit"),
    "nobody": ({"actor": ""}, "bad_edit"),
    "a NUL": ({"actor": "a\0b"}, "bad_edit"),
}


async def test_each_wrong_edit_is_recorded_and_told_with_its_reason(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    ids = [w.assets[device["id"]] for device in w.devices]
    await w.desk.execute("update assets set serial_normalised = 'SAME' where id = any($1)", ids[4:6])
    await w.desk.execute("update assets set asset_type = 'virtual_machine' where id = $1", ids[2])
    wanted: dict[str, tuple[str, str]] = {}
    events: list[dict[str, Any]] = []
    for name, (change, code) in WRONG.items():
        event = w.event(0, "2025-03-01")
        event["data"] |= change
        events.append(event)
        wanted[event["id"]] = (name, code)
    machine = w.event(2, "2029-03-01", of=WARRANTY)
    first, after = w.event(3, "2028-03-01", of=WARRANTY), w.event(3, "2029-03-01")
    wanted |= {
        machine["id"]: ("a virtual machine", "virtual_machine"),
        after["id"]: ("late", "expires_before_purchase"),
    }
    good = w.event(1, "2025-03-01T23:30:00.5-11:00", colour="red")

    async with open_channel(w.stage.amqp_url) as channel:
        told = await channel.declare_queue("test.refused", exclusive=True)
        await told.bind(topology.EVENTS, "date.write_back_failed")
        await w.start()
        # Everything twice: the same id is the same edit, told once.
        await w.publish(*events, machine, first, *events, machine)
        await w.settled(first, "written")
        await w.publish(after, good)
        await w.settled(good, "written")

        rows = await until("every wrong edit is refused", lambda: _refused(w, wanted))
        assert {row["event_id"]: row["reason_code"] for row in rows} == {of: code for of, (_, code) in wanted.items()}
        assert all(row["reason"] and row["next_action"] for row in rows)
        said = [await _take(told) for _ in wanted]
        assert {each["edit_event_id"]: each["reason_code"] for each in said} == {
            of: code for of, (_, code) in wanted.items()
        }
        assert {(each["status"], each["edit_source"]) for each in said} == {("refused", good["source"])}
        assert await told.get(fail=False) is None
    assert await w.there(0) is None
    assert await w.there(1) == "2025-03-01"
    assert await w.desk.parked() == []


async def _refused(w: World, wanted: dict[str, Any]) -> list[asyncpg.Record]:
    """The refused edits, when there are as many as wanted."""
    rows = await w.desk.rows("select * from date_edits where status = 'refused'")
    return rows if len(rows) >= len(wanted) else []


async def _take(queue: aio_pika.abc.AbstractQueue) -> dict[str, Any]:
    """The next event's data; it is waited for."""

    async def ask() -> aio_pika.abc.AbstractIncomingMessage | None:
        return await queue.get(no_ack=True, fail=False)

    message = await until("an event tells of a refused edit", ask)
    assert message is not None
    data: dict[str, Any] = json.loads(message.body)["data"]
    return data
