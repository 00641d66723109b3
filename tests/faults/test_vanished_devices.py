"""Devices that the RMM no longer lists: missing, archived, back again, and too many at once."""

from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.stage import Stage

HISTORY = "select device_id, asset_id, first_seen_at, matched_by from devices where device_id = any($1) order by 1"


async def test_a_vanished_device_is_missing_then_archived_and_comes_back_with_its_history(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=200, companies=4)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    ids = sorted(await rmm.devices())[:5]
    stay = len(await rmm.devices()) - len(ids)
    before = await desk.rows(HISTORY, ids)
    await rmm.control("POST", "vanish", {"ids": ids})

    for missing, archived, states in (
        (5, 0, {"active": stay, "missing": 5}),
        (5, 0, {"active": stay, "missing": 5}),
        (0, 5, {"active": stay, "archived": 5}),
        (0, 0, {"active": stay, "archived": 5}),
    ):
        run = await desk.synced(added.id)
        assert (run["status"], run["missing"], run["archived"]) == ("succeeded", missing, archived)
        assert await desk.states(added.id) == states
    last_seen = await desk.value("select count(*) from devices where device_id = any($1) and last_seen_at < now()", ids)
    assert last_seen == len(ids)
    await books.quiet()
    await books.check(rmm, added.id, gone=ids)

    await rmm.control("POST", "return", {"ids": ids})
    run = await desk.synced(added.id)

    assert (run["status"], run["updated"]) == ("succeeded", 5)
    assert await desk.states(added.id) == {"active": stay + 5}
    assert await desk.rows(HISTORY, ids) == before
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_device_that_is_seen_once_in_between_starts_to_count_anew(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=120, companies=3)
    await in_process(stage, rmm)
    desk = Desk(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    gone = min(await rmm.devices())

    found: list[str] = []
    for control in ("vanish", None, "return", "vanish", None, None):
        if control:
            await rmm.control("POST", control, {"ids": [gone]})
        await desk.synced(added.id)
        found.append(await desk.value("select state from devices where device_id = $1", gone))

    assert found == ["missing", "missing", "active", "missing", "missing", "archived"]


async def test_many_vanished_devices_wait_for_a_person_who_may_accept(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=400, companies=4)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    ids = sorted(await rmm.devices())
    gone = ids[: len(ids) // 5]
    await rmm.control("POST", "vanish", {"ids": gone})

    run = await desk.synced(added.id)

    assert (run["status"], run["reason_code"]) == ("needs_review", "many_vanished")
    assert await desk.states(added.id) == {"active": len(ids)}
    assert await desk.accept(run["id"]) == "succeeded"
    assert await desk.accept(run["id"]) is None
    accepted = await desk.run(run["id"])
    assert (accepted["status"], accepted["missing"]) == ("succeeded", len(gone))
    assert await desk.states(added.id) == {"active": len(ids) - len(gone), "missing": len(gone)}
    run = await desk.synced(added.id)
    assert (run["status"], run["missing"]) == ("succeeded", len(gone))
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id, gone=gone)


async def test_a_device_that_moves_to_another_company_is_the_same_device(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=200, companies=5)
    flow = await in_process(stage, rmm, rmm_companies_per_call=1)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    devices = await rmm.devices()
    moving = min(devices)
    target = next(
        device["company_id"] for device in devices.values() if device["company_id"] != devices[moving]["company_id"]
    )
    before = await desk.rows(HISTORY, [moving])
    await rmm.control("PATCH", f"devices/{moving}", {"company_id": target})

    run = await desk.synced(added.id)

    assert (run["status"], run["updated"], run["missing"]) == ("succeeded", 1, 0)
    assert await desk.rows(HISTORY, [moving]) == before
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)
