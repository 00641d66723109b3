"""The data commands as a shell sees them: exit codes, one JSON document, and nothing secret anywhere."""

import asyncio
import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from shared import topology
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support import queues
from tests.support.rmm import LISTS, Rmm
from tests.support.shell import Result, Shell
from tests.support.stage import Stage
from tests.support.waiting import until

DEVICES = 300


@pytest.fixture
async def rmm(simulator: MakeRmm) -> Rmm:
    return await simulator(devices=DEVICES, companies=5, seed=3)


@pytest.fixture
def shell(stage: Stage, tmp_path: Path) -> Shell:
    return Shell.at(stage, tmp_path)


@pytest.fixture
async def added(shell: Shell, stage: Stage, rmm: Rmm, in_process: MakeLoopPipeline) -> dict[str, Any]:
    """An integration whose first sync has ended, with all services running."""
    await in_process(stage, rmm)
    result = await add(shell, rmm, "Acme", "--wait")
    assert result.code == 0, result.err
    found: dict[str, Any] = result.json
    return found


async def add(shell: Shell, rmm: Rmm, name: str, *more: str, secret: str | None = None) -> Result:
    key = await rmm.key()
    words = ("integrations", "add", "--name", name, "--region", "na", "--client-id", key["client_id"])
    given = ("--client-secret-file", "-", "--json", *more)
    return await shell(*words, *given, stdin=secret or key["client_secret"])


async def test_add_queues_the_first_sync_and_says_so(shell: Shell, stage: Stage, rmm: Rmm) -> None:
    result = await add(shell, rmm, "Acme")
    assert result.code == 0
    assert set(result.json) == {"integration_id", "run_id", "status"}
    assert result.json["status"] == "queued"
    row = await stage.pool.fetchrow("select * from integrations")
    assert row is not None
    key = await rmm.key()
    assert key["client_secret"] not in f"{dict(row)}{result.out}{result.err}"
    assert row["client_secret_sealed"].startswith("hpke1.")
    # Published by the command itself: nobody else runs here.
    assert await stage.pool.fetchval("select count(*) from outbox") == 0
    actors = await stage.pool.fetch("select actor from audit_log where action = 'integration.added'")
    assert [row["actor"] for row in actors] == ["tess"]


async def test_add_keeps_everything_for_the_scheduler_when_the_broker_is_away(
    shell: Shell, stage: Stage, rmm: Rmm
) -> None:
    away = Shell({**shell.variables, "LIFECYCLE_AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}, shell.folder)
    result = await add(away, rmm, "Acme")
    assert result.code == 0
    assert "the scheduler publishes it" in result.err
    bodies = await stage.pool.fetch("select routing_key from outbox")
    assert [row["routing_key"] for row in bodies] == ["integration.created"]


async def test_two_adds_of_one_name_make_one(shell: Shell, stage: Stage, rmm: Rmm) -> None:
    results = await asyncio.gather(add(shell, rmm, "Acme"), add(shell, rmm, "ACME"))
    assert sorted(result.code for result in results) == [0, 4]
    refused = next(result for result in results if result.code)
    standing = next(result for result in results if not result.code)
    assert standing.json["integration_id"] in refused.json["error"]["message"]
    assert await stage.pool.fetchval("select count(*) from integrations") == 1


async def test_add_without_sync_reads_nothing(shell: Shell, stage: Stage, rmm: Rmm) -> None:
    result = await add(shell, rmm, "Acme", "--no-sync")
    assert result.json["run_id"] is None
    assert result.json["status"] == "never_synced"
    assert await stage.pool.fetchval("select count(*) from sync_runs") == 0


async def test_a_sync_is_waited_for_and_shown_with_its_balance(shell: Shell, added: dict[str, Any]) -> None:
    assert added["status"] == "succeeded"
    first = added["run"]["balance"]
    assert first["created"] == first["seen"] > 0
    result = await shell("integrations", "sync", "acme", "--wait", "--json")
    run = result.json
    assert result.code == 0
    assert run["balance"] == {**first, "created": 0, "unchanged": first["seen"]}
    assert run["scopes"]["total"] == run["scopes"]["done"] > 0
    assert (run["status"], run["joined"]) == ("succeeded", False)
    shown = await shell("runs", "show", run["run_id"][:8], "--json")
    assert shown.json["balance"] == run["balance"]
    listed = await shell("runs", "list", "--integration", added["integration_id"], "--json")
    assert [one["run_id"] for one in listed.json] == [run["run_id"], added["run_id"]]
    company = (await shell("runs", "show", run["run_id"], "--json")).json["scope_list"][0]["companies"][0]
    narrow = (await shell("integrations", "sync", "Acme", "--company", company, "--wait", "--json")).json
    assert (narrow["kind"], narrow["status"]) == ("company", "succeeded")
    assert 0 < narrow["balance"]["seen"] < first["seen"]


async def test_devices_that_cannot_be_taken_in_stand_in_the_run_with_their_reasons(
    shell: Shell, rmm: Rmm, added: dict[str, Any]
) -> None:
    one = next(iter((await rmm.devices()).values()))
    odd: list[Any] = [
        {"friendlyName": "Reception PC", "system": {"serialNumber": "5CG1234XYZ"}},
        {"endpointID": "x" * 300, "friendlyName": "Back office"},
        {"friendlyName": "Nested", "endpointID": {"id": 1}},
        {"friendlyName": "Fourth"},
        "just text",
    ]
    page = {"platform": [{"companyID": one["company_id"], "siteID": one["site_id"], "endpoints": odd}]}
    await rmm.fault({"path": LISTS, "times": 1}, status=200, body=page)
    waited = await shell("integrations", "sync", "Acme", "--company", one["company_id"], "--wait")
    assert waited.code == 0
    assert "5 rejected" in waited.out
    (run_id,) = re.findall(r"which devices, and why: lifecycle runs show (\S+)", waited.err)

    shown = await shell("runs", "show", run_id)
    text = re.sub(r"\s+", " ", shown.out)
    assert "no_device_id 4 Reception PC, serial 5CG1234XYZ the device has no endpointID" in text
    assert "Back office the device's id has 300 characters, more than 200" in text
    assert 'not_an_object 1 "just text" the device is not a json object but text' in text
    assert "Fourth" not in text
    (more,) = re.findall(rf"lifecycle (runs show {run_id} --rejects 4)", shown.err)
    assert "Fourth" in (await shell(*more.split())).out
    by_reason = {each["reason_code"]: each for each in (await shell("runs", "show", run_id, "--json")).json["rejects"]}
    assert json.loads(by_reason["no_device_id"]["examples"][0]["sent"]) == odd[0]


async def test_a_second_request_joins_and_a_short_wait_runs_out(shell: Shell, stage: Stage, rmm: Rmm) -> None:
    first = await add(shell, rmm, "Acme")
    joined = await shell("integrations", "sync", "Acme", "--json")
    assert (joined.code, joined.json["status"], joined.json["joined"]) == (0, "joined", True)
    assert joined.json["run_id"] == first.json["run_id"]
    waited = await shell("integrations", "sync", "Acme", "--wait", "--timeout", "0.5", "--json")
    assert (waited.code, waited.json["status"]) == (124, "queued")
    cancelled = await shell("runs", "cancel", first.json["run_id"], "--json")
    assert (cancelled.code, cancelled.json["status"]) == (0, "cancelled")
    assert (await shell("runs", "cancel", first.json["run_id"])).code == 4
    assert await stage.pool.fetchval("select count(*) from audit_log where action = 'run.cancelled'") == 1


async def test_rejected_credentials_are_one_sentence_and_new_ones_mend_it(
    shell: Shell, stage: Stage, rmm: Rmm, in_process: MakeLoopPipeline
) -> None:
    await in_process(stage, rmm)
    canary = f"canary-{uuid4()}"
    result = await add(shell, rmm, "Acme", "--wait", secret=canary)
    assert (result.code, result.json["status"]) == (1, "cancelled")
    assert result.json["reason_code"] == "credentials_rejected"
    assert canary not in result.out + result.err
    refused = await shell("integrations", "sync", "Acme", "--json")
    assert refused.code == 4
    assert "paused" in refused.json["error"]["message"]
    key = await rmm.key()
    words = ("integrations", "replace-credentials", "Acme", "--client-id", key["client_id"])
    mended = await shell(*words, "--client-secret-file", "-", "--wait", "--json", stdin=key["client_secret"])
    assert mended.code == 0, mended.err
    assert mended.json["probe"]["ok"]
    caught_up = await shell("integrations", "sync", "Acme", "--wait", "--json")
    assert caught_up.code == 0
    preflight = await shell("integrations", "preflight", "Acme", "--json")
    assert (preflight.code, preflight.json["ok"]) == (0, True)


async def test_a_preflight_that_nobody_answers_runs_out(shell: Shell, rmm: Rmm) -> None:
    await add(shell, rmm, "Acme", "--no-sync")
    result = await shell("integrations", "preflight", "Acme", "--timeout", "0.5")
    assert result.code == 124
    assert "is a fetcher running?" in result.err


async def test_disable_enable_and_remove(shell: Shell, stage: Stage, added: dict[str, Any]) -> None:
    assert (await shell("integrations", "disable", "Acme", "--json")).json["status"] == "disabled"
    assert (await shell("integrations", "sync", "Acme")).code == 4
    assert (await shell("integrations", "enable", "Acme", "--json")).json["status"] == "active"
    assert (await shell("integrations", "sync", "Acme", "--wait")).code == 0
    unconfirmed = await shell("integrations", "remove", "Acme")
    assert unconfirmed.code == 4
    assert "deletes" in unconfirmed.err
    removed = await shell("integrations", "remove", "Acme", "--now", "--yes", "--json")
    assert removed.json["devices"] == added["run"]["balance"]["created"]
    assert (await shell("integrations", "show", "Acme")).code == 3
    for table in ("assets", "devices", "companies", "sites", "sync_chunks", "rmm_tokens", "date_observations"):
        assert await stage.pool.fetchval(f"select count(*) from {table}") == 0, table
    assert await stage.pool.fetchval("select client_secret_sealed from integrations") is None
    # Its name is free again.
    assert (await shell("integrations", "list", "--json")).json == []


async def test_a_removed_integration_is_gone_for_scripts_and_comes_back(
    shell: Shell, stage: Stage, added: dict[str, Any]
) -> None:
    removed = (await shell("integrations", "remove", "Acme", "--yes", "--json")).json
    assert (removed["status"], removed["devices"]) == ("removed", added["run"]["balance"]["created"])
    for words in (("show", "Acme"), ("sync", "Acme"), ("enable", "Acme"), ("remove", "Acme", "--yes")):
        assert (await shell("integrations", *words)).code == 3, words
    assert (await shell("integrations", "list", "--json")).json == []
    (listed,) = (await shell("integrations", "list", "--all", "--json")).json
    assert (listed["status"], listed["forget_at"]) == ("removed", removed["forget_at"])
    assert f"lifecycle integrations restore {added['integration_id']}" in listed["next_action"]
    assert len((await shell("assets", "list", "--json")).json) == await stage.pool.fetchval(
        "select count(*) from assets"
    )
    restored = await shell("integrations", "restore", "Acme", "--json")
    assert (restored.code, restored.json["status"]) == (0, "active")
    assert (await shell("integrations", "restore", "Acme")).code == 4
    caught_up = (await shell("integrations", "sync", "Acme", "--wait", "--json")).json
    assert caught_up["balance"]["unchanged"] == caught_up["balance"]["seen"] == removed["devices"]


async def test_removing_one_of_two_keeps_what_the_other_sees(
    shell: Shell, stage: Stage, rmm: Rmm, added: dict[str, Any]
) -> None:
    other = await add(shell, rmm, "Other", "--wait")
    assert other.code == 0
    removed = (await shell("integrations", "remove", "Other", "--now", "--yes", "--json")).json
    assert removed["kept"] > 0
    kept = await stage.pool.fetchval("select count(*) from assets where state = 'active'")
    assert kept == await stage.pool.fetchval("select count(distinct asset_id) from devices")
    again = (await shell("integrations", "sync", "Acme", "--wait", "--json")).json
    assert again["status"] == "succeeded"
    assert again["balance"]["seen"] == added["run"]["balance"]["seen"]


async def test_assets_are_listed_shown_and_exported(shell: Shell, stage: Stage, added: dict[str, Any]) -> None:
    assets = (await shell("assets", "list", "--json")).json
    assert len(assets) == await stage.pool.fetchval("select count(*) from assets")
    names = [asset["name"] for asset in (await shell("assets", "list", "--limit", 3, "--json")).json]
    assert names == [asset["name"] for asset in assets[:3]]
    rest = (await shell("assets", "list", "--after", assets[2]["asset_id"], "--json")).json
    assert [asset["asset_id"] for asset in rest] == [asset["asset_id"] for asset in assets[3:]]
    one = next(asset for asset in assets if asset["serial_number"])
    link = one["devices"][0]
    assert link["integration_id"] == added["integration_id"]
    for word in (one["asset_id"], link["device_id"]):
        shown = (await shell("assets", "show", word, "--json")).json
        assert shown["asset_id"] == one["asset_id"]
        assert shown["devices"][0]["vendor"]
        assert set(shown["dates"]) == {"purchase_date", "warranty_expiration_date"}
    found = (await shell("assets", "list", "--search", one["serial_number"].lower(), "--json")).json
    assert one["asset_id"] in [asset["asset_id"] for asset in found]
    exported = await shell("assets", "export")
    rows = list(csv.DictReader(io.StringIO(exported.out)))
    assert {row["asset_id"] for row in rows} == {asset["asset_id"] for asset in assets}
    assert (await shell("assets", "show", "nothing-like-it")).code == 3
    assert (await shell("assets", "list", "--integration", "nope")).code == 3


async def test_parked_messages_are_retried_discarded_and_linked(
    shell: Shell, stage: Stage, rmm: Rmm, in_process: MakeLoopPipeline
) -> None:
    await in_process(stage, rmm, "fetcher", "scheduler")
    await stage.bus.publish_raw(topology.WORK, topology.work_key("fetcher.pages"), b"{}", message_id=str(uuid4()))

    async def parked() -> Any:
        return (await shell("parked", "list", "--json")).json

    (first,) = await until("the message is parked", parked)
    assert (first["queue"], first["status"]) == ("fetcher.pages", "parked")
    preview = await shell("parked", "retry", "--all", "--json")
    assert (preview.json["applied"], preview.json["matching"]) == (False, 1)
    retried = await shell("parked", "retry", first["parked_id"][:8], "--json")
    assert (retried.code, retried.json["retried"]) == (0, [first["parked_id"]])
    (second,) = await until("it is parked again", parked)
    assert second["retried_from"] == first["parked_id"]
    assert (await shell("parked", "retry", first["parked_id"])).code == 4
    shown = (await shell("parked", "show", first["parked_id"], "--json")).json
    assert (shown["times_retried"], shown["body"]) == (1, {})
    assert shown["parked_again"][0]["id"] == second["parked_id"]
    assert (await shell("parked", "list", "--groups", "--json")).json[0]["retried_before"] == 1
    assert (await shell("parked", "discard", second["parked_id"], "--reason", "a test")).code == 4
    done = await shell("parked", "discard", second["parked_id"], "--reason", "a test", "--yes", "--json")
    assert done.json["discarded"] == [second["parked_id"]]
    assert (await shell("parked", "list", "--json")).json == []
    actions = await stage.pool.fetch("select action from audit_log order by id")
    assert [row["action"] for row in actions] == ["parked.retried", "parked.discarded"]


async def test_a_parked_message_of_no_account_that_we_know_is_listed_and_found(shell: Shell, stage: Stage) -> None:
    for account_id in (None, uuid4()):
        await stage.pool.execute(
            "insert into parked_messages (id, queue, message_id, account_id, reason_code, reason, body)"
            " values ($1, 'fetcher.pages', $2, $3, 'bad_message', 'nobody can read it', 'x')",
            uuid4(),
            str(uuid4()),
            account_id,
        )
    listed = [one["parked_id"] for one in (await shell("parked", "list", "--json")).json]
    assert len(listed) == 2
    for parked_id in listed:
        assert (await shell("parked", "show", parked_id, "--json")).code == 0
    done = await shell("parked", "discard", *listed, "--reason", "a test", "--yes", "--json")
    assert sorted(done.json["discarded"]) == sorted(listed)


async def test_a_binding_that_is_missing_is_named_with_what_to_do(shell: Shell, stage: Stage) -> None:
    told = Shell(shell.variables | {"LIFECYCLE_MANAGEMENT_URL": stage.management_url}, shell.folder)
    assert (await told("topology", "check")).code == 0
    async with queues.open_channel(stage.amqp_url) as channel:
        await (await channel.get_queue("writer.pages")).unbind(topology.EVENTS, "asset.page_normalized")

    found = await told("topology", "check", "--json")
    assert found.code == 1
    assert [(one["kind"], one["name"]) for one in found.json if not one["present"]] == [
        ("binding", "lifecycle.events asset.page_normalized writer.pages")
    ]
    assert "1 missing; declare them with: lifecycle topology declare" in found.err
    untold = await shell("topology", "check")
    assert (untold.code, "bindings were not looked at: set LIFECYCLE_MANAGEMENT_URL" in untold.err) == (0, True)
    assert (await shell("topology", "declare")).code == 0
    assert (await told("topology", "check")).code == 0


async def test_status_tells_what_needs_a_person(shell: Shell, stage: Stage, added: dict[str, Any]) -> None:
    document = (await shell("status", "--json")).json
    assert document["broker"]["reachable"]
    assert {queue["name"] for queue in document["queues"]} >= {queue.name for queue in topology.WORK_QUEUES}
    assert [one["name"] for one in document["integrations"]] == ["Acme"]
    assert document["parked"] == 0
    await stage.pool.execute(
        "update integrations set status = 'paused_credentials', reason = 'no', next_action = 'do' where id = $1",
        added["integration_id"],
    )
    paused = (await shell("status", "--json")).json
    assert any("Acme: no; do" in sentence for sentence in paused["attention"])
    away = Shell({**shell.variables, "LIFECYCLE_AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}, shell.folder)
    broken = await away("status", "--json")
    assert (broken.code, broken.json["broker"]["reachable"]) == (6, False)


async def test_accounts_do_not_see_each_other(shell: Shell, stage: Stage, added: dict[str, Any]) -> None:
    await stage.pool.execute("insert into accounts (id, name) values ($1, 'Second')", uuid4())
    asset = (await shell("assets", "list", "--limit", 1, "--json")).json[0]
    for words in (
        ("integrations", "show", added["integration_id"]),
        ("runs", "show", added["run_id"]),
        ("assets", "show", asset["asset_id"]),
        ("integrations", "remove", added["integration_id"], "--yes"),
    ):
        assert (await shell(*words, "--account", "Second")).code == 3
    assert (await shell("assets", "list", "--account", "Second", "--json")).json == []
    assert (await shell("runs", "list", "--account", "Second", "--json")).json == []
