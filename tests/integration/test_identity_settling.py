"""A person answers whether two devices are one machine; the writer's later syncs keep to it."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.audit import Author
from shared.identity.settling import settle_same
from shared.postgres import again_on_conflict, transaction
from tests.integration.world import Tenant, World, device
from tests.support.shell import Result, Shell
from tests.support.stage import Stage
from tests.support.waiting import until

SERIAL = "SN1|MAKER"
WRITERS_LOCK = "select pg_advisory_xact_lock_shared(hashtextextended('integration:' || $1, 0))"
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"
OPEN = "select count(*) from identity_ambiguities where status = 'open'"


@pytest.fixture
def world(stage: Stage) -> World:
    return World(stage.pool, stage.account_id)


@pytest.fixture
def shell(stage: Stage, tmp_path: Path) -> Shell:
    return Shell.at(stage, tmp_path)


@pytest.fixture
async def tenant(world: World) -> Tenant:
    """An integration with two devices that claim one serial, `d1` first."""
    tenant = await world.tenant(name="Acme")
    await world.see(tenant, device("d1", serial=SERIAL), device("stays"))
    await world.see(tenant, device("d2", serial=SERIAL))
    return tenant


async def question(shell: Shell) -> Any:
    (found,) = (await shell("assets", "ambiguities", "--json")).json
    return found


async def settle(shell: Shell, answer: str, *more: str) -> Result:
    one = await question(shell)
    return await shell("assets", "settle-ambiguity", one["ambiguity_id"][:8], answer, *more, "--json")


async def say(world: World, asset_id: UUID, source: str, value: str | None, *, seq: int = 0, **columns: Any) -> None:
    """Let a source say a purchase date."""
    row = {"asset_id": asset_id, "field": "purchase_date", "source": source, "account_id": world.account_id}
    row |= {"value": value and date.fromisoformat(value), "observed_seq": seq, **columns}
    await world.insert("date_observations", row)


# -- shown ---------------------------------------------------------------------------------------------------------


async def test_an_open_question_is_shown_with_both_assets_and_what_to_do(
    shell: Shell, world: World, tenant: Tenant
) -> None:
    first, second = await world.asset_of(tenant, "d1"), await world.asset_of(tenant, "d2")
    one = await question(shell)
    assert (one["rule"], one["asset_id"], one["other_asset_id"]) == ("serial", str(second["id"]), str(first["id"]))
    assert (one["device_id"], [each["device_id"] for each in one["other_devices"]]) == ("d2", ["d1"])
    for asset, other, name in ((first, second, "d2"), (second, first, "d1")):
        shown = await shell("assets", "show", asset["id"])
        assert f"ambiguity: the serial number of {name} too ({other['id']}; device {name} in Acme)" in shown.out
        assert f"lifecycle assets settle-ambiguity {one['ambiguity_id']} --same; if not: --different" in shown.err
        assert (await shell("assets", "show", asset["id"], "--json")).json["ambiguities"] == [one]
    assert (await shell("assets", "show", "stays", "--json")).json["ambiguities"] == []
    listed = await shell("assets", "ambiguities", "--integration", "Acme")
    assert (one["ambiguity_id"] in listed.out, "settle-ambiguity AMBIGUITY --same|--different" in listed.err) == (
        True,
        True,
    )
    status = (await shell("status", "--json")).json
    assert status["ambiguities"] == 1
    assert "1 devices may be the hardware of another asset; see: lifecycle assets ambiguities" in status["attention"]


async def test_other_accounts_neither_see_nor_settle_it(shell: Shell, world: World, tenant: Tenant) -> None:
    await world.execute("insert into accounts (id, name) values ($1, 'Second')", uuid4())
    one = await question(shell)
    assert (await shell("assets", "ambiguities", "--account", "Second", "--json")).json == []
    words = ("assets", "settle-ambiguity", one["ambiguity_id"], "--same", "--yes", "--account", "Second")
    assert (await shell(*words)).code == 3
    assert await world.value(OPEN) == 1


# -- two machines --------------------------------------------------------------------------------------------------


async def test_two_machines_stay_apart_and_are_not_asked_about_again(
    shell: Shell, world: World, tenant: Tenant
) -> None:
    before = [(await world.asset_of(tenant, name))["id"] for name in ("d1", "d2")]
    settled = await settle(shell, "--different")
    assert (settled.code, settled.json["answer"], settled.json["given_up"]) == (0, "different", None)
    words = ("assets", "settle-ambiguity", settled.json["ambiguity_id"], "--different")
    assert (await shell(*words)).code == 3

    twins = [device("d1", serial=SERIAL, model="new"), device("d2", serial=SERIAL, model="new")]
    await world.write(world.chunk(tenant, *twins))
    # The claim goes to and fro: the first machine has another serial for a while.
    await world.write(world.chunk(tenant, device("d1", serial="SN2|MAKER")))
    assert (await world.asset_of(tenant, "d2"))["serial_claim"] == SERIAL
    await world.write(world.chunk(tenant, *twins))
    assert [(await world.asset_of(tenant, name))["id"] for name in ("d1", "d2")] == before
    assert await world.value(OPEN) == 0
    assert (await shell("status", "--json")).json["ambiguities"] == 0
    audit = await world.row("select actor, object_id, after from audit_log where action = 'identity.settled'")
    assert (audit["actor"], audit["object_id"], audit["after"]["answer"]) == ("tess", str(before[1]), "different")


async def test_a_third_machine_that_takes_the_claim_is_a_new_question(
    shell: Shell, world: World, tenant: Tenant
) -> None:
    assert (await settle(shell, "--different")).code == 0
    first, second, third = "d1", "d2", "stays"
    await world.write(world.chunk(tenant, device(second, serial="SN3|MAKER")))
    await world.write(world.chunk(tenant, device(first, serial="SN2|MAKER"), device(third, serial=SERIAL)))
    await world.write(world.chunk(tenant, device(third, serial=SERIAL, model="new")))
    assert (await world.asset_of(tenant, third))["serial_claim"] == SERIAL
    await world.write(world.chunk(tenant, device(second, serial=SERIAL)))
    one = await question(shell)
    assert (one["device_id"], one["other_asset_id"]) == (second, str((await world.asset_of(tenant, third))["id"]))


# -- one machine ---------------------------------------------------------------------------------------------------


async def test_one_machine_has_one_asset_with_what_both_say_and_later_syncs_keep_it(
    shell: Shell, world: World, tenant: Tenant
) -> None:
    stays, gone = [await world.asset_of(tenant, name) for name in ("d1", "d2")]
    other = await world.tenant(name="Other")
    await say(world, gone["id"], f"integration:{tenant.id}", "2021-01-01", seq=5)
    await say(world, stays["id"], f"integration:{tenant.id}", "2022-02-02", seq=4)
    await say(world, gone["id"], "lookup:dell", "2020-01-01")
    await say(world, gone["id"], "manual", None)
    await world.execute("update assets set first_seen_at = first_seen_at - interval '1 year' where id = $1", gone["id"])

    assert (await settle(shell, "--same")).code == 4, "not confirmed"
    settled = await settle(shell, "--same", "--yes")
    assert (settled.code, settled.json["asset_id"], settled.json["given_up"]) == (0, str(stays["id"]), str(gone["id"]))
    assert (await shell("assets", "settle-ambiguity", settled.json["ambiguity_id"], "--same", "--yes")).code == 3
    assert (await shell("assets", "show", gone["id"])).code == 3
    shown = (await shell("assets", "show", stays["id"], "--json")).json
    assert [(each["device_id"], each["matched_by"]) for each in shown["devices"]] == [("d1", "new"), ("d2", "person")]
    purchased = shown["dates"]["purchase_date"]
    assert (purchased["value"], purchased["origin"]) == ("2020-01-01", "lookup:dell")
    assert [(each["source"], each["value"]) for each in purchased["losers"]] == [
        (f"integration:{tenant.id}", "2021-01-01")
    ]
    assert shown["purchase_date"] == "2020-01-01"
    assert shown["first_seen_at"] < stays["first_seen_at"].isoformat()

    await world.close(tenant)
    for model in ("new", "newer"):
        twins = [device("d1", serial=SERIAL, model=model), device("d2", serial=SERIAL, model=model)]
        await world.synced(tenant.id, *twins, device("stays"))
        await world.write(world.chunk(other, device("o1", serial=SERIAL, model=model)))
        assert {(await world.asset_of(tenant, name))["id"] for name in ("d1", "d2")} == {stays["id"]}
    assert (await world.asset_of(other, "o1"))["id"] == stays["id"]
    assert (await world.asset_of(tenant, "d2"))["matched_by"] == "person"
    assert await world.value(OPEN) == 0
    assert await world.count("date_observations where asset_id not in (select id from assets)") == 0
    await world.synced(tenant.id, device("d1", serial=SERIAL, model="newer"), device("stays"))
    assert (await world.asset_of(tenant, "d1"))["state"] == "active", "one of its two entries is gone"


async def test_three_of_one_serial_are_settled_one_by_one(shell: Shell, world: World, tenant: Tenant) -> None:
    await world.see(tenant, device("d3", serial=SERIAL))
    both = (await shell("assets", "ambiguities", "--json")).json
    for each in both:
        words = ("assets", "settle-ambiguity", each["ambiguity_id"], "--same", "--yes")
        assert (await shell(*words)).code == 0
    assert len({(await world.asset_of(tenant, name))["id"] for name in ("d1", "d2", "d3")}) == 1
    assert await world.value(OPEN) == 0


OBSTACLES = {
    "a manual date": "has the purchase_date 2024-01-01 by manual",
    "a lookup that says another": "has the purchase_date 2024-01-01 by lookup:dell",
    "an excluded source": "a person excluded lookup:dell",
    "a conflict": "has an open conflict about its purchase_date",
    "a date on its way": "is on its way to an RMM",
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
async def test_what_a_person_decided_about_the_asset_that_goes_is_not_lost(
    shell: Shell, world: World, tenant: Tenant, obstacle: str
) -> None:
    stays, gone = [(await world.asset_of(tenant, name))["id"] for name in ("d1", "d2")]
    place = {"integration_id": tenant.id, "device_id": "d2", "field": "purchase_date", "asset_id": gone}
    place |= {"account_id": world.account_id}
    match obstacle:
        case "a manual date":
            await say(world, gone, "manual", "2024-01-01")
        case "a lookup that says another":
            await say(world, gone, "lookup:dell", "2024-01-01")
            await say(world, stays, "lookup:dell", "2024-02-02")
        case "an excluded source":
            await say(world, gone, "lookup:dell", "2024-01-01", excluded_by="tess", excluded_at=datetime.now(UTC))
        case "a conflict":
            await world.insert("date_conflicts", {**place, "remote_seq": 1})
        case _:
            await world.insert("date_pushes", {**place, "status": "waiting"})

    refused = await settle(shell, "--same", "--yes")
    assert refused.code == 4
    assert OBSTACLES[obstacle] in refused.json["error"]["message"]
    assert refused.json["error"]["next_step"]
    assert (await world.asset_of(tenant, "d2"))["id"] == gone
    assert await world.value(OPEN) == 1


async def test_a_manual_date_that_the_other_asset_has_too_stands_in_nobodys_way(
    shell: Shell, world: World, tenant: Tenant
) -> None:
    stays, gone = [(await world.asset_of(tenant, name))["id"] for name in ("d1", "d2")]
    await say(world, gone, "manual", "2024-01-01")
    await say(world, stays, "manual", "2024-01-01")
    assert (await settle(shell, "--same", "--yes")).code == 0
    assert (await shell("assets", "show", stays, "--json")).json["purchase_date"] == "2024-01-01"


async def test_an_answer_waits_for_the_chunk_that_is_being_written(world: World, tenant: Tenant, stage: Stage) -> None:
    """Its writer has asked which asset a device is: what it writes then would go to one that is no more."""
    question_id = await world.value("select id from identity_ambiguities")

    async def answer() -> None:
        async with transaction(stage.pool) as conn:
            await settle_same(conn, Author(world.account_id, "tess", "test"), question_id)

    async def waits() -> bool:
        return bool(await world.value(WAITING))

    async with transaction(stage.pool) as writing:
        await writing.execute(WRITERS_LOCK, str(tenant.id))
        answering = asyncio.create_task(answer())
        await until("the answer waits for the writer", waits, within=30)
        assert await world.count("assets") == 3
    await answering
    assert await world.count("assets") == 2


async def test_syncs_that_go_on_meanwhile_neither_deadlock_nor_make_the_asset_anew(
    world: World, tenant: Tenant, stage: Stage
) -> None:
    stays = (await world.asset_of(tenant, "d1"))["id"]
    other = await world.tenant()
    question_id = await world.value("select id from identity_ambiguities")
    author = Author(world.account_id, "tess", "test")

    async def answer() -> None:
        async with transaction(stage.pool) as conn:
            await settle_same(conn, author, question_id)

    async def sync(seen_by: Tenant, *names: str) -> None:
        for number in range(8):
            twins = [device(name, serial=SERIAL, model=f"model {number}") for name in names]
            await world.write(world.chunk(seen_by, *twins))

    await asyncio.gather(*(sync(tenant, "d1", "d2"), sync(tenant, "d2"), sync(other, "o1"), again_on_conflict(answer)))
    links = await world.rows("select distinct asset_id from devices where device_id <> 'stays'")
    assert [row["asset_id"] for row in links] == [stays]
    assert await world.value(OPEN) == 0
    assert await world.count("assets") == 2
