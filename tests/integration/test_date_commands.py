"""The commands of dates as a shell sees them, with write-back running and a simulated RMM that keeps every write."""

import asyncio
import csv
import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import topology
from shared.audit import Author
from shared.date_ledger.remote import Pulled, observe_remote
from shared.date_ledger.switches import switch_two_way
from shared.dates.calendar import FIELDS, PURCHASE
from shared.postgres import connection, transaction
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support.desk import Desk
from tests.support.queues import journal
from tests.support.rmm import Rmm
from tests.support.shell import Result, Shell
from tests.support.stage import Stage
from tests.support.waiting import until

PURCHASED, EXPIRES = "purchase_date", "warranty_expiration_date"
QUICK = {"recheck_seconds": (0.1, 0.2), "purchase_field": "Purchase Date"}


@dataclass(frozen=True)
class Fleet:
    """A few assets of the account, `S0`, `S1`, …; the first is linked to a device of the integration."""

    stage: Stage
    shell: Shell
    rmm: Rmm
    integration_id: UUID
    device_id: str
    assets: list[UUID]

    async def edit(self, place: int | str, value: str | None, *more: object, field: str = PURCHASED) -> Result:
        """Edit a date by the command and wait; None clears it."""
        word = place if isinstance(place, str) else self.assets[place]
        verb = ("clear", word) if value is None else ("edit", word, "--value", value)
        return await self.shell("assets", *verb, "--field", field, "--wait", "--json", *more)

    async def shown(self, place: int, field: str = PURCHASED) -> Any:
        """What is known of one date."""
        return (await self.shell("assets", "show", self.assets[place], "--json")).json["dates"][field]

    async def edits(self, *words: object) -> Any:
        """The ledger."""
        return (await self.shell("assets", "edits", *words, "--json")).json

    async def ends(self, count: int) -> dict[str, int]:
        """How many edits ended how, once so many are in the ledger and none is on its way."""

        async def ask() -> dict[str, int] | None:
            rows = await Desk(self.stage).rows("select status, count(*) from date_edits group by status")
            found = {row["status"]: row["count"] for row in rows}
            moving = sum(found.get(status, 0) for status in ("waiting", "writing", "held"))
            return found if sum(found.values()) >= count and not moving else None

        return await until(f"{count} edits have ended", ask)

    def table(self, *rows: Sequence[object], header: str = "Service Tag,Ship Date,Warranty End Date") -> Path:
        """A file to import."""
        path = self.shell.folder / "export.csv"
        path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
        return path

    async def load(self, path: Path, *words: object) -> Result:
        """Import it as the lookup `dell`."""
        return await self.shell("dates", "import", path, "--origin", "lookup", "--name", "Dell", "--json", *words)


@pytest.fixture
async def fleet(stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline, tmp_path: Path) -> Fleet:
    rmm = await simulator(devices=40, companies=2)
    desk = Desk(stage)
    added = await desk.add_integration(rmm, name="Acme")
    await desk.execute("update integrations set status = 'active' where id = $1", added.id)
    device = next(iter((await rmm.devices()).values()))
    assets = [uuid4() for _ in range(6)]
    async with transaction(stage.pool) as conn:
        await conn.executemany(
            "insert into assets (id, account_id, name, asset_type, serial_number, serial_normalised, observed_seq)"
            " values ($1, $2, $3, 'laptop', $4, $4, 1)",
            [(one, stage.account_id, f"machine {at}", f"SERIAL{at}") for at, one in enumerate(assets)],
        )
        await conn.execute(
            "insert into devices (integration_id, device_id, account_id, asset_id, company_id, site_id, matched_by,"
            " content_hash, observed_seq, vendor) values ($1, $2, $3, $4, $5, $6, 'new', $4, 1, '{}')",
            *(added.id, device["id"], stage.account_id, assets[0], device["company_id"], device["site_id"]),
        )
        for field in FIELDS:
            await switch_two_way(conn, Author(stage.account_id, "tester", "test"), added.id, field, enabled=True)
    await in_process(stage, rmm, "writeback", "scheduler", **QUICK)
    return Fleet(stage, Shell.at(stage, tmp_path), rmm, added.id, device["id"], assets)


async def test_every_statement_of_the_commands_is_one_that_postgres_takes(stage: Stage) -> None:
    async with connection(stage.pool) as conn:
        tables = resources.files("lifecycle.data.sql").joinpath("import_tables.sql").read_text()
        await conn.execute(tables)
        for name in ("edits", "conflicts", "assets_named", "import_judge", "import_counts"):
            await conn.prepare(resources.files("lifecycle.data.sql").joinpath(f"{name}.sql").read_text())


async def test_an_edit_is_waited_for_until_it_stands_in_the_rmm_and_cleared_again(fleet: Fleet) -> None:
    result = await fleet.edit("machine 0", "2025-03-01")
    edit = result.json
    assert (result.code, edit["status"], edit["written"], edit["actor"]) == (0, "written", "2025-03-01", "tess")
    assert edit["asset_id"] == str(fleet.assets[0])
    again = await fleet.edit("serial0", "2025-03-01")
    assert (again.code, again.json["status"]) == (0, "unchanged")
    # An asset of no RMM with two-way: it ends here.
    there = await fleet.edit(1, "2025-03-02")
    assert (there.code, there.json["status"]) == (0, "recorded")
    cleared = await fleet.edit(0, None)
    assert (cleared.code, cleared.json["value"], cleared.json["status"]) == (0, None, "written")
    assert "takes back the manual date 2025-03-01" in cleared.err
    assert (await fleet.shown(0))["value"] is None
    assert [one["status"] for one in await fleet.edits(fleet.assets[0])] == ["written", "unchanged", "written"]


async def test_refused_and_wrong_edits_have_their_codes_and_reasons(fleet: Fleet) -> None:
    stale = await fleet.edit(0, "2025-03-01", "--if-version", 9)
    assert (stale.code, stale.json["reason_code"]) == (4, "version_conflict")
    absurd = await fleet.edit(0, "1970-01-01")
    assert (absurd.code, absurd.json["reason_code"]) == (4, "sentinel_date")
    assert "stands for no date" in absurd.err
    assert (await fleet.edit(0, "01/03/2025")).code == 2
    assert (await fleet.edit("nobody's", "2025-03-01")).code == 3
    refused = await fleet.edits("--status", "refused", "--actor", "TESS", "--since", "1h")
    assert [one["reason_code"] for one in refused] == ["sentinel_date", "version_conflict"]
    assert (await fleet.shell("assets", "edits", "--since", "yesterday")).code == 2


async def test_a_wait_runs_out_and_a_disabled_integration_keeps_the_edit(fleet: Fleet) -> None:
    await Desk(fleet.stage).disable(fleet.integration_id)
    held = await fleet.edit(0, "2025-03-01")
    assert (held.code, held.json["status"]) == (5, "held")
    assert "not in the RMM yet" in held.err
    await Desk(fleet.stage).enable(fleet.integration_id)
    assert (await fleet.ends(1)) == {"written": 1}
    await fleet.rmm.fault({"path": "."}, status=503)
    late = await fleet.edit(0, "2025-04-01", "--timeout", 0.5)
    assert late.code == 124
    assert "lifecycle assets edits --event" in late.err


async def test_a_foreign_sender_looks_up_its_edit_and_nobody_else_does(fleet: Fleet) -> None:
    other = uuid4()
    await Desk(fleet.stage).execute("insert into accounts (id, name) values ($1, 'Second')", other)
    event_id = f"their-{uuid4()}"
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/strangers/script",
        "type": "date.edited",
        "time": datetime.now(UTC).isoformat(),
        "data": {
            "account_id": str(other),
            "asset": {"id": str(fleet.assets[0])},
            "field": PURCHASED,
            "value": "2025-03-01",
            "origin": "manual",
            "actor": "stranger",
            "edited_at": datetime.now(UTC).isoformat(),
        },
    }
    await fleet.stage.bus.publish_raw(
        topology.EVENTS, "date.edited", json.dumps(event).encode(), content_type="application/json"
    )
    await fleet.ends(1)
    (found,) = await fleet.edits("--event", event_id, "--account", "Second")
    assert (found["status"], found["reason_code"], found["asset"]) == ("refused", "unknown_asset", None)
    named = await fleet.edits(fleet.assets[0], "--account", "Second")
    assert [one["event_id"] for one in named] == [event_id]
    assert await fleet.edits("--event", event_id) == []


async def test_a_source_is_excluded_and_taken_back(fleet: Fleet) -> None:
    assert (await fleet.load(fleet.table(("SERIAL1", "2024-01-01", "")), "--apply")).code == 0
    await fleet.ends(1)
    words = (fleet.assets[1], "--field", PURCHASED, "--source", "lookup:dell")
    excluded = (await fleet.shell("assets", "exclude", *words, "--json")).json
    assert (excluded["value"], excluded["excluded"]) == (None, ["lookup:dell"])
    assert excluded["losers"][0]["why"] == "a person excluded it"
    assert "excluded" in (await fleet.shell("assets", "show", fleet.assets[1])).out
    included = (await fleet.shell("assets", "include", *words, "--json")).json
    assert (included["value"], included["excluded"]) == ("2024-01-01", [])
    assert (await fleet.shell("assets", "exclude", *words[:-1], "lookup:hp")).code == 3
    assert (await fleet.shell("assets", "exclude", *words[:-1], "manual:me")).code == 2
    actors = await Desk(fleet.stage).rows("select actor from audit_log where action = 'dates.source_excluded'")
    assert [row["actor"] for row in actors] == ["tess", "tess"]


@pytest.mark.parametrize(("take", "counts"), [("ours", "2025-03-01"), ("theirs", "2023-07-01")])
async def test_a_conflict_is_shown_and_settled_for_either_side(fleet: Fleet, take: str, counts: str) -> None:
    assert (await fleet.edit(0, "2025-03-01")).code == 0
    async with transaction(fleet.stage.pool) as conn:
        number = await conn.fetchval("select max(seen_seq) + 1000 from date_pushes")
        pulled = Pulled(fleet.device_id, PURCHASE, date(2023, 7, 1), number)
        await observe_remote(conn, fleet.integration_id, [pulled], source="test")
    (conflict,) = (await fleet.shell("assets", "conflicts", "--json")).json
    assert (conflict["ours"], conflict["theirs"], conflict["integration"]) == ("2025-03-01", "2023-07-01", "Acme")
    shown = await fleet.shell("assets", "show", fleet.assets[0])
    assert "conflict: purchased 2025-03-01 by a person, 2023-07-01 in Acme" in shown.out
    words = ("assets", "settle", "machine 0", "--field", PURCHASED, "--take", take, "--json")
    settled = await fleet.shell(*words)
    assert (settled.code, settled.json["value"], settled.json["conflicts"]) == (0, counts, [])
    assert (settled.json["two_way_off"], "two-way is off" in settled.err) == ([], False)
    assert (await fleet.shell(*words)).code == 3


async def test_a_conflict_that_is_settled_for_ours_where_nothing_is_written_says_what_the_rmm_keeps(
    fleet: Fleet,
) -> None:
    desk = Desk(fleet.stage)
    assert (await fleet.edit(0, "2025-03-01")).code == 0
    assert (await fleet.shell("integrations", "two-way", "Acme", "--field", PURCHASED, "--off")).code == 0
    async with transaction(fleet.stage.pool) as conn:
        number = await conn.fetchval("select max(seen_seq) + 1000 from date_pushes")
        pulled = Pulled(fleet.device_id, PURCHASE, date(2023, 7, 1), number)
        await observe_remote(conn, fleet.integration_id, [pulled], source="test")
    (conflict,) = (await fleet.shell("assets", "conflicts", "--json")).json
    assert conflict["two_way"] is False
    settled = await fleet.shell("assets", "settle", "machine 0", "--field", PURCHASED, "--take", "ours", "--json")
    assert (settled.code, settled.json["value"], settled.json["conflicts"]) == (0, "2025-03-01", [])
    assert settled.json["two_way_off"] == [str(fleet.integration_id)]
    assert "two-way is off for purchase_date of Acme: the RMM keeps 2023-07-01" in settled.err
    command = "lifecycle integrations two-way Acme --field purchase_date --on --write-history"
    assert command in settled.err
    assert not await desk.value("select exists (select from date_pushes where status in ('waiting', 'writing'))")

    # What it says to do does it.
    assert (await fleet.shell(*command.split()[1:], "--yes")).code == 0
    # The simulated RMM holds ours still, for nobody really changed it there.
    ended = "select from date_pushes where field = 'purchase_date' and status in ('written', 'unchanged')"
    await until("ours is in the RMM", lambda: desk.rows(ended))


async def test_a_preview_says_what_becomes_of_each_row_and_writes_nothing(fleet: Fleet) -> None:
    desk = Desk(fleet.stage)
    await desk.execute("update assets set serial_normalised = 'TWICE' where id = any($1)", fleet.assets[2:4])
    await desk.execute("update assets set asset_type = 'virtual_machine' where id = $1", fleet.assets[4])
    await desk.execute(
        "update assets set purchase_date = '2024-01-01', purchase_date_origin = 'lookup:dell' where id = $1",
        fleet.assets[5],
    )
    path = fleet.table(
        ("serial-0", "2024-03-01", "2027-03-01"),
        ("SERIAL1", "2027-03-01", "2024-03-01"),
        ("TWICE", "2024-03-01", ""),
        ("SERIAL4", "2024-03-01", "2027-03-01"),
        ("SERIAL5", "2024-01-01", ""),
        ("NOBODY", "2024-03-01", ""),
        ("X1", "2024-03-01", ""),
        ("X1", "2024-03-02", ""),
        ("SERIAL0", "2024-03-01", "soon"),
        ("", "2024-03-01", ""),
        ("X2", "", "9999-12-31"),
        ("X3", "", ""),
    )
    report = fleet.shell.folder / "report.csv"
    result = await fleet.load(path, "--report", report)
    assert (result.code, result.json["applied"]) == (0, False)
    found = {one["outcome"]: one["dates"] for one in result.json["outcomes"]}
    assert found == {
        "new": 3,
        "unchanged": 1,
        "repeated": 1,
        "no_date": 1,
        "no_serial": 1,
        "not_a_date": 1,
        "ambiguous_serial": 1,
        "virtual_machine": 1,
        "unknown_serial": 1,
        "contradicted_in_file": 2,
        "expires_before_purchase": 2,
        "sentinel_date": 1,
    }
    rows = list(csv.DictReader(report.read_text().splitlines()))
    assert len(rows) == sum(found.values())
    assert all(row["reason"] for row in rows if row["outcome"] != "new")
    assert await desk.value("select count(*) from date_edits") == 0
    assert await desk.value("select count(*) from outbox") == 0


async def test_an_import_sends_each_date_once_however_often_it_is_run(fleet: Fleet) -> None:
    path = fleet.table(
        ("SERIAL0", "25/03/2024", "25/03/2027"),
        ("SERIAL1", "01/02/2023", "01/02/2026"),
        ("SERIAL2", "03/04/2024", ""),
        ("NOBODY", "03/04/2024", ""),
        ("SERIAL2", "soon", ""),
        header="Serial Number,Purchase Date,Warranty Expiration",
    )
    words = ("dates", "import", path, "--origin", "manual", "--apply", "--json")
    first, second = await asyncio.gather(fleet.shell(*words), fleet.shell(*words))
    assert (first.code, second.code) == (5, 5)
    assert await fleet.ends(7) == {"written": 2, "recorded": 3, "refused": 2}
    third = await fleet.shell(*words)
    assert (third.json["sent"], third.json["known_already"], third.json["refused"]) == (0, 6, 2)
    assert third.json["recorded_as_refused"] == 0
    assert (await fleet.shown(2))["value"] == "2024-04-03"
    assert (await fleet.shown(1, EXPIRES))["value"] == "2026-02-01"
    (refused,) = await fleet.edits("nobody")
    assert (refused["status"], refused["reason_code"]) == ("refused", "unknown_asset")
    assert await Desk(fleet.stage).value("select count(*) from outbox") == 0


async def test_a_row_that_cannot_be_an_edit_is_looked_up_and_told_like_any_other_refused_one(fleet: Fleet) -> None:
    desk = Desk(fleet.stage)
    path = fleet.table(
        ("SERIAL1", "2024-03-01", ""),
        ("serial-2", "soon", ""),
        ("", "2024-03-01", "05/05/2027"),
        ("", "", ""),
        ("X" * 300, "2024-03-01", ""),
        ("SERIAL3", "2024-03-01", ""),
        ("SERIAL3", "2024-03-02", ""),
        ("SERIAL4", "03/04/2024", ""),
        ("SERIAL5", "", "03/04/2027"),
    )
    first = await fleet.load(path, "--apply")
    assert (first.code, first.json["sent"], first.json["recorded_as_refused"]) == (5, 1, 8)
    assert "lifecycle assets edits --since 1h" in first.err
    await fleet.ends(9)
    found = await fleet.edits("--since", "1h", "--status", "refused")
    assert {
        (one["asked"]["line"], one["asked"]["serial_number"], one["field"], one["reason_code"]) for one in found
    } == {
        (3, "serial-2", PURCHASED, "not_a_date"),
        (4, "", PURCHASED, "no_serial"),
        (4, "", EXPIRES, "no_serial"),
        (6, "X" * 200, PURCHASED, "long_serial"),
        (7, "SERIAL3", PURCHASED, "contradicted_in_file"),
        (8, "SERIAL3", PURCHASED, "contradicted_in_file"),
        (9, "SERIAL4", PURCHASED, "mixed_date_styles"),
        (10, "SERIAL5", EXPIRES, "ambiguous_date"),
    }
    assert all(one["reason"] and one["next_action"] and one["origin"] == "lookup:dell" for one in found)
    assert {one["value"] for one in found} == {None, "2024-03-01", "2024-03-02"}
    (named,) = await fleet.edits("serial4", "--status", "refused")
    assert named["asked"]["sent_value"] == "03/04/2024"
    assert named["asset_id"] == str(fleet.assets[4])
    shown = await fleet.shell("assets", "edits", "--since", "1h", "--status", "refused")
    assert "line 3: serial-2" in shown.out
    assert "line 4: no serial" in shown.out
    assert "write it as YYYY-MM-DD" in shown.err
    told = [json.loads(said.body)["data"] for said in await journal(fleet.stage.amqp_url, "date.write_back_failed")]
    assert {one["edit_event_id"] for one in told} == {one["event_id"] for one in found}

    again = await fleet.load(path, "--apply")
    assert (again.json["sent"], again.json["recorded_as_refused"], again.json["refused"]) == (0, 0, 8)
    # Said in the order that was meant, the same cells are edits.
    report = fleet.shell.folder / "report.csv"
    mended = await fleet.load(path, "--apply", "--date-style", "dmy", "--report", report)
    assert (mended.json["sent"], mended.json["recorded_as_refused"]) == (2, 0)
    assert (await fleet.ends(11))["refused"] == 8
    ids = {row["event_id"] for row in csv.DictReader(report.read_text().splitlines()) if row["outcome"] == "no_serial"}
    assert ids <= {one["event_id"] for one in found}
    assert ids
    assert await desk.value("select count(*) from outbox") == 0


async def test_the_dates_of_a_row_replace_a_pair_that_contradicts_each_of_them_alone(fleet: Fleet) -> None:
    assert (await fleet.edit(1, "2018-01-01")).code == 0
    assert (await fleet.edit(1, "2021-01-01", field=EXPIRES)).code == 0
    path = fleet.table(("SERIAL1", "2023-02-01", "2026-02-01"))
    imported = await fleet.shell("dates", "import", path, "--origin", "manual", "--apply", "--json")
    assert (imported.code, imported.json["sent"]) == (0, 2)
    assert await fleet.ends(2 + 2) == {"superseded": 2, "recorded": 2}
    assert (await fleet.shown(1))["value"] == "2023-02-01"
    assert (await fleet.shown(1, EXPIRES))["value"] == "2026-02-01"


async def test_an_import_that_was_killed_and_run_again_sends_each_date_once(fleet: Fleet) -> None:
    desk = Desk(fleet.stage)
    await desk.execute(
        "insert into assets (id, account_id, name, asset_type, serial_number, serial_normalised, observed_seq)"
        " select gen_random_uuid(), $1, 'of many', 'laptop', 'MANY' || n, 'MANY' || n, 1"
        " from generate_series(1, 600) n",
        fleet.stage.account_id,
    )
    path = fleet.table(*((f"MANY{number}", "2024-03-01", "2027-03-01") for number in range(1, 601)))
    words = ("dates", "import", path, "--origin", "lookup", "--name", "dell", "--apply", "--json")
    process = await fleet.shell.start(*words)

    async def in_the_middle() -> bool:
        return bool(await desk.value("select exists (select from outbox)"))

    await until("the first batch is stored", in_the_middle)
    process.kill()
    await process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert await desk.value("select count(*) from date_edits") < 1200
    again = (await fleet.shell(*words)).json
    assert again["sent"] + again["known_already"] == 1200
    while await fleet.stage.outbox.sweep(older_than_seconds=0):
        pass
    assert await fleet.ends(1200) == {"recorded": 1200}
    twice = "select count(*) from (select from date_edits group by asset_id, field having count(*) > 1) t"
    assert await desk.value(twice) == 0


async def test_ambiguous_dates_are_asked_about_once_and_wrong_files_are_one_sentence(fleet: Fleet) -> None:
    path = fleet.table(("SERIAL1", "03/04/2024", ""))
    asked = await fleet.load(path)
    assert [one["outcome"] for one in asked.json["outcomes"]] == ["ambiguous_date"]
    assert "--date-style" in asked.json["outcomes"][0]["examples"][0]["next_step"]
    answered = await fleet.load(path, "--date-style", "mdy")
    assert answered.json["outcomes"][0]["examples"][0]["value"] == "2024-03-04"
    wrong = await fleet.load(fleet.table(("a", "b"), header="Name,Model"))
    assert (wrong.code, wrong.json["error"]["kind"]) == (2, "wrong_usage")
    assert "Service Tag" in wrong.json["error"]["next_step"]
    assert (await fleet.load(path.with_name("none.csv"))).code == 2
    nameless = await fleet.shell("dates", "import", path, "--origin", "lookup")
    assert nameless.code == 2
