"""What an RMM, a person in it, a quota and a lost queue do to edits: none is lost, none is written twice."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.writeback.turns import CONFLICT_TRIES
from shared.dates.calendar import PURCHASE, WARRANTY
from tests.integration.test_writeback import MOMENT, MakeWorld, World, world  # noqa: F401 - a fixture
from tests.support.queues import journal, purge
from tests.support.seeds import seeded
from tests.support.waiting import until

PUT = {"path": "custom-fields", "method": "PUT"}


async def known(w: World) -> None:
    """Let the way of writing and the fields' ids be found out, by the last device."""
    await w.edit(len(w.devices) - 1, "2024-01-01", at=MOMENT - timedelta(days=1))


async def test_a_write_that_is_applied_after_its_time_limit_is_settled_by_reading(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start(rmm_timeout_seconds=1.0)
    await known(w)
    await w.rmm.fault(PUT | {"times": 1}, delay_ms=1500)
    row = await w.edit(0, "2025-03-01")
    assert (row["status"], row["reason_code"]) == ("written", None)
    assert await writes_of(w) == {(0, "2025-03-01"): 1}


async def test_a_quota_that_is_used_up_in_a_drain_delays_and_loses_nothing(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await known(w)
    await w.desk.disable(w.integration_id)
    events = [w.event(device, f"2025-0{device + 1}-01") for device in range(5)]
    await w.publish(*events)
    for event in events:
        await w.settled(event, "held")
    refused = await w.rmm.fault(
        {"path": "custom-fields", "after": 4, "times": 2}, status=429, headers={"Retry-After": "1"}
    )
    await w.desk.enable(w.integration_id)
    for event in events:
        assert (await w.settled(event, "written"))["status"] == "written"
    assert await w.rmm.fired(refused) >= 1
    assert await writes_of(w) == {(device, f"2025-0{device + 1}-01"): 1 for device in range(5)}
    assert await w.desk.parked() == []


@pytest.mark.parametrize("status", [409, 412])
async def test_an_rmm_that_sees_a_conflict_once_is_asked_again(world: MakeWorld, status: int) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await known(w)
    await w.rmm.fault(PUT | {"times": 1}, status=status)
    assert (await w.edit(0, "2025-03-01"))["status"] == "written"
    assert await writes_of(w) == {(0, "2025-03-01"): 1}


@pytest.mark.parametrize("status", [409, 412])
async def test_an_rmm_that_always_sees_a_conflict_is_asked_a_few_times_and_no_more(
    world: MakeWorld,  # noqa: F811 - the fixture
    status: int,
) -> None:
    w = await world()
    await w.start()
    await known(w)
    conflict = await w.rmm.fault(PUT, status=status)
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    row = await hurried(w, event, "failed")
    assert (row["reason_code"], bool(row["reason"]), bool(row["next_action"])) == ("rmm_refused", True, True)
    assert await w.rmm.fired(conflict) == CONFLICT_TRIES
    assert await writes_of(w) == {}
    # It was told, and the next edit is a new one.
    told = [json.loads(said.body)["data"] for said in await journal(w.stage.amqp_url, "date.write_back_failed")]
    assert [(one["edit_event_id"], one["status"]) for one in told] == [(event["id"], "failed")]
    await w.rmm.heal()
    assert (await w.edit(0, "2025-04-01"))["status"] == "written"
    assert await writes_of(w) == {(0, "2025-04-01"): 1}


async def test_a_date_that_could_not_be_written_for_too_long_is_given_up_and_told(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start(write_max_age_seconds=2)
    await known(w)
    down = await w.rmm.fault(PUT, status=503)
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    row = await hurried(w, event, "failed")
    assert row["reason_code"].startswith("gave_up_")
    assert row["reason"].startswith("it could not be written for 00:00:02: ")
    assert "edit the date again" in row["next_action"]
    assert await w.rmm.fired(down) >= 1
    told = [json.loads(said.body)["data"] for said in await journal(w.stage.amqp_url, "date.write_back_failed")]
    assert [(one["edit_event_id"], one["status"], one["reason_code"]) for one in told] == [
        (event["id"], "failed", row["reason_code"])
    ]
    # It is over: an RMM that works again is not written to, until somebody edits the date again.
    await w.rmm.heal()
    assert (await w.edit(1, "2025-05-01"))["status"] == "written"
    assert await writes_of(w) == {(1, "2025-05-01"): 1}
    assert (await w.edit(0, "2025-04-01"))["status"] == "written"


async def test_the_time_in_which_an_integration_is_disabled_does_not_count_against_its_dates(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start(write_max_age_seconds=3600)
    await known(w)
    await w.desk.disable(w.integration_id)
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    await w.settled(event, "held")
    await w.desk.execute("update date_pushes set trying_since = trying_since - interval '2 hours'")
    await w.desk.enable(w.integration_id)
    assert (await w.settled(event, "written"))["status"] == "written"


async def test_a_person_who_is_quicker_than_our_look_is_heard(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await known(w)
    look = await w.rmm.fault({"path": "custom-fields", "method": "GET", "nth": 2}, delay_ms=400)
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    await until("the look after the write is on its way", lambda: fired(w, look))
    await w.person(0, purchase_date="2022-02-02")
    row = await w.settled(event, "written")
    assert row["reason_code"] == "changed_again"
    conflict = await w.desk.row("select status, remote_value::text as there from date_conflicts")
    assert conflict is not None
    assert tuple(conflict) == ("open", "2022-02-02")
    assert await w.there(0) == "2022-02-02"
    assert await writes_of(w) == {(0, "2025-03-01"): 1}


async def test_a_person_between_our_look_and_our_write_is_overwritten_as_manual_dates_win(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await known(w)
    write = await w.rmm.fault(PUT | {"times": 1}, delay_ms=400)
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    await until("the write is on its way", lambda: fired(w, write))
    await w.person(0, purchase_date="2022-02-02")
    await w.settled(event, "written")
    assert await w.there(0) == "2025-03-01"
    assert await writes_of(w) == {(0, "2025-03-01"): 1}


@pytest.mark.parametrize("seed", [1, 2])
async def test_any_order_and_any_number_of_deliveries_come_to_the_same(world: MakeWorld, seed: int) -> None:  # noqa: F811
    w = await world()
    await w.start(replicas=2)
    await known(w)
    before = len(await w.rmm.requests())
    random = seeded(seed)
    await w.desk.disable(w.integration_id)
    fields: list[tuple[Any, int]] = [(PURCHASE, 2025), (WARRANTY, 2029)]
    made = [
        (w.event(device, f"{year}-0{device + 1}-1{number}", of=of, at=MOMENT + timedelta(minutes=number)), number)
        for device in range(4)
        for of, year in fields
        for number in range(3)
    ]
    deliveries = [event for event, _ in made] * 2
    random.shuffle(deliveries)
    await w.publish(*deliveries)
    for event, number in made:
        await w.settled(event, "held" if number == 2 else "superseded")
    await w.desk.enable(w.integration_id)
    for event, number in made:
        await w.settled(event, "written" if number == 2 else "superseded")
    await w.idle()
    for device in range(4):
        assert (await w.there(device), await w.there(device, WARRANTY)) == (
            f"2025-0{device + 1}-12",
            f"2029-0{device + 1}-12",
        )
    # Both dates of a device in one write, and a look before it and after it.
    asked = (await w.rmm.requests())[before:]
    assert Counter(each["method"] for each in asked if each["route"] == "values_v2") == {"PUT": 4, "GET": 8}


async def test_what_waits_for_a_removed_integration_goes_on_where_it_is_restored(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await w.desk.remove(w.integration_id, undo_for=timedelta(hours=1))
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    await w.settled(event, "held")
    assert await w.writes() == []
    await w.desk.restore(w.integration_id)
    await w.settled(event, "written")
    assert await writes_of(w) == {(0, "2025-03-01"): 1}


async def test_what_waits_for_a_removed_integration_ends(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await w.desk.disable(w.integration_id)
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    await w.settled(event, "held")
    await w.desk.remove(w.integration_id)
    row = await w.settled(event, "recorded")
    assert row["reason_code"] == "integration_removed"
    assert await w.desk.value("select count(*) from date_pushes") == 0
    assert await w.writes() == []


async def test_what_a_removed_integration_said_no_longer_counts(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    await w.desk.disable(w.integration_id)
    for device in range(3):
        await w.pull(device, "2020-01-01")
    lookup = w.event(0, "2022-02-02", origin="lookup", lookup="dell")
    manual = w.event(0, "2030-03-03", of=WARRANTY)
    await w.publish(lookup, manual)
    await w.settled(manual, "held")
    await w.settled(lookup)
    before = await w.asset(0)
    assert str(before["purchase_date"]) == "2020-01-01"
    await w.desk.remove(w.integration_id)
    after = await w.asset(0)
    assert (str(after["purchase_date"]), after["purchase_date_origin"]) == ("2022-02-02", "lookup:dell")
    assert str(after["warranty_expiration_date"]) == "2030-03-03"
    assert after["version"] > before["version"]
    assert await w.desk.value("select count(*) from date_observations where source like 'integration:%'") == 0
    assert await w.desk.value("select count(distinct asset_id) from date_observations") == 1


async def test_a_queue_that_is_wiped_loses_no_edit(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    (service,) = await w.start(scheduled=False)
    await known(w)
    await w.desk.disable(w.integration_id)
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    await w.settled(event, "held")
    await service.stop()
    await w.desk.enable(w.integration_id)
    assert await purge(w.stage.amqp_url) > 0
    await w.start()
    assert (await w.settled(event, "written"))["status"] == "written"
    assert await writes_of(w) == {(0, "2025-03-01"): 1}


async def writes_of(w: World) -> dict[tuple[int, str], int]:
    """How often each date was written to each device but the last."""
    number = {device["id"]: place for place, device in enumerate(w.devices)}
    counted = Counter((number[device], (value or "")[:10]) for device, _, value in await w.writes())
    return {key: count for key, count in counted.items() if key[0] != len(w.devices) - 1}


async def hurried(w: World, event: dict[str, Any], status: str) -> asyncpg.Record:
    """The ledger's row of an edit, once it stands so; the waits between its tries are left out."""

    async def ask() -> asyncpg.Record | None:
        await w.desk.execute(
            "update date_pushes set next_try_at = clock_timestamp() where status = 'waiting' and attempts > 0"
        )
        return await w.desk.row("select * from date_edits where event_id = $1 and status = $2", event["id"], status)

    row = await until(f"edit {event['data']['value']} is {status}", ask)
    assert row is not None
    return row


async def fired(w: World, fault: int) -> bool:
    """Whether a fault has fired."""
    return bool(await w.rmm.fired(fault))
