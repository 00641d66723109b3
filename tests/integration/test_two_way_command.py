"""`integrations two-way` as a shell sees it, with write-back running and a simulated RMM that keeps every write."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.rmm.scopes import DATE_SCOPES, DEFINE_SCOPES, WRITE_SCOPES
from simulator.config import ALL_SCOPES
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support.desk import Desk
from tests.support.rmm import Rmm
from tests.support.shell import Result, Shell
from tests.support.stage import Stage
from tests.support.waiting import until

QUICK: dict[str, Any] = {"recheck_seconds": (0.1, 0.2), "purchase_field": "Purchase Date"}
PURCHASED, EXPIRES = "purchase_date", "warranty_expiration_date"


@dataclass(frozen=True)
class Tenant:
    """One asset that is linked to a device of the integration `Acme`, whose switches were never touched."""

    stage: Stage
    desk: Desk
    shell: Shell
    rmm: Rmm
    device_id: str
    asset_id: UUID

    async def two_way(self, *words: object) -> Result:
        """Run the command, with --json."""
        return await self.shell("integrations", "two-way", "Acme", *words, "--json")

    async def edit(self, value: str) -> Any:
        """Edit the purchase date and wait for the end of it."""
        words = (self.asset_id, "--field", PURCHASED, "--value", value, "--wait", "--json")
        return (await self.shell("assets", "edit", *words)).json

    async def writes(self) -> int:
        """How many custom fields requests to write the RMM has seen; it has no PATCH of dates."""
        return sum(request["method"] == "PUT" for request in await self.rmm.requests())

    async def paused(self) -> bool:
        """Whether writing alone is paused."""
        return bool(await self.desk.value("select count(*) from date_settings where writing_paused_for is not null"))

    async def paused_anew(self) -> bool:
        """Whether writing is paused for the key as it was last stored or tried anew."""
        query = (
            "select count(*) from date_settings s join integrations i on i.credentials_version = s.writing_paused_for"
        )
        return bool(await self.desk.value(query))


@pytest.fixture
async def tenant(stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline, tmp_path: Path) -> Tenant:
    rmm = await simulator(devices=10, companies=1)
    desk = Desk(stage)
    added = await desk.add_integration(rmm, name="Acme")
    await desk.execute("update integrations set status = 'active' where id = $1", added.id)
    device = next(iter((await rmm.devices()).values()))
    asset_id = uuid4()
    await desk.execute(
        "insert into assets (id, account_id, name, asset_type, serial_number, serial_normalised, observed_seq)"
        " values ($1, $2, 'machine', 'laptop', 'S1', 'S1', 1)",
        *(asset_id, stage.account_id),
    )
    await desk.execute(
        "insert into devices (integration_id, device_id, account_id, asset_id, company_id, site_id, matched_by,"
        " content_hash, observed_seq, vendor) values ($1, $2, $3, $4, $5, $6, 'new', $4, 1, '{}')",
        *(added.id, device["id"], stage.account_id, asset_id, device["company_id"], device["site_id"]),
    )
    await in_process(stage, rmm, "writeback", "scheduler", **QUICK)
    return Tenant(stage, desk, Shell.at(stage, tmp_path), rmm, device["id"], asset_id)


async def test_off_until_chosen_then_a_preview_and_history_only_where_asked_and_confirmed(tenant: Tenant) -> None:
    assert (await tenant.edit("2025-03-01"))["status"] == "recorded"
    never = await tenant.two_way("--preview")
    assert (never.code, never.json["changed"]) == (0, False)
    assert [one["enabled"] for one in never.json["fields"].values()] == [False, False]
    assert never.json["preview"][EXPIRES] == {"count": 0, "first": []}
    assert never.json["preview"][PURCHASED]["count"] == 1
    (first,) = never.json["preview"][PURCHASED]["first"]
    assert (first["device_id"], first["value"], first["there_known"]) == (tenant.device_id, "2025-03-01", False)

    unconfirmed = await tenant.two_way("--on", "--write-history")
    assert (unconfirmed.code, "writes 1 dates" in unconfirmed.err) == (4, True)
    plain = await tenant.two_way("--field", PURCHASED, "--on", "--policy", "remote_wins")
    assert (plain.code, plain.json["conflict_policy"]) == (0, "remote_wins")
    assert [one["enabled"] for one in plain.json["fields"].values()] == [True, False]
    assert await tenant.writes() == 0

    history = await tenant.two_way("--field", PURCHASED, "--on", "--write-history", "--yes")
    assert (history.code, history.json["fields"][PURCHASED]["write_history"]) == (0, True)

    async def written() -> bool:
        return bool(await tenant.desk.value("select count(*) from date_edits where status = 'written'"))

    await until("the history is written", written)
    assert await tenant.writes() == 1
    off = await tenant.two_way("--off")
    assert [one["enabled"] for one in off.json["fields"].values()] == [False, False]
    assert (await tenant.edit("2025-04-01"))["status"] == "recorded"
    assert await tenant.writes() == 1
    said = await tenant.desk.rows("select actor, action from audit_log where action like 'dates.%' order by id")
    actions = ["dates.policy_set", *["dates.two_way_switched"] * 4]
    assert [(row["actor"], row["action"]) for row in said] == [("tess", action) for action in actions]


async def test_wishes_that_contradict_each_other_change_nothing(tenant: Tenant) -> None:
    for words in (
        ("--write-history",),
        ("--off", "--preview"),
        ("--preview", "--policy", "remote_wins"),
        ("--preview", "--resume-writing"),
    ):
        result = await tenant.two_way(*words)
        assert (result.code, result.json["error"]["kind"]) == (2, "wrong_usage")
    assert await tenant.desk.value("select count(*) from two_way") == 0


async def test_a_key_that_may_not_write_pauses_writing_alone_and_is_told_how_to_resume(tenant: Tenant) -> None:
    assert (await tenant.two_way("--on")).code == 0
    reading = [scope for scope in ALL_SCOPES if scope not in WRITE_SCOPES]
    await tenant.rmm.control("POST", "keys/first/scopes", {"scopes": reading})
    assert (await tenant.edit("2025-03-01"))["status"] == "held"
    await until("writing is paused", tenant.paused)
    shown = (await tenant.shell("integrations", "show", "Acme", "--json")).json
    assert (shown["status"], shown["two_way"]["writing"]["paused"]) == ("active", True)
    page = await tenant.shell("integrations", "show", "Acme")
    assert "paused, reading goes on" in page.out
    assert "two-way Acme --resume-writing" in page.out.replace("\n", " ")

    async def ends(status: str) -> bool:
        return bool(await tenant.desk.value("select count(*) from date_edits where status = $1", status))

    too_soon = await tenant.two_way("--resume-writing")
    assert (too_soon.code, too_soon.json["changed"]) == (0, True)
    await until("the key still may not, and writing pauses again", tenant.paused_anew)
    assert await ends("held")
    await tenant.rmm.control("POST", "keys/first/scopes", {"scopes": list(ALL_SCOPES)})
    resumed = await tenant.two_way("--resume-writing")
    assert (resumed.code, resumed.json["writing"]["paused"]) == (0, False)
    await until("what was held is written", lambda: ends("written"))
    nothing = await tenant.two_way("--resume-writing")
    assert (nothing.code, "writing was not paused" in nothing.err) == (0, True)
    said = "select count(*) from audit_log where action = 'dates.writing_resumed' and actor = 'tess'"
    assert await tenant.desk.value(said) == 2


@pytest.mark.parametrize("lacking", [(), DATE_SCOPES], ids=["every right", "no right to custom fields"])
async def test_a_preflight_tells_of_each_date_and_a_key_without_custom_fields_still_reads_lists(
    tenant: Tenant, in_process: MakeLoopPipeline, lacking: tuple[str, ...]
) -> None:
    await tenant.rmm.control("POST", "keys/first/scopes", {"scopes": [one for one in ALL_SCOPES if one not in lacking]})
    await in_process(
        tenant.stage, tenant.rmm, "fetcher", purchase_field="Purchase Date", warranty_field="No such field"
    )
    unknown = await tenant.two_way("--on")
    assert (unknown.json["preflight"], "run: lifecycle integrations preflight Acme" in unknown.err) == (None, True)
    result = await tenant.shell("integrations", "preflight", "Acme", "--json")
    assert (result.code, result.json["ok"]) == (0, True)
    checks = {one["field"]: one for one in result.json["checks"] if one["field"]}
    assert (checks[PURCHASED]["ok"], checks[EXPIRES]["ok"]) == (not lacking, False)
    said = "platform.custom_fields" if lacking else "no custom field 'No such field'"
    assert said in checks[EXPIRES]["detail"]
    known = await tenant.two_way("--field", EXPIRES, "--on")
    assert known.json["preflight"]["checks"] == result.json["checks"]
    assert said in known.err
    assert await tenant.desk.value("select status from integrations") == "active"


async def test_a_preflight_tells_before_the_first_write_that_the_key_may_not(
    tenant: Tenant, in_process: MakeLoopPipeline
) -> None:
    lacking = WRITE_SCOPES[1]
    await tenant.rmm.control("POST", "keys/first/scopes", {"scopes": [one for one in ALL_SCOPES if one != lacking]})
    await in_process(
        tenant.stage, tenant.rmm, "fetcher", purchase_field="Purchase Date", warranty_field="Warranty Expiration Date"
    )
    ours = ("integrations", "preflight", "Acme", "--json")
    refused = await tenant.shell(*ours)
    checks = {one["field"]: one for one in refused.json["checks"] if one["field"]}
    # A key for reading alone is a good key: only its dates say that they are not writable.
    assert (refused.code, refused.json["ok"]) == (0, True)
    assert [(one["ok"], one["may_write"]) for one in checks.values()] == [(False, False)] * 2
    assert all(f"not writable: the key lacks {lacking}" in one["detail"] for one in checks.values())
    assert all("missing scopes ticked" in one["next_action"] for one in checks.values())
    turned_on = await tenant.two_way("--on")
    assert f"not writable: the key lacks {lacking}" in turned_on.err
    assert "missing scopes ticked" in turned_on.err
    assert "the first write shows" not in turned_on.err
    assert await tenant.desk.value("select status from integrations") == "active"

    await tenant.rmm.control("POST", "keys/first/scopes", {"scopes": list(ALL_SCOPES)})
    sign_ins: list[int] = []
    for _ in range(2):
        allowed = await tenant.shell(*ours)
        checks = {one["field"]: one for one in allowed.json["checks"] if one["field"]}
        assert [(one["ok"], one["may_write"]) for one in checks.values()] == [(True, True)] * 2
        answers = [one["status"] for one in await tenant.rmm.requests() if one["route"] == "token"]
        assert answers.count(400) == 1
        sign_ins.append(len(answers))
    # The second one has the tokens that the first one stored.
    assert sign_ins[0] == sign_ins[1]
    assert "the key may write; whether the RMM keeps it shows" in (await tenant.two_way("--on")).err
    assert not [one for one in await tenant.rmm.requests() if one["method"] in {"PUT", "PATCH"}]


async def test_missing_custom_fields_are_created_only_where_that_is_asked_for_and_once(
    tenant: Tenant, in_process: MakeLoopPipeline
) -> None:
    names = {"purchase_field": "Bought on", "warranty_field": "Covered until"}
    await in_process(tenant.stage, tenant.rmm, "fetcher", **names)
    ours = ("integrations", "preflight", "Acme", "--json")

    async def creations() -> int:
        seen = await tenant.rmm.requests()
        return sum(each["method"] == "POST" and each["route"].startswith("definition") for each in seen)

    assert (await tenant.shell(*ours)).code == 0
    assert await creations() == 0
    lacking = [one for one in ALL_SCOPES if one not in DEFINE_SCOPES]
    await tenant.rmm.control("POST", "keys/first/scopes", {"scopes": lacking})
    refused = await tenant.shell(*ours, "--create-definitions")
    assert (refused.code, refused.json["ok"], DEFINE_SCOPES[0] in refused.out) == (1, False, True)
    await tenant.rmm.control("POST", "keys/first/scopes", {"scopes": list(ALL_SCOPES)})
    for created in ("created 'Bought on' (string), 'Covered until' (string)", "nothing to create"):
        made = await tenant.shell(*ours, "--create-definitions")
        checks = {one["check"]: one for one in made.json["checks"]}
        assert (made.code, checks["create_definitions"]["detail"]) == (0, created)
        assert [checks[field]["ok"] for field in (PURCHASED, EXPIRES)] == [True, True]
    assert await creations() == 2
    wanted = "select count(*) from audit_log where action = 'dates.definitions_wanted' and actor = 'tess'"
    assert await tenant.desk.value(wanted) == 3
