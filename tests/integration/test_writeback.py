"""Write-back against a real broker, a real Postgres and a simulated RMM that counts and keeps every write."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.scheduler.app import every
from services.scheduler.clock import Clock
from services.scheduler.settings import SchedulerSettings
from services.writeback.app import create_app
from services.writeback.edits import PostgresEdits
from services.writeback.intake import read_edit
from services.writeback.pushes import PostgresPushes, PushRules
from services.writeback.settings import WritebackSettings
from services.writeback.turns import trouble_of
from shared import topology
from shared.audit import Author
from shared.date_ledger.choices import exclude_source, settle_conflict
from shared.date_ledger.remote import Pulled, observe_remote
from shared.date_ledger.switches import preview_history, set_conflict_policy, switch_two_way
from shared.dates.calendar import FIELDS, PURCHASE, WARRANTY, DateField
from shared.errors import CredentialsRejected, WriteForbidden
from shared.postgres import Connection, connection, transaction
from shared.runtime import Service
from tests.conftest import MakeRmm
from tests.support.desk import Desk
from tests.support.rmm import Rmm
from tests.support.stage import Stage
from tests.support.waiting import until

DONE = ("written", "unchanged", "superseded", "refused", "failed", "recorded")
DAYS = ("2025-03-01", "2028-03-01")
MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
SOMEBODY_WAITS = (
    "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
)


@dataclass
class World:
    """One integration with a few linked devices, both switches on, and what a test does with it."""

    stage: Stage
    rmm: Rmm
    integration_id: UUID
    devices: list[dict[str, Any]]
    assets: dict[str, UUID]
    stack: AsyncExitStack
    settings: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def desk(self) -> Desk:
        return Desk(self.stage)

    @property
    def author(self) -> Author:
        return Author(self.stage.account_id, "tester", "test")

    def values(self, **changed: Any) -> dict[str, Any]:
        """The settings of write-back here."""
        return {
            "amqp_url": self.stage.amqp_url,
            "database_url": self.stage.database_url,
            "rmm_base_url": self.rmm.url,
            "secret_keys": self.stage.keys.private_text.get_secret_value(),
            "rmm_budget": 100_000,
            "push_gather_seconds": 0.02,
            "recheck_seconds": (0.1, 0.2),
            "purchase_field": "Purchase Date",
            "shutdown_seconds": 5,
            **self.settings,
            **changed,
        }

    async def start(self, replicas: int = 1, *, scheduled: bool = True, **changed: Any) -> list["Running"]:
        """Start write-back in this loop, and the scheduler's part of it unless nobody is to announce what is due."""
        if scheduled:
            self.schedule()
        values = self.values(**changed)
        made = [Running(create_app(WritebackSettings(**values))) for _ in range(replicas)]
        for running in made:
            self.stack.push_async_callback(running.stop)
        await asyncio.gather(*(running.started() for running in made))
        return made

    def schedule(self) -> None:
        """Let a scheduler announce what is due; more of them change nothing."""
        addresses: dict[str, Any] = {"amqp_url": self.stage.amqp_url, "database_url": self.stage.database_url}
        clock = Clock(self.stage.pool, self.stage.outbox, SchedulerSettings(**addresses))
        announcing = asyncio.ensure_future(every(0.1, clock.announce_due_pushes)())

        async def end() -> None:
            announcing.cancel()
            await asyncio.gather(announcing, return_exceptions=True)

        self.stack.push_async_callback(end)

    async def within(self, work: Callable[[Connection], Awaitable[Any]]) -> Any:
        """One transaction; what it returns, if events, is published."""
        async with transaction(self.stage.pool) as conn:
            pending = await work(conn)
        if isinstance(pending, list):
            await self.stage.outbox.publish(*pending)
        return pending

    async def switch(self, *, enabled: bool = True, **more: Any) -> None:
        for of in FIELDS:

            async def work(conn: Connection, of: DateField = of) -> Any:
                return await switch_two_way(conn, self.author, self.integration_id, of, enabled=enabled, **more)

            await self.within(work)

    def event(
        self,
        device: int,
        value: str | None,
        *,
        of: str = PURCHASE,
        at: datetime | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """A DateEdited event as a stranger publishes it."""
        data = {
            "account_id": str(self.stage.account_id),
            "asset": {"id": str(self.assets[self.devices[device]["id"]])},
            "field": of,
            "value": value,
            "origin": "manual",
            "actor": "somebody",
            "edited_at": (at or datetime.now(UTC)).isoformat(),
        } | more
        return {
            "specversion": "1.0",
            "id": str(uuid4()),
            "source": "/strangers/script",
            "type": "date.edited",
            "time": datetime.now(UTC).isoformat(),
            "data": data,
        }

    async def publish(self, *events: dict[str, Any]) -> None:
        for event in events:
            await self.stage.bus.publish_raw(
                topology.EVENTS, "date.edited", json.dumps(event).encode(), content_type="application/json"
            )

    async def record(self, event: dict[str, Any]) -> None:
        """Record an edit with no write-back running."""
        await PostgresEdits(self.stage.pool, self.stage.outbox, 10).record(read_edit(json.dumps(event).encode()))

    async def edit(self, device: int, value: str | None, **more: Any) -> asyncpg.Record:
        """Publish an edit and wait for its end."""
        event = self.event(device, value, **more)
        await self.publish(event)
        return await self.settled(event)

    async def settled(self, event: dict[str, Any], *statuses: str) -> asyncpg.Record:
        """The ledger's row of an edit, once it is done or in one of these statuses."""

        async def ask() -> asyncpg.Record | None:
            row = await self.desk.row("select * from date_edits where event_id = $1", event["id"])
            return row if row and row["status"] in (statuses or DONE) else None

        try:
            return await until(f"edit {event['data']['value']} is {statuses or 'done'}", ask)
        except AssertionError:
            row = await self.desk.row("select * from date_edits where event_id = $1", event["id"])
            pushes = await self.desk.rows("select * from date_pushes where status <> 'none'")
            raise AssertionError(f"{row}\n{pushes}\n{await self.desk.parked()}") from None

    async def idle(self) -> None:
        """Return when nothing waits to be written."""

        async def ask() -> bool:
            return not await self.desk.value(
                "select count(*) from date_pushes where status in ('waiting', 'writing') or leased_until is not null"
            )

        await until("nothing is to be written", ask)

    async def there(self, device: int, of: str = PURCHASE) -> str | None:
        """What stands in the RMM."""
        shown = await self.rmm.control("GET", f"devices/{self.devices[device]['id']}")
        value: str | None = shown[of]
        return value

    async def person(self, device: int, **dates: str | None) -> None:
        """Somebody edits dates in the RMM."""
        await self.rmm.control("PATCH", f"devices/{self.devices[device]['id']}", dates)

    async def pull(self, device: int, value: str | None, *, of: DateField = PURCHASE, seq: int | None = None) -> None:
        """A date arrives from the RMM."""
        number = seq or await self.desk.value("select nextval('observation_seq')")
        pulled = Pulled(self.devices[device]["id"], of, date.fromisoformat(value) if value else None, number)

        async def work(conn: Connection) -> Any:
            return await observe_remote(conn, self.integration_id, [pulled], source="test")

        await self.within(work)

    async def writes(self) -> list[tuple[str, str, str | None]]:
        """Every write by us, as (device, field, value)."""
        seen = await self.rmm.control("GET", "writes")
        return [(each["device_id"], each["field"], each["after"]) for each in seen if each["via"] != "person"]

    async def requests(self) -> list[str]:
        """What was asked for, less the sign-ins."""
        return [each["route"] for each in await self.rmm.requests() if each["route"] != "token"]

    async def asset(self, device: int) -> asyncpg.Record:
        row = await self.desk.row("select * from assets where id = $1", self.assets[self.devices[device]["id"]])
        assert row is not None
        return row


class Running:
    """A service as a task of its own."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ready, self._leave = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._service.running():
            self._ready.set()
            await self._leave.wait()

    async def started(self) -> None:
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        self._leave.set()
        await self._task


MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def world(stage: Stage, simulator: MakeRmm) -> AsyncIterator[MakeWorld]:
    """Makes worlds: an RMM with these settings, linked devices, both switches on, nothing running yet."""
    async with AsyncExitStack() as stack:

        async def make(*, switched: bool = True, count: int = 6, **config: Any) -> World:
            rmm = await simulator(**({"devices": 40, "companies": 2} | config))
            added = await Desk(stage).add_integration(rmm, name=f"tenant {uuid4()}")
            await Desk(stage).execute("update integrations set status = 'active' where id = $1", added.id)
            devices = list((await rmm.devices()).values())[:count]
            made = World(stage, rmm, added.id, devices, await link(stage, added.id, devices), stack)
            if switched:
                await made.switch()
            return made

        yield make


async def link(stage: Stage, integration_id: UUID, devices: list[dict[str, Any]]) -> dict[str, UUID]:
    """Assets and links as the writer makes them."""
    ids = {device["id"]: uuid4() for device in devices}
    async with transaction(stage.pool) as conn:
        for device in devices:
            await conn.execute(
                "insert into assets (id, account_id, asset_type, serial_number, serial_normalised, observed_seq)"
                " values ($1, $2, 'laptop', $3, $3, 1)",
                ids[device["id"]],
                stage.account_id,
                f"SN{ids[device['id']].hex[:10].upper()}",
            )
            await conn.execute(
                "insert into devices (integration_id, device_id, account_id, asset_id, company_id, site_id, matched_by,"
                " content_hash, observed_seq, vendor) values ($1, $2, $3, $4, $5, $6, 'new', $4, 1, '{}')",
                integration_id,
                device["id"],
                stage.account_id,
                ids[device["id"]],
                device["company_id"],
                device["site_id"],
            )
    return ids


@pytest.mark.parametrize("package", ["services.writeback.sql", "shared.date_ledger"])
async def test_every_statement_is_one_that_postgres_takes(stage: Stage, package: str) -> None:
    async with connection(stage.pool) as conn:
        for file in resources.files(package).iterdir():
            if file.name.endswith(".sql"):
                await conn.prepare(file.read_text())


async def test_an_edit_arrives_in_the_rmm_once_and_in_three_requests(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    await w.edit(0, "2024-02-29")
    before = len(await w.requests())
    row = await w.edit(1, "2025-03-01")

    assert (row["status"], str(row["written"]), row["before"]) == ("written", "2025-03-01", None)
    assert await w.there(1) == "2025-03-01"
    assert (await w.requests())[before:] == ["values_v2", "values_v2", "values_v2"]
    assert (await w.asset(1))["purchase_date_origin"] == "manual"
    assert (await w.asset(1))["version"] == 2


@pytest.mark.parametrize(
    ("config", "routes"),
    [
        ({"patch_mode": "on"}, ["detail_v2", "patch_v2", "detail_v2"]),
        ({"patch_mode": "on", "patch_status": 204}, ["detail_v2", "patch_v2", "detail_v2"]),
        ({"patch_mode": "off", "patch_off_status": 404}, ["values_v2"] * 3),
        ({"patch_mode": "off", "patch_off_status": 501}, ["values_v2"] * 3),
        ({"patch_mode": "off", "attribute_spelling": "attributeID", "values_put_status": 204}, ["values_v2"] * 3),
    ],
)
async def test_auto_finds_the_way_once_and_remembers_it(world: MakeWorld, config: Any, routes: list[str]) -> None:
    w = await world(**config)
    await w.start()
    assert (await w.edit(0, "2024-02-29"))["status"] == "written"
    before = len(await w.requests())
    assert (await w.edit(1, "2025-03-01"))["status"] == "written"
    assert (await w.requests())[before:] == routes
    assert await w.there(1) == "2025-03-01"


async def test_a_device_that_was_looked_at_before_the_way_was_found_out_goes_that_way_too(world: MakeWorld) -> None:
    w = await world(patch_mode="off", patch_off_status=405)
    await w.start()
    slow = await w.rmm.fault({"path": w.devices[1]["id"], "method": "GET", "times": 1}, delay_ms=1500)
    second = w.event(1, "2025-03-01")
    await w.publish(second)
    await until("the second is being looked at", lambda: w.rmm.fired(slow))
    assert (await w.edit(0, "2024-02-29"))["status"] == "written"
    assert (await w.settled(second))["status"] == "written"
    assert (await w.requests()).count("patch_v2") == 1
    assert await w.there(1) == "2025-03-01"


async def test_both_dates_of_a_device_go_in_one_request_and_clearing_takes_back(world: MakeWorld) -> None:
    w = await world(patch_mode="on")
    await w.start(push_gather_seconds=0.9)
    await w.edit(1, "2024-02-29")
    before = len(await w.requests())
    first, second = w.event(0, "2025-03-01"), w.event(0, "2028-03-01", of=WARRANTY)
    await w.publish(first)
    await w.settled(first, "waiting")
    await w.publish(second)
    await w.settled(first, "written")
    await w.settled(second, "written")
    assert (await w.requests())[before:] == ["detail_v2", "patch_v2", "detail_v2"]
    row = await w.edit(0, None)
    assert row["status"] == "written"
    assert (await w.there(0), await w.there(0, WARRANTY)) == (None, "2028-03-01")
    assert (await w.asset(0))["purchase_date"] is None


async def test_a_wish_is_claimed_once_it_has_waited_for_the_other_date_with_that_one_and_in_its_place(
    world: MakeWorld,
) -> None:
    w = await world()
    rules = PushRules(5, 5, timedelta(seconds=30), timedelta(hours=1), (), gather=timedelta(seconds=60))
    pushes = PostgresPushes(w.stage.pool, w.stage.outbox, rules)
    await w.record(w.event(0, "2025-03-01", at=MOMENT))
    assert await pushes.claim(w.integration_id) == []
    # Its wake-up was taken, and another one is on its way.
    assert await w.desk.value("select announced_at is not null from date_turns")

    await w.desk.execute("update date_pushes set wished_at = wished_at - interval '61 seconds'")
    await w.record(w.event(0, "2025-04-01", at=MOMENT + timedelta(minutes=1)))
    await w.record(w.event(0, "2028-03-01", of=WARRANTY))
    await w.record(w.event(1, "2025-03-01"))
    (work,) = await pushes.claim(w.integration_id)
    assert (work.device_id, set(work.leases)) == (w.devices[0]["id"], set(FIELDS))


async def test_a_date_that_is_wished_while_the_other_is_written_needs_no_look_before_it(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    await w.edit(1, "2024-02-29")
    before = len(await w.rmm.requests())
    slow = await w.rmm.fault({"path": "custom-fields", "method": "PUT", "times": 1}, delay_ms=1500)
    first, second = w.event(0, "2025-03-01"), w.event(0, "2028-03-01", of=WARRANTY)
    await w.publish(first)
    await until("the first is on its way", lambda: w.rmm.fired(slow))
    await w.publish(second)
    await w.settled(second, "waiting")
    await w.settled(first, "written")
    await w.settled(second, "written")
    methods = [each["method"] for each in (await w.rmm.requests())[before:]]
    assert methods == ["GET", "PUT", "GET", "PUT", "GET"]
    assert (await w.there(0), await w.there(0, WARRANTY)) == ("2025-03-01", "2028-03-01")


async def test_a_look_that_shows_both_dates_stands_for_the_sweeps_reading_of_the_device(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    for of, day in zip(FIELDS, DAYS, strict=True):
        await w.edit(2, day, of=of)  # both fields are known from here on
    places = ["epoch", "-infinity"]
    for device, line_at in zip(w.devices, places, strict=False):
        await w.desk.execute(
            "insert into detail_reads (integration_id, device_id, line_at) values ($1, $2, $3::text::timestamptz)",
            *(w.integration_id, device["id"], line_at),
        )
    await w.person(0, warranty_expiration_date="2029-01-31")
    before = len(await w.requests())
    for device in (0, 1):
        assert (await w.edit(device, "2024-02-29"))["status"] == "written"
    assert len(await w.requests()) == before + 6
    # What the sweep would have found is taken in, and who was asked for by somebody is read all the same.
    assert str((await w.asset(0))["warranty_expiration_date"]) == "2029-01-31"
    assert (await w.asset(0))["warranty_expiration_date_origin"] == f"integration:{w.integration_id}"
    rows = await w.desk.rows("select read_at, line_at = '-infinity' as asked from detail_reads order by line_at desc")
    assert [(row["read_at"] is not None, row["asked"]) for row in rows] == [(True, False), (False, True)]


async def test_edits_that_come_at_once_are_recorded_together_and_none_waits_for_anothers_asset(
    world: MakeWorld,
) -> None:
    w = await world(switched=False)
    locked = w.event(0, "2025-03-01")
    ordered = [w.event(1, f"2025-03-{day:02}", at=MOMENT + timedelta(minutes=day)) for day in (3, 1, 2)]
    others = [w.event(device, day, of=of) for device in (2, 3) for of, day in zip(FIELDS, DAYS, strict=True)]
    refused = [w.event(4, "1900-01-01"), w.event(4, "2025-03-01", asset={"id": str(uuid4())})]
    events = [*ordered, *others, *refused]
    await w.publish(locked, *events, *events)
    async with transaction(w.stage.pool) as conn:
        await conn.execute("select from assets where id = $1 for update", w.assets[w.devices[0]["id"]])
        await w.start()
        statuses = [(await w.settled(event))["status"] for event in events]
        assert await w.desk.value("select count(*) from date_edits where event_id = $1", locked["id"]) == 0
    assert statuses == ["recorded", *["superseded"] * 2, *["recorded"] * len(others), *["refused"] * 2]
    assert (await w.settled(locked))["status"] == "recorded"
    assert await w.desk.value("select count(*) from date_edits") == len(events) + 1
    assert await w.desk.value("select count(distinct xmin::text) from date_edits") < len(events)
    assert str((await w.asset(1))["purchase_date"]) == "2025-03-03"
    assert (await w.asset(2))["version"] == 3


async def test_an_edit_that_comes_alone_and_has_to_wait_for_its_asset_keeps_nobody_waiting(world: MakeWorld) -> None:
    w = await world(switched=False)
    await w.start()
    waiting, later = w.event(0, "2025-03-01"), w.event(1, "2025-03-01")
    async with transaction(w.stage.pool) as conn:
        await conn.execute("select from assets where id = $1 for update", w.assets[w.devices[0]["id"]])
        await w.publish(waiting)
        await until("it waits for the asset", lambda: w.desk.value(SOMEBODY_WAITS))
        await w.publish(later)
        async with asyncio.timeout(30):  # half of what a statement may take: then the first would be out of the way
            assert (await w.settled(later))["status"] == "recorded"
        assert await w.desk.value("select count(*) from date_edits where event_id = $1", waiting["id"]) == 0
    assert (await w.settled(waiting))["status"] == "recorded"


async def test_ten_edits_of_a_field_are_one_write_of_the_newest_in_any_order(world: MakeWorld) -> None:
    w = await world()
    events = [w.event(0, f"2025-03-{day:02}", at=MOMENT + timedelta(minutes=day)) for day in range(1, 11)]
    await w.publish(*(events[5:] + events[:5] + events[::3]))
    await w.stage.bus.publish_raw(topology.EVENTS, "date.push_due", b"{}")  # a stranger's nonsense is parked
    await w.desk.disable(w.integration_id)
    await w.start(replicas=2)
    assert (await w.settled(events[-1], "held"))["status"] == "held"
    for event in events[:-1]:
        assert (await w.settled(event))["status"] == "superseded"
    await w.desk.enable(w.integration_id)
    assert (await w.settled(events[-1], "written"))["status"] == "written"
    await w.idle()
    assert [value for _, _, value in await w.writes()] == ["2025-03-10T00:00:00Z"]


async def test_the_rmm_takes_a_date_and_does_not_keep_it(world: MakeWorld) -> None:
    w = await world(patch_mode="unchanged")
    await w.start()
    row = await w.edit(0, "2025-03-01")
    assert (row["status"], row["reason_code"], row["written"]) == ("failed", "not_kept", None)
    assert (await w.requests()).count("patch_v2") == 1


async def test_a_date_that_shows_late_is_written_once(world: MakeWorld) -> None:
    w = await world(visible_after_s=0.3, patch_mode="on")
    await w.start(recheck_seconds=(0.2, 0.2, 0.2, 0.2))
    assert (await w.edit(0, "2025-03-01"))["status"] == "written"
    assert (await w.requests()).count("patch_v2") == 1


async def test_a_key_that_may_not_write_pauses_writing_alone_and_a_new_key_drains(world: MakeWorld) -> None:
    w = await world(patch_mode="forbidden")
    await w.start()
    event = w.event(0, "2025-03-01")
    await w.publish(event)
    row = await w.settled(event, "held")
    assert row["reason_code"] == "write_forbidden"
    assert (await w.desk.integration(w.integration_id))["status"] == "active"
    later = w.event(1, "2025-04-01")
    await w.publish(later)
    await w.settled(later, "held")
    await w.rmm.configure(patch_mode="on")
    await w.desk.replace_credentials(w.integration_id, w.rmm)
    assert (await w.settled(event, "written"))["status"] == "written"
    assert (await w.settled(later, "written"))["status"] == "written"


async def test_rejected_credentials_hold_and_new_ones_drain_each_once(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    await w.edit(5, "2025-01-01")
    await w.rmm.regenerate()
    held = [w.event(0, f"2025-03-{day:02}", at=MOMENT + timedelta(minutes=day)) for day in range(1, 4)]
    await w.publish(held[0])
    await w.settled(held[0], "held")

    async def paused() -> bool:
        return (await w.desk.integration(w.integration_id))["status"] == "paused_credentials"

    await until("the integration is paused", paused)
    await w.publish(*held[1:])
    await w.settled(held[2], "held")
    await w.desk.replace_credentials(w.integration_id, w.rmm)
    await w.desk.execute("update integrations set status = 'active' where id = $1", w.integration_id)
    await w.settled(held[2], "written")
    await w.idle()
    assert [value for _, _, value in await w.writes()][1:] == ["2025-03-03T00:00:00Z"]


@pytest.mark.parametrize("error_class", [CredentialsRejected, WriteForbidden])
async def test_what_is_said_late_of_a_replaced_key_holds_no_edit(
    world: MakeWorld, error_class: type[CredentialsRejected | WriteForbidden]
) -> None:
    w = await world()
    (service,) = await w.start(scheduled=False)
    await w.edit(0, "2025-01-01")
    await service.stop()
    rules = PushRules(5, 5, timedelta(seconds=30), timedelta(hours=1), ())
    pushes = PostgresPushes(w.stage.pool, w.stage.outbox, rules)
    await w.desk.execute(
        "update date_pushes set status = 'waiting', next_try_at = now() where status in ('written', 'none')"
    )
    (work,) = await pushes.claim(w.integration_id)
    await w.desk.execute("update integrations set credentials_version = 2 where id = $1", w.integration_id)
    error = error_class("late", integration_id=w.integration_id)
    error.credentials_version = 1
    await pushes.settle_trouble(work, trouble_of(error))
    assert await w.desk.value("select count(*) from date_pushes where status = 'waiting' and wanted is not null") == 1
    assert await w.desk.value("select count(*) from date_settings where writing_paused_for is not null") == 0


async def test_switched_off_nothing_is_written_and_history_only_when_asked(world: MakeWorld) -> None:
    w = await world(switched=False)
    await w.start()
    assert (await w.edit(0, "2025-03-01"))["status"] == "recorded"
    await w.edit(1, "2025-04-01", origin="lookup", lookup="dell")
    await w.pull(2, "2025-05-01")
    await w.switch()
    await w.edit(3, "2025-06-01")
    assert [value for _, _, value in await w.writes()] == ["2025-06-01T00:00:00Z"]

    async def work(conn: Connection) -> Any:
        return await preview_history(conn, w.integration_id, PURCHASE)

    total, some = await w.within(work)
    assert (total, {each.device_id for each in some}) == (2, {w.devices[0]["id"], w.devices[1]["id"]})
    await w.switch(write_history=True)
    await w.idle()
    assert sorted(value or "" for _, _, value in await w.writes()) == [
        "2025-03-01T00:00:00Z",
        "2025-04-01T00:00:00Z",
        "2025-06-01T00:00:00Z",
    ]


async def test_a_serial_that_two_assets_claim_and_a_virtual_machine_are_refused(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    await w.desk.execute("update assets set serial_normalised = 'SAME' where id = any($1)", list(w.assets.values())[:2])
    await w.desk.execute("update assets set asset_type = 'virtual_machine' where id = $1", list(w.assets.values())[2])
    assert (await w.edit(0, "2025-03-01", asset={"serial_number": "sa-me"}))["reason_code"] == "ambiguous_serial"
    assert (await w.edit(2, "2029-03-01", of=WARRANTY))["reason_code"] == "virtual_machine"
    assert (await w.edit(3, "2029-03-01", of=WARRANTY))["status"] == "written"
    assert (await w.edit(3, "2030-03-01"))["reason_code"] == "expires_before_purchase"
    device = {"integration_id": str(w.integration_id), "device_id": w.devices[4]["id"].upper()}
    assert (await w.edit(4, "2030-03-01", asset=device))["status"] == "written"


async def test_echoes_stale_pages_and_real_changes(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    await w.person(0, purchase_date="2020-01-01")
    await w.pull(0, "2020-01-01")
    old = await w.desk.value("select nextval('observation_seq')")
    await w.edit(0, "2025-03-01")
    await w.pull(0, "2025-03-01")
    await w.pull(0, "2020-01-01", seq=old)
    assert str((await w.asset(0))["purchase_date"]) == "2025-03-01"
    assert await w.desk.rows("select * from date_conflicts") == []
    await w.pull(0, "2022-02-02")
    await w.pull(0, "2022-02-02")
    conflict = await w.desk.row("select * from date_conflicts where status = 'open'")
    assert conflict is not None
    assert str(conflict["remote_value"]) == "2022-02-02"
    assert str((await w.asset(0))["purchase_date"]) == "2025-03-01"

    async def keep(conn: Connection) -> Any:
        return await settle_conflict(conn, w.author, conflict["id"], "manual")

    await w.person(0, purchase_date="2022-02-02")
    await w.within(keep)
    await w.idle()
    assert await w.there(0) == "2025-03-01"
    await w.pull(0, "2023-03-03")
    conflict = await w.desk.row("select * from date_conflicts where status = 'open'")
    assert conflict is not None

    async def take(conn: Connection) -> Any:
        return await settle_conflict(conn, w.author, conflict["id"], "remote")

    await w.within(take)
    asset = await w.asset(0)
    assert str(asset["purchase_date"]) == "2023-03-03"
    assert asset["purchase_date_origin"] == f"integration:{w.integration_id}"
    await w.idle()
    assert len(await w.writes()) == 2


async def test_remote_wins_where_that_is_the_policy_and_a_later_edit_wins_again(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    await w.within(lambda conn: set_conflict_policy(conn, w.author, w.integration_id, "remote_wins"))
    await w.edit(0, "2025-03-01")
    await w.person(0, purchase_date="2022-02-02")
    await w.pull(0, "2022-02-02")
    assert str((await w.asset(0))["purchase_date"]) == "2022-02-02"
    assert await w.desk.value("select count(*) from date_conflicts where status = 'took_remote'") == 1
    assert await w.there(0) == "2022-02-02"
    assert (await w.edit(0, "2025-04-01"))["status"] == "written"
    assert await w.there(0) == "2025-04-01"


async def test_a_mirror_changes_nothing_and_a_date_of_one_rmm_is_never_written_into_another(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    await w.pull(0, "2020-01-01")
    assert (await w.edit(0, "2020-01-01"))["status"] == "unchanged"
    assert (await w.edit(0, "2020-01-01", origin="lookup", actor="psa"))["status"] == "unchanged"
    assert await w.writes() == []
    assert await w.requests() == []


async def test_clearing_never_clears_what_somebody_else_put_there(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    await w.edit(0, "2025-03-01")
    await w.person(0, purchase_date="2022-02-02")
    row = await w.edit(0, None)
    assert (row["status"], row["reason_code"]) == ("unchanged", "not_ours")
    assert await w.there(0) == "2022-02-02"
    assert str((await w.asset(0))["purchase_date"]) == "2022-02-02"


async def test_an_excluded_lookup_gives_way_and_comes_back(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    await w.edit(0, "2021-01-01", origin="lookup", lookup="hp")
    await w.edit(0, "2020-01-01", origin="lookup", lookup="dell")
    asset_id = (await w.asset(0))["id"]
    for excluded, expected in ((True, "2021-01-01"), (False, "2020-01-01")):

        async def work(conn: Connection, excluded: bool = excluded) -> Any:
            return await exclude_source(conn, w.author, asset_id, PURCHASE, "lookup:dell", excluded=excluded)

        await w.within(work)
        await w.idle()
        assert await w.there(0) == expected


@pytest.mark.parametrize(
    ("match", "action", "status", "code"),
    [
        ({"path": "custom-fields", "times": 1, "method": "PUT"}, {"status": 422}, "failed", "rmm_refused"),
        ({"path": "custom-fields", "times": 1, "method": "PUT"}, {"status": 409}, "written", None),
        ({"path": "custom-fields", "times": 1, "method": "PUT"}, {"status": 503}, "written", None),
        ({"path": "custom-fields", "times": 1, "method": "PUT"}, {"drop": "after"}, "written", None),
        ({"path": "custom-fields", "times": 1, "method": "GET"}, {"drop": "before"}, "written", None),
    ],
)
async def test_what_the_rmm_may_answer(world: MakeWorld, match: Any, action: Any, status: str, code: str) -> None:
    w = await world()
    await w.start()
    await w.edit(1, "2025-01-01")
    await w.rmm.fault(match, **action)
    row = await w.edit(0, "2025-03-01")
    assert (row["status"], row["reason_code"]) == (status, code)
    writes = [value for device, _, value in await w.writes() if device == w.devices[0]["id"]]
    assert len(writes) == (1 if status == "written" else 0)


async def test_a_device_that_is_gone_fails_with_that_reason(world: MakeWorld) -> None:
    w = await world()
    await w.start()
    await w.edit(1, "2025-01-01")
    await w.person(0, vanished=True)  # type: ignore[arg-type]
    row = await w.edit(0, "2025-03-01")
    assert (row["status"], row["reason_code"]) == ("failed", "device_gone")


async def test_a_field_that_the_rmm_does_not_have_fails_alone(world: MakeWorld) -> None:
    w = await world()
    await w.start(purchase_field="No such field")
    assert (await w.edit(0, "2025-03-01"))["reason_code"] == "custom_field_missing"
    assert (await w.edit(0, "2028-03-01", of=WARRANTY))["status"] == "written"


async def test_a_replay_of_every_edit_sends_no_request(world: MakeWorld) -> None:
    w = await world()
    (service,) = await w.start()
    events = [w.event(n % 3, f"2025-03-{n + 1:02}", at=MOMENT + timedelta(minutes=n)) for n in range(9)]
    await w.publish(*events)
    for event in events:
        await w.settled(event)
    await w.idle()
    before, ledger = await w.requests(), await w.desk.rows("select * from date_edits order by id")
    last = w.event(0, "2025-04-01", asset={"id": str(uuid4())})
    await w.publish(*events[::-1], *events, last)
    await w.settled(last, "refused")
    # What was begun before the last one is ended by a stop.
    await service.stop()
    await w.idle()
    assert await w.requests() == before
    others = "select * from date_edits where event_id <> $1 order by id"
    assert await w.desk.rows(others, last["id"]) == ledger


async def test_a_claim_that_ran_out_leaves_the_newest_value(world: MakeWorld) -> None:
    """A write that comes after its claim ended is found out: the wish is looked at again."""
    w = await world()
    await w.start()
    await w.edit(0, "2025-03-01")
    await w.person(0, purchase_date="2020-02-02")
    await w.desk.execute(
        "update date_pushes set status = 'waiting', next_try_at = now() where wanted is not null and status = 'written'"
    )
    await w.idle()
    assert await w.there(0) == "2025-03-01"
