"""The slow sweep of dates against a real broker, a real Postgres and a simulated RMM."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any
from uuid import UUID, uuid4

import pytest

from lifecycle.data.date_freshness import freshness_text, read_freshness
from services.fetcher.detail_turns import DetailTurn, Reading, Setback, setback_of
from services.fetcher.details import PostgresDetails
from shared.audit import Author
from shared.date_ledger.switches import switch_two_way
from shared.dates.calendar import FIELDS, PURCHASE, DateField
from shared.detail_sweep.announcing import announce_due_details, ask_for, fill_lines
from shared.errors import ScopeMissing
from shared.events import DateEdited, DetailDue, EventData, ProbeDue, new_event
from shared.events.dates import AssetById
from shared.postgres import connection, sql, transaction
from shared.rmm_access.rules import BEFORE_PAGES
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.integration.test_writeback import link
from tests.support.desk import Desk
from tests.support.rmm import Rmm
from tests.support.stage import Stage
from tests.support.waiting import until

DAY = 86_400


@dataclass
class Sweep:
    """One integration with linked devices of which no date was read yet, and no run going."""

    stage: Stage
    rmm: Rmm
    integration_id: UUID
    devices: list[str]
    assets: dict[str, UUID]

    @property
    def desk(self) -> Desk:
        return Desk(self.stage)

    @property
    def details(self) -> PostgresDetails:
        """The line, as a fetcher with turns of three devices has it."""
        return PostgresDetails(self.stage.pool, self.stage.outbox, devices=3, lease=timedelta(minutes=3))

    async def publish(self, data: EventData) -> None:
        """Publish an event as a new one."""
        await self.stage.bus(new_event(data, source="test", account_id=self.stage.account_id))

    async def two_way(self) -> None:
        """Turn the writing of both dates on."""
        author = Author(self.stage.account_id, "tester", "test")
        async with transaction(self.stage.pool) as conn:
            for of in FIELDS:
                await switch_two_way(conn, author, self.integration_id, of, enabled=True)

    async def edit(self, device: int, field: DateField, value: str) -> None:
        """Somebody edits a date here."""
        edited: dict[str, Any] = {
            "account_id": self.stage.account_id,
            "asset": AssetById(id=self.assets[self.devices[device]]),
            "field": field,
            "value": value,
            "origin": "manual",
            "actor": "ann",
            "edited_at": datetime.now(UTC),
        }
        await self.publish(DateEdited(**edited))

    async def person(self, device: int, **dates: str | None) -> None:
        """Somebody edits dates in the RMM."""
        await self.rmm.control("PATCH", f"devices/{self.devices[device]}", dates)

    async def fill(self) -> None:
        """Put the devices in the line, as the scheduler does."""
        async with transaction(self.stage.pool) as conn:
            await fill_lines(conn)

    async def ask(self, device: int) -> None:
        """Somebody wants this one next."""
        async with transaction(self.stage.pool) as conn:
            await ask_for(conn, self.integration_id, self.devices[device])

    async def announce(self) -> int:
        """Announce what is due, and tell how many turns that were; nothing is published."""
        async with transaction(self.stage.pool) as conn:
            return len(await announce_due_details(conn, fresh_for=timedelta(days=1), source="test"))

    async def row(self) -> Any:
        return await self.desk.row("select * from detail_sweeps where integration_id = $1", self.integration_id)

    async def read(self, count: int) -> None:
        """Return when the dates of so many devices are read."""

        async def ask() -> bool:
            query = "select count(*) from detail_reads where read_at is not null and integration_id = $1"
            return bool(await self.desk.value(query, self.integration_id) == count)

        await until(f"dates of {count} devices are read", ask)

    async def said(self) -> dict[str, str]:
        """The purchase dates that the integration says, by device."""
        rows = await self.desk.rows(
            "select d.device_id, o.value from date_observations o join devices d on d.asset_id = o.asset_id"
            " where o.source = $1 and o.field = 'purchase_date' and o.value is not null",
            f"integration:{self.integration_id}",
        )
        return {row["device_id"]: str(row["value"]) for row in rows}

    async def asked(self, route: str = "values_v2") -> Counter[str]:
        """How often each of the devices was asked for."""
        paths = [each["path"] for each in await self.rmm.requests(route)]
        return Counter(device for device in self.devices for path in paths if device in path)


MakeSweep = Callable[..., Awaitable[Sweep]]


@pytest.fixture
def sweep(stage: Stage, simulator: MakeRmm) -> MakeSweep:
    """Makes an integration with `count` linked devices."""

    async def make(*, count: int = 6, **config: Any) -> Sweep:
        rmm = await simulator(**({"devices": 40, "companies": 2} | config))
        added = await Desk(stage).add_integration(rmm)
        await Desk(stage).execute("update integrations set status = 'active', next_sync_at = null")
        await Desk(stage).execute("update sync_runs set status = 'cancelled', finished_at = now()")
        devices = list((await rmm.devices()).values())[:count]
        assets = await link(stage, added.id, devices)
        return Sweep(stage, rmm, added.id, [device["id"] for device in devices], assets)

    return make


@pytest.mark.parametrize("package", ["services.fetcher.sql", "shared.detail_sweep"])
async def test_every_statement_is_one_that_postgres_takes(stage: Stage, package: str) -> None:
    async with connection(stage.pool) as conn:
        for file in resources.files(package).iterdir():
            if file.name.endswith(".sql"):
                await conn.prepare(file.read_text())


async def test_a_reading_counts_by_its_request_in_any_order_and_any_number(sweep: MakeSweep) -> None:
    s = await sweep(count=3)
    await s.fill()
    turn = DetailTurn(s.integration_id, 0)
    device = (await s.details.claim(turn))[0]
    newer = Reading(900, {"purchase_date": date(2025, 3, 1)})
    older = Reading(800, {"purchase_date": date(2024, 2, 29)})
    for reading in (newer, older, newer, older):
        await s.details.keep(turn, device, reading)
    assert await s.said() == {device.device_id: "2025-03-01"}
    assert await s.desk.value("select count(*) from date_observations") == 1


async def test_a_fetcher_that_died_in_its_turn_leaves_nothing_unread(
    sweep: MakeSweep, in_process: MakeLoopPipeline
) -> None:
    s = await sweep()
    await s.fill()
    assert await s.announce() == 1
    turn = DetailTurn(s.integration_id, 0)
    first, *_ = await s.details.claim(turn)
    await s.details.keep(turn, first, Reading(900, {}))
    assert await s.announce() == 0, "the turn may still be at work"
    # What time does: claims run out, and the turn counts as lost.
    await s.desk.execute("update detail_reads set leased_until = leased_until - interval '5 minutes'")
    await s.desk.execute("update detail_sweeps set announced_at = announced_at - interval '5 minutes'")
    await in_process(s.stage, s.rmm, "fetcher", "scheduler", date_adapter="custom_fields", detail_freshness_seconds=DAY)
    await s.read(6)
    assert await s.asked() == dict.fromkeys([each for each in s.devices if each != first.device_id], 1)


async def test_a_device_whose_reader_dies_each_time_goes_to_the_back_of_the_line(sweep: MakeSweep) -> None:
    s = await sweep(count=4)
    await s.fill()
    turn = DetailTurn(s.integration_id, 0)
    claimed: set[str] = set()
    for _ in range(3):
        claimed = {device.device_id for device in await s.details.claim(turn)}
        assert len(claimed) == 3
        await s.desk.execute("update detail_reads set leased_until = null")
    assert {device.device_id for device in await s.details.claim(turn)} == set(s.devices) - claimed


@pytest.mark.parametrize("config", [{}, {"patch_mode": "on"}, {"custom_fields": [], "patch_mode": "on"}])
async def test_dates_in_the_rmm_become_observations_and_nothing_is_read_twice(
    sweep: MakeSweep, in_process: MakeLoopPipeline, config: dict[str, Any]
) -> None:
    s = await sweep(**config)
    await s.person(0, purchase_date="2024-02-29")
    await s.person(5, purchase_date="2025-03-01")
    await in_process(
        s.stage, s.rmm, "fetcher", "scheduler", replicas=2, details_per_turn=2, detail_freshness_seconds=DAY
    )
    await s.read(6)

    assert await s.said() == {s.devices[0]: "2024-02-29", s.devices[5]: "2025-03-01"}
    values, details = await s.asked(), await s.asked("detail_v2")
    assert max((values + details).values()) <= 2, "a device is asked for by each way once at most"
    assert set(values | details) == set(s.devices)
    assert await s.desk.parked() == []
    async with connection(s.stage.pool) as conn:
        dates = (await read_freshness(conn, s.stage.account_id))[s.integration_id]
    assert freshness_text(dates) == "dates of 100 % of devices read within 24 h"

    await s.desk.remove(s.integration_id)
    assert await s.desk.rows("select * from detail_reads") == await s.desk.rows("select * from detail_sweeps") == []


async def test_a_person_who_changes_a_manual_date_in_the_rmm_is_shown_as_a_conflict(
    sweep: MakeSweep, in_process: MakeLoopPipeline
) -> None:
    s = await sweep()
    await s.two_way()
    await in_process(s.stage, s.rmm, "fetcher", "scheduler", "writeback", detail_freshness_seconds=DAY)
    await s.read(6)
    asset = s.assets[s.devices[2]]
    await s.edit(2, PURCHASE, "2024-02-29")
    written = "select count(*) from date_pushes where status = 'written'"
    await until("the edit is written", lambda: s.desk.value(written))

    await s.ask(2)
    await until("the echo is read", lambda: _is_read_again(s, 2))
    assert await s.desk.rows("select * from date_conflicts") == []

    await s.person(2, purchase_date="2022-02-02")
    await s.ask(2)
    found = await until(
        "the change is found",
        lambda: s.desk.row("select * from date_conflicts where status = 'open'"),
    )
    assert found is not None
    assert (found["device_id"], str(found["manual_value"]), str(found["remote_value"])) == (
        s.devices[2],
        "2024-02-29",
        "2022-02-02",
    )
    assert str(await s.desk.value("select purchase_date from assets where id = $1", asset)) == "2024-02-29"


async def test_writing_both_dates_of_a_device_costs_two_requests_more_than_reading_them(
    sweep: MakeSweep, in_process: MakeLoopPipeline
) -> None:
    s = await sweep()
    await s.two_way()
    # A slow machine publishes the second date late; it still goes with the first.
    services = ("fetcher", "scheduler", "writeback")
    await in_process(s.stage, s.rmm, *services, detail_freshness_seconds=DAY, push_gather_seconds=0.9)
    await s.read(6)
    await _both_written(s, 5)  # the way of writing is known from here on

    await s.desk.execute("update detail_sweeps set not_before = 'infinity'")
    await s.desk.execute("update detail_reads set line_at = 'epoch', read_at = null")
    before = await s.asked()
    for device in (0, 1, 2):
        await _both_written(s, device)
    await s.desk.execute("update detail_sweeps set not_before = '-infinity'")
    await s.read(6)
    spent = await s.asked() - before
    # A look, a write of both, a look, and the sweep asks no more; of the others it asks itself.
    assert [spent[device] for device in s.devices] == [3, 3, 3, 1, 1, 1]


async def _both_written(s: Sweep, device: int) -> None:
    """Edit both dates of a device, and return when both stand in the RMM."""
    asset = s.assets[s.devices[device]]
    for field, value in zip(FIELDS, ("2024-02-29", "2029-02-28"), strict=True):
        await s.edit(device, field, value)
    written = "select count(*) from date_pushes where asset_id = $1 and status = 'written'"

    async def ask() -> bool:
        return bool(await s.desk.value(written, asset) == len(FIELDS))

    await until("both dates are written", ask)


async def _is_read_again(s: Sweep, device: int) -> bool:
    query = "select line_at > '-infinity' and leased_until is null from detail_reads where device_id = $1"
    return bool(await s.desk.value(query, s.devices[device]))


async def test_copies_of_a_turn_read_no_device_twice(sweep: MakeSweep, in_process: MakeLoopPipeline) -> None:
    s = await sweep(count=8)
    await s.fill()
    for _ in range(5):
        await s.publish(DetailDue(integration_id=s.integration_id, turn=0))
    await in_process(s.stage, s.rmm, "fetcher", details_per_turn=3, date_adapter="custom_fields")
    await s.read(8)
    assert await s.asked() == dict.fromkeys(s.devices, 1)


async def test_a_turn_whose_message_is_lost_is_announced_again_and_only_then(
    sweep: MakeSweep, in_process: MakeLoopPipeline
) -> None:
    s = await sweep()
    await s.fill()
    assert (await s.announce(), await s.announce()) == (1, 0)
    await s.desk.execute("delete from outbox")
    await s.desk.execute("update detail_sweeps set announced_at = announced_at - interval '2 minutes'")
    await in_process(s.stage, s.rmm, "fetcher", "scheduler", detail_freshness_seconds=DAY)
    await s.read(6)


async def test_the_line_is_who_was_asked_for_then_edits_then_never_read_then_longest_unread(sweep: MakeSweep) -> None:
    s = await sweep(count=6)
    await s.fill()
    await s.announce()
    read = "update detail_reads set read_at = now(), line_at = now() - $2::interval where device_id = $1"
    for device, hours in ((0, 1), (1, 30), (2, 60), (3, 50)):
        await s.desk.execute(read, s.devices[device], timedelta(hours=hours))
    await s.desk.execute(
        "insert into date_pushes (integration_id, device_id, field, account_id, asset_id, status, next_try_at)"
        " values ($1, $2, 'purchase_date', $3, $4, 'waiting', now())",
        s.integration_id,
        s.devices[1],
        s.stage.account_id,
        s.assets[s.devices[1]],
    )
    await s.ask(3)
    turn = DetailTurn(s.integration_id, 0)
    claimed = [device.device_id for device in [*await s.details.claim(turn), *await s.details.claim(turn)]]
    never = sorted([s.devices[4], s.devices[5]])
    assert claimed == [s.devices[3], s.devices[1], *never, s.devices[2]], "device 0 is fresh"


async def test_a_sync_of_one_device_reads_its_dates_too(sweep: MakeSweep, in_process: MakeLoopPipeline) -> None:
    s = await sweep()
    await s.person(2, purchase_date="2024-02-29")
    # The sweep is off but for who is asked for.
    await in_process(s.stage, s.rmm, "fetcher", "normalizer", "writer", "scheduler")
    run = await s.desk.ended((await s.desk.sync(s.integration_id, kind="device", target=s.devices[2])).run_id)
    assert run["status"] == "succeeded"
    await s.read(1)
    assert await s.said() == {s.devices[2]: "2024-02-29"}


async def test_the_sweep_stands_aside_while_a_list_is_read(sweep: MakeSweep) -> None:
    s = await sweep()
    await s.fill()
    run = await s.desk.sync(s.integration_id)
    assert await s.announce() == 0
    assert await s.details.claim(DetailTurn(s.integration_id, 0)) == []
    await s.desk.execute("update sync_runs set status = 'cancelled' where id = $1", run.run_id)
    assert await s.announce() == 1


async def test_without_quota_left_the_turn_is_given_up_and_the_write_keeps_its_reserve(
    sweep: MakeSweep, in_process: MakeLoopPipeline
) -> None:
    s = await sweep()
    await in_process(
        s.stage,
        s.rmm,
        "fetcher",
        "scheduler",
        rmm_budget=500,
        rmm_reserve=496,
        date_adapter="custom_fields",
        detail_freshness_seconds=DAY,
    )

    async def stands_still() -> bool:
        return bool(await s.desk.value("select not_before > now() + interval '30 seconds' from detail_sweeps"))

    await until("the sweep stands still", stands_still)
    row = await s.row()
    assert row["announced_at"] is None, "no message waits for the budget"
    assert await s.rmm.request_count() == 4, "500 less the reserve"
    assert await s.desk.value("select count(*) from detail_reads where leased_until is not null") == 0


async def test_a_list_by_schedule_finds_its_requests_free_in_mid_sweep(
    sweep: MakeSweep, in_process: MakeLoopPipeline
) -> None:
    budget, reserve, window, pages = 20, 2, 2, 10
    s = await sweep(count=60, devices=200, companies=40)
    last = await s.desk.value("select id from sync_runs")
    await s.desk.execute("update sync_runs set status = 'succeeded'")
    await s.desk.execute(
        "insert into sync_pages (fetch_id, run_id, scope_id, page_no, devices, chunk_count)"
        " select gen_random_uuid(), $1, gen_random_uuid(), 0, 20, 1 from generate_series(1, $2)",
        last,
        pages,
    )
    await in_process(
        s.stage,
        s.rmm,
        "fetcher",
        "scheduler",
        rmm_budget=budget,
        rmm_reserve=reserve,
        rmm_window_seconds=window,
        date_adapter="custom_fields",
        detail_freshness_seconds=1,
    )

    async def asked(route: str = "values_v2") -> list[float]:
        return [each["at"] for each in await s.rmm.requests(route)]

    async def at_full_speed() -> bool:
        return len(await asked()) > budget

    await until("the sweep uses its window", at_full_speed, within=30)
    due_in = timedelta(seconds=1.5 * window)
    await s.desk.execute("update integrations set next_sync_at = clock_timestamp() + $1::interval", due_in)
    (began,) = await until("the list begins", lambda: asked("companies"), within=30)
    of_the_sweep = await asked()
    just_before = sum(began - window < at < began for at in of_the_sweep)
    assert just_before <= budget - reserve - pages - BEFORE_PAGES
    assert sum(at < of_the_sweep[0] + window for at in of_the_sweep) > just_before, "it would have taken more"


async def test_bad_devices_are_passed_over_and_the_others_are_read(
    sweep: MakeSweep, in_process: MakeLoopPipeline
) -> None:
    s = await sweep(count=7)
    await s.rmm.control("PATCH", f"devices/{s.devices[0]}", {"vanished": True})
    await s.rmm.fault({"path": f"{s.devices[2]}/custom"}, html=True)
    await s.rmm.fault({"path": f"{s.devices[4]}/custom"}, status=422)
    await s.person(6, purchase_date="2024-02-29")
    await in_process(s.stage, s.rmm, "fetcher", "scheduler", date_adapter="custom_fields", detail_freshness_seconds=DAY)
    await s.read(4)

    async def tried() -> bool:
        query = "select count(*) from detail_reads where line_at > 'epoch' and leased_until is null"
        return bool(await s.desk.value(query) == 7)

    await until("every device was tried", tried)
    assert await s.said() == {s.devices[6]: "2024-02-29"}
    assert (await s.desk.integration(s.integration_id))["status"] == "active"
    assert await s.desk.parked() == []


async def test_a_key_without_the_right_is_remembered_until_there_is_another(
    sweep: MakeSweep, in_process: MakeLoopPipeline
) -> None:
    s = await sweep()
    await s.rmm.fault({"path": "custom-fields"}, status=403)
    await in_process(s.stage, s.rmm, "fetcher", "scheduler", date_adapter="custom_fields", detail_freshness_seconds=DAY)

    async def refused() -> Any:
        row = await s.row()
        return row and row["unreadable_code"]

    assert await until("the refusal is remembered", refused) == "scope_missing"
    assert (await s.desk.integration(s.integration_id))["status"] == "active", "the list can be read"
    assert await s.announce() == 0
    assert sum((await s.asked()).values()) == 1
    async with connection(s.stage.pool) as conn:
        dates = (await read_freshness(conn, s.stage.account_id))[s.integration_id]
    assert dates["reason_code"] == "scope_missing"
    assert "6 never yet; not going on: " in freshness_text(dates)
    await s.rmm.heal()
    await s.desk.replace_credentials(s.integration_id, s.rmm)
    await s.read(6)

    async def forgotten() -> bool:
        return (await s.row())["unreadable_code"] is None

    # Dates are kept device by device; the turn ends in a transaction of its own after the last of them.
    await until("the refusal is forgotten", forgotten)


async def test_what_a_turn_met_with_a_replaced_key_says_nothing_of_the_new_one(sweep: MakeSweep) -> None:
    s = await sweep()
    await s.fill()
    assert await s.announce() == 1
    turn = DetailTurn(s.integration_id, 0)
    devices = await s.details.claim(turn)
    await s.desk.replace_credentials(s.integration_id, s.rmm)
    await s.details.end(turn, devices, _refusal(s, version=1))
    row = await s.row()
    assert (row["turn_no"], row["announced_at"] is not None) == (1, True), "the new key is tried at once"
    assert (row["unreadable_code"], row["unreadable_for"]) == ("scope_missing", 1)
    await s.details.end(DetailTurn(s.integration_id, 1), [], _refusal(s, version=2))
    row = await s.row()
    assert (row["announced_at"], row["unreadable_for"]) == (None, 2)
    assert await s.announce() == 0, "and what the new one was told counts"


async def test_what_a_turn_met_before_a_preflight_that_could_read_is_not_remembered_after_it(
    sweep: MakeSweep, in_process: MakeLoopPipeline
) -> None:
    s = await sweep()
    await s.fill()
    assert await s.announce() == 1
    turn = DetailTurn(s.integration_id, 0)
    devices = await s.details.claim(turn)
    await in_process(s.stage, s.rmm, "fetcher", purchase_field="Purchase Date")
    probe_id = uuid4()
    await s.desk.execute(
        "insert into probes (id, integration_id, account_id) values ($1, $2, $3)",
        *(probe_id, s.integration_id, s.stage.account_id),
    )
    await s.publish(ProbeDue(integration_id=s.integration_id, probe_id=probe_id))
    found = "select result ->> 'ok' from probes where id = $1 and finished_at is not null"
    assert await until("the preflight has ended", lambda: s.desk.value(found, probe_id)) == "true"
    await s.details.end(turn, devices, _refusal(s, version=1))
    assert (await s.row())["unreadable_code"] is None
    assert await s.announce() == 1, "the next turn may begin"


def _refusal(s: Sweep, *, version: int) -> Setback:
    error = ScopeMissing("403", integration_id=s.integration_id)
    error.credentials_version = version
    return setback_of(error)


async def test_a_rejected_key_pauses_the_integration_and_gives_the_claims_back(
    sweep: MakeSweep, in_process: MakeLoopPipeline
) -> None:
    s = await sweep()
    await s.rmm.regenerate()
    await in_process(s.stage, s.rmm, "fetcher", "scheduler", detail_freshness_seconds=DAY)

    async def paused() -> bool:
        return bool((await s.desk.integration(s.integration_id))["status"] == "paused_credentials")

    await until("the integration is paused", paused)
    assert await s.desk.value("select count(*) from detail_reads where leased_until is not null") == 0
    assert await s.announce() == 0


async def test_devices_are_put_in_an_empty_line_without_reading_it_for_each_of_them(sweep: MakeSweep) -> None:
    s = await sweep(count=30)
    await s.desk.execute("insert into detail_sweeps (integration_id) values ($1)", s.integration_id)
    # Known to be empty: the planner takes a scan of it for free, however often, and it fills while it is scanned.
    await s.desk.execute("vacuum (analyze) detail_reads")

    explained = "explain (analyze, format json) " + sql("shared.detail_sweep", "seed")
    plan = (await s.desk.value(explained, s.integration_id))[0]["Plan"]

    assert await s.desk.value("select count(*) from detail_reads") == 30
    reads = [node["Actual Loops"] for node in _nodes(plan) if node.get("Relation Name") == "detail_reads"]
    assert max(reads) == 1


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)


async def test_the_next_turn_is_picked_in_milliseconds_among_100_000_devices(sweep: MakeSweep) -> None:
    s = await sweep()
    await s.fill()
    await s.desk.execute(
        "insert into detail_reads (integration_id, device_id, line_at)"
        " select $1, 'more ' || n, now() - interval '20 hours' - n * interval '1 second'"
        " from generate_series(1, 100000) n",
        s.integration_id,
    )
    await s.desk.execute("analyze detail_reads")
    taken: list[float] = []
    # As often as it takes to be left alone by whatever else this machine has to do; a scan is as slow each time.
    while min(taken, default=1) >= 0.05 and len(taken) < 50:
        begun = time.perf_counter()
        assert await s.announce() <= 1
        await s.details.claim(DetailTurn(s.integration_id, 0))
        taken.append(time.perf_counter() - begun)
    assert min(taken) < 0.05, "a scan of the line takes longer than that"
