"""A date that is edited while its device is archived is written when the RMM lists the device again."""

import pytest

from services.writer.store import PostgresAssets
from shared.dates.calendar import PURCHASE, WARRANTY
from tests.integration import world as stores
from tests.integration.test_writeback import MakeWorld, World, world  # noqa: F401 - a fixture

ARCHIVED = "update devices set state = 'archived', missed_runs = 3, changed_at = clock_timestamp() where device_id = $1"


async def archive(w: World, device: int) -> None:
    await w.desk.execute(ARCHIVED, w.devices[device]["id"])


async def list_again(w: World, *devices: int) -> None:
    """A run sees these devices, as the writer writes it."""
    await w.desk.execute("update sync_runs set status = 'cancelled' where status in ('queued', 'running')")
    store = stores.World(w.stage.pool, w.stage.account_id)
    tenant = await store.next_run(w.integration_id)
    seen = [stores.device(w.devices[each]["id"], model="seen again") for each in devices]
    chunk = store.chunk(tenant, *seen, seq=await w.desk.value("select nextval('observation_seq')"))
    assert await PostgresAssets(w.stage.pool, w.stage.outbox).write(chunk, stores.STORY)


async def test_an_edit_of_an_archived_device_is_written_once_when_it_is_listed_again(
    world: MakeWorld,  # noqa: F811
) -> None:
    w = await world(patch_mode="on")
    await w.start()
    assert (await w.edit(0, "2024-01-01"))["status"] == "written"
    assert (await w.edit(0, "2027-01-01", of=WARRANTY))["status"] == "written"
    await archive(w, 0)
    event = w.event(0, "2024-05-01")
    await w.publish(event)
    assert (await w.settled(event))["status"] == "recorded"
    before = len(await w.writes())
    await list_again(w, 0, 1)
    assert (await w.settled(event, "written"))["status"] == "written"
    await w.idle()
    assert (await w.there(0), await w.there(0, WARRANTY)) == ("2024-05-01", "2027-01-01")
    await list_again(w, 0, 1)
    await w.idle()
    assert [day and day[:10] for _, _, day in (await w.writes())[before:]] == ["2024-05-01"]


async def test_a_date_that_is_taken_back_meanwhile_is_taken_back_there(world: MakeWorld) -> None:  # noqa: F811
    w = await world(patch_mode="on")
    await w.start()
    assert (await w.edit(0, "2024-01-01"))["status"] == "written"
    await archive(w, 0)
    cleared = w.event(0, None)
    await w.publish(cleared)
    assert (await w.settled(cleared))["status"] == "recorded"
    await list_again(w, 0)
    await w.idle()
    assert await w.there(0) is None


@pytest.mark.parametrize("case", ["not edited meanwhile", "the switch is off", "switched on after it"])
async def test_nothing_is_written_to_a_device_that_comes_back_which_nobody_asked_for(
    world: MakeWorld,  # noqa: F811
    case: str,
) -> None:
    w = await world(patch_mode="on", switched=case == "not edited meanwhile")
    await w.start()
    if case == "not edited meanwhile":
        assert (await w.edit(0, "2024-01-01"))["status"] == "written"
        await archive(w, 0)
        # Somebody there knows better, and has not been heard.
        await w.person(0, purchase_date="2020-02-02")
    else:
        await archive(w, 0)
        assert (await w.edit(0, "2024-01-01"))["status"] == "recorded"
        if case == "switched on after it":
            await w.switch()
    before = await w.writes()
    await list_again(w, 0)
    await w.idle()
    assert await w.writes() == before


async def test_what_a_person_changed_there_meanwhile_is_a_conflict_and_not_overwritten_unseen(
    world: MakeWorld,  # noqa: F811
) -> None:
    w = await world(patch_mode="on")
    await w.start()
    assert (await w.edit(0, "2024-01-01"))["status"] == "written"
    await archive(w, 0)
    await w.person(0, purchase_date="2020-02-02")
    event = w.event(0, "2024-05-01")
    await w.publish(event)
    await w.settled(event, "recorded")
    await list_again(w, 0)
    await w.settled(event, "written")
    conflicts = await w.desk.rows("select field, remote_value, status from date_conflicts")
    assert [(row["field"], str(row["remote_value"]), row["status"]) for row in conflicts] == [
        (PURCHASE, "2020-02-02", "kept_manual")
    ]
