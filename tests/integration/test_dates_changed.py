"""Other systems hear which dates count now: each change once, whoever made it, and nothing where nothing changed."""

from datetime import date
from typing import Any

from shared.date_ledger.choices import exclude_source, settle_conflict
from shared.date_ledger.remote import Pulled, observe_remote
from shared.dates.calendar import FIELDS, PURCHASE, WARRANTY, DateField
from shared.events.dates import AssetDatesChanged
from shared.events.envelope import Event, parse_event
from shared.postgres import Connection
from tests.integration.test_writeback import MakeWorld, World, world  # noqa: F401 - a fixture
from tests.support.queues import journal
from tests.support.waiting import until

TYPE = AssetDatesChanged.event_type


async def heard(w: World) -> list[Event[AssetDatesChanged]]:
    """All that was told until now; what is stored and not yet published is waited for."""

    async def nothing_left() -> bool:
        return await w.desk.value("select count(*) from outbox") == 0

    await until("the outbox is empty", nothing_left)
    return [parse_event(said.body, AssetDatesChanged) for said in await journal(w.stage.amqp_url, TYPE)]


def in_words(events: list[Event[AssetDatesChanged]]) -> list[list[str]]:
    """Each event as before > value (origin) of its changes."""
    return [[f"{each.before} > {each.value} ({each.origin})" for each in event.data.changes] for event in events]


async def test_an_edit_that_changes_what_counts_is_told_with_its_story(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    edit = w.event(0, "2025-03-01") | {"correlationid": "the story"}
    await w.publish(edit)
    await w.settled(edit, "written")
    (event,) = await heard(w)
    asset = await w.asset(0)
    assert (event.correlationid, event.causationid, event.source) == ("the story", edit["id"], "/lifecycle/writeback")
    assert (event.accountid, event.subject) == (w.stage.account_id, f"assets/{asset['id']}")
    (change,) = event.data.changes
    assert change.model_dump(mode="json") == {
        "asset_id": str(asset["id"]),
        "field": "purchase_date",
        "value": "2025-03-01",
        "before": None,
        "origin": "manual",
        "reason": "a person set it",
        "asset_version": asset["version"],
        "edit_event_id": edit["id"],
        "edit_source": "/strangers/script",
    }


async def test_nothing_is_told_where_what_counts_stays(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    await w.start()
    first = w.event(0, "2025-03-01")
    await w.publish(first)
    await w.settled(first, "written")
    assert len(await heard(w)) == 1
    await w.pull(0, "2025-03-01")  # our echo
    assert (await w.edit(0, "2025-03-01"))["status"] == "unchanged"
    await w.edit(0, "2020-01-01", origin="lookup", lookup="dell")  # a manual date counts
    assert (await w.edit(0, "1900-01-01"))["status"] == "refused"
    await w.publish(first, first)
    await w.pull(0, "2022-02-02")  # a conflict is shown; the manual date counts on
    marker = await w.edit(1, "2025-04-01")  # whatever was published before it has been taken in
    events = await heard(w)
    assert [[each.edit_event_id for each in event.data.changes] for event in events] == [
        [first["id"]],
        [marker["event_id"]],
    ]


async def test_whatever_changes_what_counts_is_told_once(world: MakeWorld) -> None:  # noqa: F811
    w = await world(switched=False)
    await w.start()
    asset_id, here = (await w.asset(0))["id"], f"integration:{w.integration_id}"

    async def exclude(conn: Connection) -> Any:
        return await exclude_source(conn, w.author, asset_id, PURCHASE, "lookup:dell", excluded=True)

    async def take_remote(conn: Connection) -> Any:
        conflict = await conn.fetchval("select id from date_conflicts where status = 'open'")
        return await settle_conflict(conn, w.author, conflict, "remote")

    await w.pull(0, "2022-02-02")
    await w.edit(0, "2020-01-01", origin="lookup", lookup="dell")
    await w.within(exclude)
    await w.within(exclude)
    await w.edit(0, "2025-03-01")
    await w.edit(0, None)
    await w.edit(0, "2025-03-01")
    await w.pull(0, "2023-03-03")
    await w.within(take_remote)
    await w.edit(0, "2028-03-01", of=WARRANTY)  # else the asset would go with its integration
    await w.desk.remove(w.integration_id)
    await w.stage.outbox.sweep(older_than_seconds=0)

    events = await heard(w)
    assert in_words(events) == [
        [f"None > 2022-02-02 ({here})"],
        ["2022-02-02 > 2020-01-01 (lookup:dell)"],
        [f"2020-01-01 > 2022-02-02 ({here})"],
        ["2022-02-02 > 2025-03-01 (manual)"],
        [f"2025-03-01 > 2022-02-02 ({here})"],
        ["2022-02-02 > 2025-03-01 (manual)"],
        [f"2025-03-01 > 2023-03-03 ({here})"],
        ["None > 2028-03-01 (manual)"],
        ["2023-03-03 > None (None)"],
    ]
    versions = [event.data.changes[0].asset_version for event in events]
    assert versions == sorted(set(versions))
    assert {event.data.changes[0].asset_id for event in events} == {asset_id}


async def test_both_dates_of_several_assets_are_one_event(world: MakeWorld) -> None:  # noqa: F811
    w = await world()
    places: list[tuple[str, DateField]] = [(each["id"], field) for each in w.devices[:3] for field in FIELDS]
    pulled = [Pulled(device, field, date(2024, 2, 29), 5) for device, field in places]

    async def observe(conn: Connection) -> Any:
        return await observe_remote(conn, w.integration_id, pulled, source="test", correlation_id="the run")

    await w.within(observe)
    await w.within(observe)
    (event,) = await heard(w)
    assert (event.correlationid, event.subject) == ("the run", None)
    assert {(each.asset_id, each.field) for each in event.data.changes} == {
        (w.assets[device], field) for device, field in places
    }
    assert len(event.data.changes) == len(places)
