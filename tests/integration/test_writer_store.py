"""The writer's store on a real Postgres: each device once, the newest wins, and identity never guesses."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date
from random import Random
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.writer.store import LIGHT_DEVICES, PostgresAssets
from shared.errors import BadMessage
from shared.events.bulk import AssetPageNormalized, NormalizedAsset
from shared.postgres import Pool, open_pool
from tests.integration.world import STORY, Tenant, World, device, ids, many, reject
from tests.support.waiting import PATIENCE_SECONDS, until

SERIAL = "7QX1234|DELL"
MAC = "a4:bb:6d:11:0c:32"


@pytest.fixture
def world(pool: Pool, account_id: UUID) -> World:
    return World(pool, account_id)


@pytest.fixture
async def other_pool(database_url: str) -> AsyncIterator[Pool]:
    """The pool of another writer."""
    opened = await open_pool(database_url, service="other")
    yield opened
    await opened.close()


async def outcomes(world: World, chunk: AssetPageNormalized) -> str:
    """What was recorded of a chunk, one letter a device, sorted."""
    letters: str = await world.value("select outcomes from sync_chunks where fetch_id = $1", UUID(chunk.fetch_id))
    return "".join(sorted(letters))


# -- created, updated, same, older ---------------------------------------------------------------------------------


async def test_a_new_device_becomes_an_asset_with_all_that_was_sent(world: World) -> None:
    tenant = await world.tenant()
    sent = device(
        "d1",
        serial=SERIAL,
        mac=MAC,
        company_id="c1",
        company_name="Harbor Dental",
        site_id="s1",
        site_name="Main",
        asset_type="laptop",
        manufacturer="Dell Inc.",
        manufacturer_normalised="Dell",
        model="Latitude",
        operating_system="Windows 11",
        os_version="10.0",
        processor="i5",
        memory_bytes=2**34,
        storage_bytes=2**39,
        ip_address="10.0.0.1",
        agent_installed_at="2023-12-26T17:12:11.994000Z",
        purchase_date="2024-02-29",
        warranty_expiration_date="2027-02-28",
        vendor={"endpointID": "D1"},
    )
    chunk = world.chunk(tenant, sent)
    await world.write(chunk)
    asset = dict(await world.asset_of(tenant, "d1"))
    assert {name: asset[name] for name in ("name", "asset_type", "model", "memory_bytes", "state", "version")} == {
        "name": "d1",
        "asset_type": "laptop",
        "model": "Latitude",
        "memory_bytes": 2**34,
        "state": "active",
        "version": 3,  # once for the asset, and once for each date that it brought
    }
    assert (asset["purchase_date"], asset["warranty_expiration_date"]) == (date(2024, 2, 29), date(2027, 2, 28))
    assert asset["purchase_date_origin"] == f"integration:{tenant.id}"
    assert (asset["serial_key"], asset["serial_claim"]) == (SERIAL, SERIAL)
    assert (asset["mac_key"], asset["mac_claim"], asset["mac_addresses"]) == (MAC, MAC, [MAC])
    assert (asset["matched_by"], asset["account_id"]) == ("new", tenant.account_id)
    assert await world.value("select vendor from devices") == {"endpointID": "D1"}
    assert await outcomes(world, chunk) == "c"
    (told,) = world.bus.of("asset.dates_changed")
    assert sorted((each["value"], each["asset_version"]) for each in told["changes"]) == [
        ("2024-02-29", 2),
        ("2027-02-28", 3),
    ]
    assert await world.count("outbox") == 0


async def test_a_device_that_differs_is_updated_and_one_that_does_not_is_the_same(world: World) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d1"), device("d2")))
    chunk = world.chunk(tenant, device("d1"), device("d2", name="renamed"), device("d3"))
    written = await world.write(chunk)
    assert await outcomes(world, chunk) == "csu"
    assert (len(written.created), len(written.updated)) == (1, 1)
    assert [(await world.asset_of(tenant, name))["version"] for name in ("d1", "d2", "d3")] == [1, 2, 1]


async def test_what_was_observed_earlier_never_overwrites(world: World) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d1", name="new"), seq=20))
    chunk = world.chunk(tenant, device("d1", name="old"), seq=10)
    await world.write(chunk)
    assert (await world.asset_of(tenant, "d1"))["name"] == "new"
    assert await outcomes(world, chunk) == "s"


async def test_what_was_seen_unchanged_later_is_not_overwritten_by_what_lies_between(world: World) -> None:
    """The later chunk wrote no row, and is later all the same."""
    tenant = await world.tenant()
    for seq, name in [(10, "a"), (30, "a"), (20, "b")]:
        await world.write(world.chunk(tenant, device("d1", name=name), seq=seq))
    assert (await world.asset_of(tenant, "d1"))["name"] == "a"


async def test_what_was_observed_earlier_never_overwrites_also_when_the_bookkeeping_is_pruned(world: World) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d1", name="new"), seq=20))
    await world.execute("delete from sync_chunks")
    chunk = world.chunk(tenant, device("d1", name="old"), seq=10)
    written = await world.write(chunk)
    assert (await world.asset_of(tenant, "d1"))["name"] == "new"
    assert (written.updated, await outcomes(world, chunk)) == ([], "s")


devices_of_a_chunk = st.dictionaries(st.sampled_from(["d1", "d2", "d3"]), st.sampled_from(["x", "y", "z"]), min_size=1)


@given(st.lists(devices_of_a_chunk, min_size=2, max_size=4), st.randoms(use_true_random=False))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
async def test_chunks_in_any_order_give_the_same_tables(
    world: World, contents: list[dict[str, str]], random: Random
) -> None:
    tenant = await world.tenant()
    chunks = [
        world.chunk(tenant, *(device(f"{tenant.id}-{name}", model=model) for name, model in content.items()), seq=seq)
        for seq, content in enumerate(contents, start=1)
    ]
    last = {name: model for content in contents for name, model in content.items()}
    again = [*chunks, *chunks]
    random.shuffle(again)
    assets = world.assets
    for chunk in again:
        await assets.write(chunk, STORY)
    rows = await world.rows(
        "select d.device_id, a.model from devices d join assets a on a.id = d.asset_id where d.integration_id = $1",
        tenant.id,
    )
    assert {row["device_id"].rpartition("-")[2]: row["model"] for row in rows} == last


async def test_a_chunk_twice_is_a_chunk_once(world: World) -> None:
    tenant = await world.tenant()
    chunk = world.chunk(tenant, *many(3), rejects=[reject("r1")])
    await world.write(chunk)
    assert await world.assets.write(chunk, STORY) is None
    assert await world.count("devices") == 3
    assert await world.count("assets") == 3
    assert await world.count("sync_rejects") == 1
    assert world.bus.types() == ["asset.changed"]


async def test_one_of_several_writers_of_a_chunk_writes_it(world: World, other_pool: Pool) -> None:
    tenant = await world.tenant()
    chunk = world.chunk(tenant, *many(20))
    other = PostgresAssets(other_pool, world.outbox)
    written = await asyncio.gather(*(store.write(chunk, STORY) for store in (world.assets, other) * 3))
    assert sum(each is not None for each in written) == 1
    assert await world.count("devices") == 20


async def test_a_device_that_comes_twice_in_a_chunk_is_counted_as_repeated(world: World) -> None:
    tenant = await world.tenant()
    chunk = world.chunk(tenant, device("d1", name="first"), device("d2"), device("d1", name="last"))
    await world.write(chunk)
    row = await world.row("select * from sync_chunks where fetch_id = $1", UUID(chunk.fetch_id))
    assert (row["created"], row["repeated"], row["outcomes"]) == (2, 1, "cc")
    assert (await world.asset_of(tenant, "d1"))["name"] == "last"


async def test_an_empty_chunk_is_recorded(world: World) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant))
    assert await world.count("sync_chunks") == 1
    assert world.bus.said == []


async def test_rejects_are_kept_with_their_reason_and_what_was_sent(world: World) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, rejects=[reject("r1", b'["\\u0000"]'), reject()]))
    rows = await world.rows("select device_id, reason_code, detail, vendor from sync_rejects order by id")
    assert [tuple(row) for row in rows] == [
        ("r1", "unreadable", "it is not an object", '["\\u0000"]'),
        (None, "unreadable", "it is not an object", None),
    ]
    assert await world.value("select rejected from sync_chunks") == 2


async def test_what_changed_is_told_after_the_commit(world: World) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d1"), device("d2")))
    await world.write(world.chunk(tenant, device("d1"), device("d2", name="renamed"), device("d3")))
    await world.write(world.chunk(tenant, device("d1")))
    ours = {name: str((await world.asset_of(tenant, name))["id"]) for name in ("d1", "d2", "d3")}
    first, second = world.bus.of("asset.changed")
    assert (set(first["created"]), first["updated"]) == ({ours["d1"], ours["d2"]}, [])
    assert (second["created"], second["updated"]) == ([ours["d3"]], [ours["d2"]])
    assert await world.count("outbox") == 0


# -- absent, odd, unchanged ----------------------------------------------------------------------------------------


async def test_absent_is_not_null(world: World) -> None:
    tenant = await world.tenant()
    full = device("d1", serial=SERIAL, mac=MAC, model="Latitude", purchase_date="2024-02-29", site_id="s1")
    await world.write(world.chunk(tenant, full))
    await world.write(world.chunk(tenant, device("d1", operating_system="Windows 11")))
    asset = await world.asset_of(tenant, "d1")
    assert (asset["model"], asset["operating_system"], asset["site_id"]) == ("Latitude", "Windows 11", "s1")
    assert (asset["serial_key"], asset["serial_claim"], asset["mac_claim"]) == (SERIAL, SERIAL, MAC)
    assert (asset["purchase_date"], asset["version"]) == (date(2024, 2, 29), 3)


VENDOR = (
    b'{"nul":"\\u0000","lone":"\\ud800","pair":"\\ud83d\\ude00","raw":"\xf0\x9f\x98\x80 \xc3\xa9\xcc\x81",'
    b'"big":1e400,"a":1,"a":2}'
)


async def test_what_the_vendor_sent_is_kept_as_it_was_sent(world: World) -> None:
    """Escaped NULs, half pairs, numbers without bounds, a name twice: it is the vendor's."""
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d1", vendor=VENDOR)))
    await world.write(world.chunk(tenant, device("d1", name="renamed", vendor=VENDOR)))
    assert (await world.value("select vendor::text from devices")).encode() == VENDOR


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_text_of_a_device_is_stored_as_it_is(world: World, text: str) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d1", name=text, vendor={"name": text})))
    assert (await world.asset_of(tenant, "d1"))["name"] == text
    assert await world.value("select vendor from devices where integration_id = $1", tenant.id) == {"name": text}


async def versions(world: World, *tables: str) -> dict[str, list[Any]]:
    """Which transaction wrote each row."""
    return {
        table: [tuple(row) for row in await world.rows(f"select id, xmin::text, ctid::text from {table} order by id")]
        for table in tables
    }


async def test_an_unchanged_reload_writes_no_asset_and_no_device(world: World) -> None:
    tenant = await world.tenant()
    fleet = [device(f"d{number}", serial=f"S{number}|DELL", mac=f"a4:bb:6d:11:0c:{number:02}") for number in range(40)]
    clones = [device(f"clone{number}", serial="S1|DELL", mac=MAC) for number in range(3)]
    await world.write(world.chunk(tenant, *fleet, *clones))
    before = await versions(world, "assets", "devices", "identity_ambiguities")
    chunk = world.chunk(tenant, *fleet, *clones)
    written = await world.write(chunk)
    assert await versions(world, "assets", "devices", "identity_ambiguities") == before
    assert await outcomes(world, chunk) == "s" * 43
    assert (written.created, written.updated) == ([], [])


async def test_an_update_writes_only_the_rows_that_differ(world: World) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, *many(10)))
    before = await versions(world, "assets", "devices")
    await world.write(world.chunk(tenant, *many(9), device("d0009", name="renamed")))
    after = await versions(world, "assets", "devices")
    assert [sum(old != new for old, new in zip(before[table], after[table], strict=True)) for table in before] == [1, 1]


# -- identity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        ({"serial": SERIAL}, {"serial": SERIAL}, "serial"),
        ({"serial": SERIAL, "mac": MAC}, {"serial": SERIAL, "mac": "00:00:5e:00:53:01"}, "serial"),
        ({"mac": MAC}, {"mac": MAC}, "mac"),
        ({"serial": SERIAL, "mac": MAC}, {"mac": MAC}, "mac"),
        ({"mac": MAC}, {"serial": SERIAL, "mac": MAC}, "mac"),
    ],
)
async def test_the_same_hardware_in_two_integrations_is_one_asset(
    world: World, first: dict[str, str], second: dict[str, str], rule: str
) -> None:
    one, two = await world.tenant(), await world.tenant()
    await world.write(world.chunk(one, device("a1", **first, model="Latitude")))  # type: ignore[arg-type]
    chunk = world.chunk(two, device("b1", **second, site_name="Main"))  # type: ignore[arg-type]
    await world.write(chunk)
    asset = await world.asset_of(two, "b1")
    assert asset["id"] == (await world.asset_of(one, "a1"))["id"]
    assert asset["matched_by"] == rule
    assert (asset["model"], asset["site_name"], asset["name"], asset["version"]) == ("Latitude", "Main", "b1", 2)
    assert await world.count("assets") == 1
    assert await world.count("identity_ambiguities") == 0
    assert await outcomes(world, chunk) == "u"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Nothing that can be trusted: the serial number is junk, so it has no key.
        ({"serial_number": "Default string"}, {"serial_number": "Default string"}),
        ({}, {}),
        # A dock's address, and two serials.
        ({"serial": "S1|DELL", "mac": MAC}, {"serial": "S2|DELL", "mac": MAC}),
        # The same digits of two makers.
        ({"serial": "S1|DELL"}, {"serial": "S1|HP"}),
    ],
)
async def test_what_is_not_surely_the_same_is_two_assets_and_no_question(
    world: World, first: dict[str, str], second: dict[str, str]
) -> None:
    one, two = await world.tenant(), await world.tenant()
    await world.write(world.chunk(one, device("a1", **first)))  # type: ignore[arg-type]
    await world.write(world.chunk(two, device("b1", **second)))  # type: ignore[arg-type]
    assert await world.count("assets") == 2
    assert await world.count("identity_ambiguities") == 0


async def test_nothing_matches_across_accounts(world: World) -> None:
    one, two = await world.tenant(), await world.tenant(await world.account())
    for tenant in (one, two):
        await world.write(world.chunk(tenant, device("d1", serial=SERIAL, mac=MAC)))
    first, second = await world.asset_of(one, "d1"), await world.asset_of(two, "d1")
    assert first["id"] != second["id"]
    assert (first["account_id"], second["account_id"]) == (one.account_id, two.account_id)
    assert first["serial_claim"] == second["serial_claim"] == SERIAL
    assert {first["matched_by"], second["matched_by"]} == {"new"}


@pytest.mark.parametrize(("kind", "key"), [("serial", SERIAL), ("mac", MAC)])
async def test_the_match_is_looked_for_in_the_own_account_alone(world: World, kind: str, key: str) -> None:
    """Other accounts had the same hardware first: a machine that was sold on."""
    others = [await world.tenant(await world.account()) for _ in range(3)]
    one, two = await world.tenant(), await world.tenant()
    for tenant in (*others, one, two):
        await world.write(world.chunk(tenant, device("d1", **{kind: key})))  # type: ignore[arg-type]
    linked = await world.asset_of(two, "d1")
    assert (linked["id"], linked["matched_by"]) == ((await world.asset_of(one, "d1"))["id"], kind)
    assert linked["account_id"] == world.account_id
    assert await world.count("assets") == 4


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("kind", "key"), [("serial", SERIAL), ("mac", MAC)])
async def test_two_devices_of_one_rmm_that_claim_the_same_are_kept_apart_for_a_person(
    world: World, kind: str, key: str, together: bool
) -> None:
    tenant = await world.tenant()
    clones = [device(name, **{kind: key}) for name in ("d1", "d2", "d3")]  # type: ignore[arg-type]
    for chunk in [clones] if together else [[clone] for clone in clones]:
        await world.write(world.chunk(tenant, *chunk))
    assets = [await world.asset_of(tenant, name) for name in ("d1", "d2", "d3")]
    assert len({asset["id"] for asset in assets}) == 3
    assert [asset[f"{kind}_key"] for asset in assets] == [key] * 3
    assert sorted((asset[f"{kind}_claim"] or "") for asset in assets) == ["", "", key]
    holder = next(asset["id"] for asset in assets if asset[f"{kind}_claim"])
    questions = await world.rows("select * from identity_ambiguities")
    assert {(row["kind"], row["key"], row["other_asset_id"]) for row in questions} == {(kind, key, holder)}
    assert {row["asset_id"] for row in questions} == {asset["id"] for asset in assets} - {holder}
    assert {row["status"] for row in questions} == {"open"}


async def test_two_clones_in_one_chunk_match_an_asset_of_another_rmm_once(world: World) -> None:
    one, two = await world.tenant(), await world.tenant()
    await world.write(world.chunk(one, device("a1", serial=SERIAL)))
    await world.write(world.chunk(two, device("b1", serial=SERIAL), device("b2", serial=SERIAL)))
    linked = [(await world.asset_of(two, name))["id"] for name in ("b1", "b2")]
    assert linked.count((await world.asset_of(one, "a1"))["id"]) == 1
    assert await world.count("assets") == 2
    assert await world.count("identity_ambiguities") == 1


async def test_a_machine_that_was_enrolled_anew_is_the_asset_that_it_was(world: World) -> None:
    integration = await world.integration()
    await world.synced(integration, device("old", serial=SERIAL), device("stays"))
    await world.synced(integration, device("stays"))
    assert await world.states(integration) == {"old": "missing", "stays": "active"}
    await world.synced(integration, device("new", serial=SERIAL), device("stays"))
    old, new = await world.asset_of(integration, "old"), await world.asset_of(integration, "new")
    assert old["id"] == new["id"]
    assert (new["matched_by"], new["state"], new["device_state"]) == ("serial", "active", "active")
    assert await world.count("identity_ambiguities") == 0


async def test_a_replaced_mainboard_moves_the_claim(world: World) -> None:
    one, two = await world.tenant(), await world.tenant()
    await world.write(world.chunk(one, device("d1", serial="S1|DELL")))
    await world.write(world.chunk(one, device("d1", serial="S2|DELL")))
    asset = await world.asset_of(one, "d1")
    assert (asset["serial_key"], asset["serial_claim"]) == ("S2|DELL", "S2|DELL")
    await world.write(world.chunk(two, device("e1", serial="S1|DELL"), device("e2", serial="S2|DELL")))
    assert (await world.asset_of(two, "e1"))["id"] != asset["id"]
    assert (await world.asset_of(two, "e2"))["id"] == asset["id"]


@pytest.mark.parametrize(("kind", "keys"), [("serial", ("S1|DELL", "S2|DELL", SERIAL)), ("mac", ("m1", "m2", MAC))])
async def test_known_devices_that_come_to_claim_the_same_in_one_chunk_do_no_harm(
    world: World, kind: str, keys: tuple[str, str, str]
) -> None:
    """As after an update of the BIOS that writes one serial into all machines."""
    tenant = await world.tenant()
    before, same = keys[:2], keys[2]
    await world.write(world.chunk(tenant, *(device(f"d{n}", **{kind: key}) for n, key in enumerate(before))))  # type: ignore[arg-type]
    chunk = world.chunk(tenant, device("d0", **{kind: same}), device("d1", **{kind: same}))  # type: ignore[arg-type]
    await world.write(chunk)
    assets = [await world.asset_of(tenant, f"d{n}") for n in range(2)]
    assert await outcomes(world, chunk) == "uu"
    assert [asset[f"{kind}_key"] for asset in assets] == [same, same]
    assert sorted(asset[f"{kind}_claim"] or "" for asset in assets) == ["", same]
    if kind == "serial":
        holder, other = sorted(assets, key=lambda asset: asset["serial_claim"] or "", reverse=True)
        question = await world.row("select * from identity_ambiguities")
        assert (question["kind"], question["key"]) == ("serial", same)
        assert (question["asset_id"], question["other_asset_id"]) == (other["id"], holder["id"])


@pytest.mark.parametrize("at_once", [True, False], ids=["in one chunk", "in two"])
async def test_known_devices_that_swap_their_serials_swap_their_claims(world: World, at_once: bool) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d1", serial="S1|DELL"), device("d2", serial="S2|DELL")))
    swapped = [device("d1", serial="S2|DELL"), device("d2", serial="S1|DELL")]
    for part in [swapped] if at_once else [[each] for each in swapped]:
        await world.write(world.chunk(tenant, *part))
    assets = [await world.asset_of(tenant, name) for name in ("d1", "d2")]
    assert [(asset["serial_key"], asset["serial_claim"]) for asset in assets] == [
        ("S2|DELL", "S2|DELL"),
        ("S1|DELL", "S1|DELL"),
    ]
    assert await world.count("identity_ambiguities") == 0


async def test_known_devices_that_swap_their_addresses_in_one_chunk_swap_their_claims(world: World) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d1", mac="m1"), device("d2", mac="m2")))
    await world.write(world.chunk(tenant, device("d1", mac="m2"), device("d2", mac="m1")))
    assert [(await world.asset_of(tenant, name))["mac_claim"] for name in ("d1", "d2")] == ["m2", "m1"]


async def test_a_serial_that_comes_free_goes_to_one_of_those_who_wait_and_the_others_ask_about_that_one(
    world: World,
) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, *(device(f"d{n}", serial=f"S{n}|DELL") for n in range(3))))
    await world.write(world.chunk(tenant, device("d1", serial="S0|DELL"), device("d2", serial="S0|DELL")))
    assert await world.count("identity_ambiguities") == 2
    await world.write(world.chunk(tenant, device("d0", serial="S9|DELL")))
    holder, other = sorted(
        [await world.asset_of(tenant, name) for name in ("d1", "d2")], key=lambda asset: asset["serial_claim"] is None
    )
    assert (holder["serial_claim"], other["serial_claim"]) == ("S0|DELL", None)
    question = await world.row("select * from identity_ambiguities")
    assert (question["asset_id"], question["other_asset_id"]) == (other["id"], holder["id"])


async def test_a_device_that_has_another_serial_now_asks_no_more(world: World) -> None:
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, device("d0", serial="S0|DELL"), device("d1", serial="S1|DELL")))
    await world.write(world.chunk(tenant, device("d1", serial="S0|DELL")))
    assert await world.count("identity_ambiguities") == 1
    await world.write(world.chunk(tenant, device("d1", serial="S1|DELL")))
    assert await world.count("identity_ambiguities") == 0
    assert (await world.asset_of(tenant, "d1"))["serial_claim"] == "S1|DELL"


async def test_what_was_observed_earlier_fills_what_is_not_known_of_hardware_that_stands(world: World) -> None:
    one, two = await world.tenant(), await world.tenant()
    await world.write(world.chunk(one, device("a1", mac=MAC, model="new"), seq=20))
    await world.write(world.chunk(two, device("b1", mac=MAC, serial=SERIAL, model="old", processor="p"), seq=10))
    asset = await world.asset_of(two, "b1")
    assert (asset["model"], asset["processor"], asset["observed_seq"]) == ("new", "p", 20)
    assert (asset["serial_key"], asset["serial_claim"]) == (SERIAL, SERIAL)


async def test_a_device_that_is_matched_shows_what_was_observed_last(world: World) -> None:
    one, two = await world.tenant(), await world.tenant()
    await world.write(world.chunk(one, device("a1", serial=SERIAL, model="new"), seq=20))
    await world.write(world.chunk(two, device("b1", serial=SERIAL, model="old"), seq=10))
    assert (await world.asset_of(one, "a1"))["model"] == "new"


# -- concurrent writers --------------------------------------------------------------------------------------------


async def identity_holds(world: World, *tenants: Tenant) -> None:
    """Whatever the order was: every link is to an asset of its account, no claim twice, nothing left over."""
    assert (
        await world.value(
            "select count(*) from assets a where not exists (select from devices d where d.asset_id = a.id)"
        )
        == 0
    )
    assert (
        await world.value(
            "select count(*) from devices d join assets a on a.id = d.asset_id where a.account_id <> d.account_id"
        )
        == 0
    )
    for tenant in tenants:
        linked = await world.rows("select asset_id from devices where integration_id = $1", tenant.id)
        assert max(Counter(row["asset_id"] for row in linked).values()) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_writers_that_meet_the_same_hardware_at_the_same_time_make_it_once(
    world: World, other_pool: Pool, seed: int
) -> None:
    """Two integrations list an overlapping fleet, with clones and shared MACs; all chunks are written at once."""
    random = Random(seed)
    tenants = [await world.tenant(), await world.tenant()]
    serials = [f"S{number}|DELL" for number in range(12)]
    macs = [f"a4:bb:6d:11:0c:{number:02}" for number in range(12)]
    sent: dict[UUID, dict[str, NormalizedAsset]] = {tenant.id: {} for tenant in tenants}
    chunks: list[AssetPageNormalized] = []
    for tenant, _ in itertools.product(tenants, range(4)):
        fleet = [
            sent[tenant.id].setdefault(
                name,
                device(name, serial=random.choice([None, *serials]), mac=random.choice([None, *macs])),
            )
            for name in random.sample([f"d{number:02}" for number in range(20)], 12)
        ]
        chunks.append(world.chunk(tenant, *fleet))
    stores = [world.assets, PostgresAssets(other_pool, world.outbox)]
    random.shuffle(chunks)
    await asyncio.gather(*(stores[number % 2].write(chunk, STORY) for number, chunk in enumerate(chunks)))
    await identity_holds(world, *tenants)
    for tenant in tenants:
        linked = {
            row["device_id"]
            for row in await world.rows("select device_id from devices where integration_id = $1", tenant.id)
        }
        assert linked == ids(sent[tenant.id].values())
    # One holder of each serial that anybody sent, whoever came first.
    used = {each.serial_key for fleet in sent.values() for each in fleet.values() if each.serial_key}
    claims = await world.rows("select serial_claim from assets where serial_claim is not null")
    assert sorted(row["serial_claim"] for row in claims) == sorted(used)
    assert await world.count("sync_chunks") == len(chunks)


@pytest.mark.parametrize(("size", "waits"), [(LIGHT_DEVICES, False), (LIGHT_DEVICES + 1, True)])
async def test_a_light_chunk_is_written_beside_a_heavy_one(
    world: World, other_pool: Pool, size: int, waits: bool
) -> None:
    large, small = await world.tenant(), await world.tenant()
    assets = world.assets
    async with other_pool.acquire() as conn, conn.transaction():
        # Whoever writes for the large tenant waits here, with the place in hand.
        await conn.execute("select pg_advisory_xact_lock(hashtextextended('integration:' || $1, 0))", str(large.id))
        heavy = world.chunk(large, *(device(f"h{number}") for number in range(2 * LIGHT_DEVICES)))
        light = world.chunk(small, *(device(f"l{number}") for number in range(size)))
        one = asyncio.create_task(assets.write(heavy, STORY))
        await until(
            "the heavy chunk waits",
            lambda: world.value("select exists (select from pg_locks where locktype = 'advisory' and not granted)"),
        )
        other = asyncio.create_task(assets.write(light, STORY))
        written, _ = await asyncio.wait({other}, timeout=1 if waits else PATIENCE_SECONDS)
        assert bool(written) is not waits
    await asyncio.gather(one, other)
    assert await world.count("devices") == 2 * LIGHT_DEVICES + size


async def test_the_same_new_devices_in_two_chunks_at_once_are_made_once(world: World, other_pool: Pool) -> None:
    """As after a crash of the fetcher: two fetches of one page."""
    tenant = await world.tenant()
    fleet = [device(f"d{number:02}", serial=f"S{number}|DELL" if number % 2 else None) for number in range(30)]
    stores = [world.assets, PostgresAssets(other_pool, world.outbox)]
    chunks = [world.chunk(tenant, *fleet) for _ in range(4)]
    await asyncio.gather(*(stores[number % 2].write(chunk, STORY) for number, chunk in enumerate(chunks)))
    assert await world.count("devices") == await world.count("assets") == 30
    assert await world.count("identity_ambiguities") == 0
    created = await world.rows("select created from sync_chunks")
    assert sum(row["created"] for row in created) == 30


async def test_known_devices_that_come_to_claim_the_same_at_once_do_no_harm(world: World, other_pool: Pool) -> None:
    tenant = await world.tenant()
    fleet = [device(f"d{number}", serial=f"S{number}|DELL") for number in range(6)]
    await world.write(world.chunk(tenant, *fleet))
    stores = [world.assets, PostgresAssets(other_pool, world.outbox)]
    chunks = [world.chunk(tenant, device(f"d{number}", serial=SERIAL)) for number in range(6)]
    await asyncio.gather(*(stores[number % 2].write(chunk, STORY) for number, chunk in enumerate(chunks)))
    assert await world.value("select count(*) from assets where serial_key = $1", SERIAL) == 6
    assert await world.value("select count(*) from assets where serial_claim = $1", SERIAL) == 1
    assert await world.count("identity_ambiguities") == 5


async def test_a_device_that_shows_its_serial_late_is_a_question_and_no_silent_twin(world: World) -> None:
    """It was an asset of its own by then, perhaps with edits of people: merging is for a person."""
    one, two = await world.tenant(), await world.tenant()
    await world.write(world.chunk(one, device("a1", serial=SERIAL)))
    await world.write(world.chunk(two, device("b1")))
    await world.write(world.chunk(two, device("b1", serial=SERIAL)))
    await world.write(world.chunk(two, device("b1", serial=SERIAL, model="Latitude")))
    late = await world.asset_of(two, "b1")
    question = await world.row("select * from identity_ambiguities")
    assert (question["device_id"], question["asset_id"]) == ("b1", late["id"])
    assert question["other_asset_id"] == (await world.asset_of(one, "a1"))["id"]
    assert (late["serial_key"], late["serial_claim"]) == (SERIAL, None)


# -- what has vanished or was removed ------------------------------------------------------------------------------


async def test_a_device_that_comes_back_is_active_again_with_its_history(world: World) -> None:
    integration = await world.integration()
    await world.synced(integration, device("d1", model="Latitude"), device("stays"))
    before = await world.asset_of(integration, "d1")
    await world.synced(integration, device("stays"))
    assert (await world.asset_of(integration, "d1"))["state"] == "missing"
    run = await world.synced(integration, device("d1", model="Latitude"), device("stays"))
    after = await world.asset_of(integration, "d1")
    assert (after["id"], after["state"], after["device_state"]) == (before["id"], "active", "active")
    assert (run["updated"], run["unchanged"]) == (1, 1)
    assert await world.value("select missed_runs from devices where device_id = 'd1'") == 0


async def test_a_chunk_from_before_a_device_vanished_does_not_bring_it_back(world: World) -> None:
    """A parked chunk that is retried days later tells what was, not what is."""
    integration = await world.integration()
    first = await world.next_run(integration)
    await world.see(first, device("d1"), device("stays"))
    late = world.chunk(first, device("d1"))
    await world.close(first)
    await world.synced(integration, device("stays"))
    assert (await world.states(integration))["d1"] == "missing"
    await world.write(late)
    assert (await world.states(integration))["d1"] == "missing"
    assert (await world.asset_of(integration, "d1"))["state"] == "missing"
    assert await outcomes(world, late) == "s"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("run_id", "canary"),
        ("integration_id", ""),
        ("account_id", "canary"),
        ("fetch_id", "canary"),
        ("chunk_no", 1 << 40),
        ("observed_seq", -1),
        ("observed_seq", 1 << 63),
    ],
)
async def test_a_strangers_chunk_with_nonsense_in_its_header_is_refused_with_the_member(
    world: World, member: str, value: str | int
) -> None:
    tenant = await world.tenant()
    chunk = msgspec.structs.replace(world.chunk(tenant, device("d1")), **{member: value})
    with pytest.raises(BadMessage, match=member) as caught:
        await world.assets.write(chunk, "story")
    assert "canary" not in str(caught.value)
    assert await world.count("devices") == 0


async def test_a_strangers_asset_without_a_hash_or_with_a_nul_in_its_text_is_refused(world: World) -> None:
    tenant = await world.tenant()
    odd = msgspec.structs.replace(device("d1"), content_hash="canary")
    with pytest.raises(BadMessage, match="content_hash"):
        await world.assets.write(world.chunk(tenant, odd), "story")
    with pytest.raises(BadMessage, match="can't be stored"):
        await world.assets.write(world.chunk(tenant, device("d1", name="a\0canary")), "story")
    assert await world.count("devices") == 0


async def test_a_removed_integration_gets_nothing(world: World) -> None:
    tenant = await world.tenant(status="removed")
    assert await world.assets.write(world.chunk(tenant, *many(3)), STORY) is None
    assert await world.count("devices") == await world.count("assets") == await world.count("sync_chunks") == 0


async def test_an_integration_that_nobody_knows_gets_nothing(world: World) -> None:
    nobody = Tenant(uuid4(), world.account_id, uuid4(), uuid4())
    assert await world.assets.write(world.chunk(nobody, *many(1)), STORY) is None
    assert await world.count("devices") == 0


async def test_a_lost_chunk_that_comes_after_all_is_written_and_no_longer_lost(world: World) -> None:
    tenant = await world.tenant()
    chunk = world.chunk(tenant, *many(2))
    row: dict[str, Any] = {
        "fetch_id": UUID(chunk.fetch_id),
        "chunk_no": 0,
        "run_id": tenant.run_id,
        "integration_id": tenant.id,
        "observed_seq": chunk.observed_seq,
        "lost": True,
    }
    await world.insert("sync_chunks", row)
    await world.write(chunk)
    assert tuple(await world.row("select lost, created from sync_chunks")) == (False, 2)
    assert await world.assets.write(chunk, STORY) is None


async def test_the_journal_of_a_device_reads_as_json(world: World) -> None:
    """What is told of a chunk is one event of plain ids, however large the chunk."""
    tenant = await world.tenant()
    await world.write(world.chunk(tenant, *many(500)))
    (told,) = world.bus.of("asset.changed")
    assert len(told["created"]) == 500
    assert len(json.dumps(told)) < 2**20
