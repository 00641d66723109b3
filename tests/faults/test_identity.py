"""The same hardware seen twice, and different hardware that says it is the same."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared.assets.serials import is_junk_serial, normalise_serial
from shared.postgres import transaction
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.integration import world as hardware
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.rmm import LISTS
from tests.support.shell import Shell
from tests.support.stage import Stage
from tests.support.waiting import until

LINKS = """
    select a.device_id, a.asset_id = b.asset_id as same, b.matched_by from devices a
    join devices b on b.device_id = a.device_id and b.integration_id = $2
    where a.integration_id = $1
"""
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


def makers_number(device: dict[str, Any]) -> tuple[str, str] | None:
    """Serial and maker of a device, None where the serial tells nothing."""
    serial = normalise_serial(device["serial_number"] or "")
    return None if not serial or is_junk_serial(serial) else (serial, device["manufacturer"])


@pytest.mark.parametrize("together", [False, True], ids=["one-after-the-other", "at-once"])
async def test_two_integrations_of_an_account_that_see_the_same_hardware_share_its_assets(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline, together: bool
) -> None:
    rmm = await simulator(devices=500, companies=6)
    flow = await in_process(stage, rmm, replicas=2, rmm_page_size=60)
    desk, books = Desk(stage), Books(stage)
    first = await desk.add_integration(rmm, name="first")
    if not together:
        await desk.ended(first.run_id)
    second = await desk.add_integration(rmm, name="second", key="second")
    for added in (first, second):
        assert (await desk.ended(added.run_id))["status"] == "succeeded"

    devices = await rmm.devices()
    counts = Counter(map(makers_number, devices.values()))
    unique = {key for key, device in devices.items() if counts[number := makers_number(device)] == 1 and number}
    assert len(unique) > len(devices) * 0.9
    links = {row["device_id"]: row for row in await desk.rows(LINKS, first.id, second.id)}
    assert links.keys() == devices.keys()
    # A device without a bios or a system section says its serial in the other one.
    assert [key for key in sorted(unique) if not links[key]["same"]] == []
    if not together:
        assert {links[key]["matched_by"] for key in unique} == {"serial"}
    await books.quiet()
    await flow.stop()
    await books.check(rmm, first.id, second.id)


async def test_nothing_matches_across_accounts(stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline) -> None:
    rmm = await simulator(devices=200, companies=3)
    flow = await in_process(stage, rmm)
    ours = Desk(stage)
    stranger = await ours.value("insert into accounts (id, name) values (gen_random_uuid(), 'stranger') returning id")
    theirs = Desk(stage, stranger)

    added = await ours.add_integration(rmm)
    other = await theirs.add_integration(rmm, key="second")
    for each in (added, other):
        assert (await ours.ended(each.run_id))["status"] == "succeeded"

    crossing = await ours.value(
        "select count(*) from devices d join assets a on a.id = d.asset_id where a.account_id <> d.account_id"
    )
    assert crossing == 0
    count = len(await rmm.devices())
    assert await ours.rows("select count(*) from assets group by account_id") == [(count,), (count,)]
    books = Books(stage)
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id, other.id)


async def test_cloned_serials_are_kept_apart_and_shown_to_a_person(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline, tmp_path: Path
) -> None:
    # A seed whose fleet has disk images put on two machines.
    rmm = await simulator(devices=3000, companies=8, seed=11)
    flow = await in_process(stage, rmm)
    desk, books, shell = Desk(stage), Books(stage), Shell.at(stage, tmp_path)
    devices = await rmm.devices()
    by_number: dict[tuple[str, str], list[str]] = {}
    for key, device in devices.items():
        if number := makers_number(device):
            by_number.setdefault(number, []).append(key)
    clones = {key for keys in by_number.values() if len(keys) > 1 for key in keys}
    assert clones, "this seed has no clones: choose another one"

    added = await desk.add_integration(rmm)
    run = await desk.ended(added.run_id)

    assert (run["status"], run["created"]) == ("succeeded", len(devices))
    asked = (await shell("assets", "ambiguities", "--json")).json
    by_serial = [one for one in asked if one["rule"] == "serial"]
    shown = {key for one in by_serial for key in (one["device_id"], *(o["device_id"] for o in one["other_devices"]))}
    assert clones <= shown
    one = by_serial[0]
    page = await shell("assets", "show", one["asset_id"])
    assert f"lifecycle assets settle-ambiguity {one['ambiguity_id']} --same" in page.err
    assert (await shell("status", "--json")).json["ambiguities"] == len(asked)
    assert await desk.value("select count(distinct asset_id) from devices") == len(devices)
    assert (await shell("assets", "settle-ambiguity", one["ambiguity_id"], "--different")).code == 0
    # Asked once: the next sync has no new question, and none that was settled.
    await desk.synced(added.id)
    left = (await shell("assets", "ambiguities", "--json")).json
    assert left == [each for each in asked if each != one]
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_writers_that_meet_at_one_asset_never_give_it_two_devices_of_one_integration(stage: Stage) -> None:
    world = hardware.World(stage.pool, stage.account_id)
    await world.see(await world.tenant(), hardware.device("stands", serial="SN1|MAKER"))
    second = await world.tenant()
    twins = [world.chunk(second, hardware.device(name, serial="SN1|MAKER")) for name in ("twin", "clone")]
    desk = Desk(stage)

    # Both writers have asked who stands there before either of them may link to it.
    async with transaction(stage.pool) as conn:
        await conn.execute("select 1 from assets for update")
        writing = [asyncio.create_task(world.assets.write(chunk, "story")) for chunk in twins]

        async def both_wait() -> bool:
            return bool(await desk.value(WAITING) == len(writing))

        await until("both writers wait for the asset", both_wait)
    await asyncio.gather(*writing)

    links = await desk.rows("select device_id, asset_id from devices where integration_id = $1", second.id)
    assert len(links) == len({row["asset_id"] for row in links}) == len(twins)
    assert await desk.value("select count(*) from identity_ambiguities where kind = 'serial'") == 1


async def test_machines_whose_serial_is_a_placeholder_are_never_taken_for_one(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=1, companies=1)
    await in_process(stage, rmm)
    desk = Desk(stage)
    (facts,) = (await rmm.devices()).values()

    for number, name in enumerate(("first", "second")):
        endpoint = {
            "endpointID": f"{number}0000000-0000-4000-8000-000000000000",
            "deviceName": name,
            "system": {"serialNumber": "Default string", "manufacturer": "Dell Inc.", "model": "OptiPlex 3080"},
            "bios": {"serialNumber": "Default string"},
            # A maker's form of a mainboard's serial: the machine's own, and that of the part.
            "baseboard": {"manufacturer": "Dell Inc.", "serialNumber": "/Default string/CNFCW0025P01QX/"},
            "networks": [{"product": "Ethernet", "macAddress": f"B8:CA:3A:00:00:0{number}"}],
        }
        group = {"companyID": facts["company_id"], "siteID": facts["site_id"], "endpoints": [endpoint]}
        await rmm.heal()
        await rmm.fault({"path": LISTS}, status=200, body={"platform": [group]})
        added = await desk.add_integration(rmm, name=name, key=name)
        assert (await desk.ended(added.run_id))["status"] == "succeeded"

    assert await desk.value("select count(distinct asset_id) from devices") == 2
