"""What is told of the dates that a transaction stored."""

from datetime import date
from uuid import UUID, uuid4

from shared.date_ledger.changes import MOST_CHANGES, change_events, changes
from shared.date_ledger.values import Asset, Cause, Stored
from shared.dates.calendar import PURCHASE, WARRANTY, DateField
from shared.dates.resolving import Resolution
from shared.events.dates import AssetDatesChanged
from shared.events.envelope import Event, parse_event

ACCOUNT = uuid4()
OLD, NEW, OTHER = date(2024, 1, 1), date(2025, 2, 2), date(2026, 3, 3)
EDIT = Cause("/acme/import", "import-7", "the story")
MIB = 1 << 20


def locked(
    purchase: date | None = OLD, *, asset_id: UUID | None = None, account_id: UUID = ACCOUNT, origin: str = "manual"
) -> Asset:
    stored: dict[DateField, tuple[date | None, str | None]] = {PURCHASE: (purchase, origin), WARRANTY: (None, None)}
    return Asset(asset_id or uuid4(), account_id, "laptop", 1, stored)


def store(
    asset: Asset,
    purchase: date | None,
    warranty: date | None = None,
    *,
    cause: Cause | None = None,
    origin: str = "manual",
) -> Asset:
    """Stored as the next version of a locked asset."""
    resolved: dict[DateField, Resolution] = {
        PURCHASE: Resolution(PURCHASE, purchase, origin, "a person set it"),
        WARRANTY: Resolution(WARRANTY, warranty, "lookup:dell" if warranty else None, "the only source"),
    }
    asset.news.append(Stored(asset.version + len(asset.news) + 1, resolved, cause))
    return asset


def told(*assets: Asset) -> list[tuple[DateField, date | None, date | None, int]]:
    return [(each.field, each.before, each.value, each.by.version) for each in changes(assets)]


def test_an_asset_that_was_only_locked_is_nothing() -> None:
    assert told(locked()) == []


def test_a_date_that_is_another_one_is_a_change_and_the_other_field_is_none() -> None:
    assert told(store(locked(), NEW)) == [(PURCHASE, OLD, NEW, 2)]
    assert told(store(locked(), None)) == [(PURCHASE, OLD, None, 2)]
    assert told(store(locked(None), NEW)) == [(PURCHASE, None, NEW, 2)]


def test_another_origin_of_the_same_date_is_no_change() -> None:
    assert told(store(locked(origin="lookup:dell"), OLD)) == []


def test_of_several_stores_the_first_before_and_the_last_value_count() -> None:
    assert told(store(store(locked(), NEW), OTHER)) == [(PURCHASE, OLD, OTHER, 3)]
    assert told(store(store(locked(), NEW), OLD)) == []


def test_an_asset_that_is_locked_again_goes_on_where_it_was() -> None:
    first = store(locked(), NEW)
    again = store(locked(NEW, asset_id=first.id), NEW, OTHER)
    assert told(first, again) == [(PURCHASE, OLD, NEW, 2), (WARRANTY, None, OTHER, 2)]
    assert told(first, store(locked(NEW, asset_id=first.id), OLD)) == []


def test_a_change_is_put_down_to_the_edit_that_made_it_not_to_a_later_one() -> None:
    later = Cause("/acme/import", "import-8", "another story")
    asset = store(store(locked(), NEW, cause=EDIT), NEW, OTHER, cause=later)
    assert {each.field: each.by.cause for each in changes([asset])} == {PURCHASE: EDIT, WARRANTY: later}


def test_what_one_edit_did_goes_on_with_its_story() -> None:
    asset = store(locked(), NEW, OTHER, cause=EDIT)
    (event,) = change_events(changes([asset]), source="writeback", correlation_id="the caller's")
    assert (event.correlationid, event.causationid) == ("the story", "import-7")
    assert (event.subject, event.accountid) == (f"assets/{asset.id}", ACCOUNT)
    assert [each.model_dump(mode="json", exclude={"asset_id"}) for each in event.data.changes] == [
        {
            "field": "purchase_date",
            "value": "2025-02-02",
            "before": "2024-01-01",
            "origin": "manual",
            "reason": "a person set it",
            "asset_version": 2,
            "edit_event_id": "import-7",
            "edit_source": "/acme/import",
        },
        {
            "field": "warranty_expiration_date",
            "value": "2026-03-03",
            "before": None,
            "origin": "lookup:dell",
            "reason": "the only source",
            "asset_version": 2,
            "edit_event_id": "import-7",
            "edit_source": "/acme/import",
        },
    ]


def test_what_several_edits_did_is_one_event_in_the_callers_story() -> None:
    both = [store(locked(), NEW, cause=EDIT), store(locked(), NEW, cause=Cause("/acme/import", "import-8", "b"))]
    (event,) = change_events(changes(both), source="writeback", correlation_id="the caller's")
    assert (event.correlationid, event.causationid, event.subject) == ("the caller's", None, None)
    assert [each.edit_event_id for each in event.data.changes] == ["import-7", "import-8"]


def test_accounts_do_not_hear_of_each_other() -> None:
    assets = [store(locked(account_id=account), NEW) for account in (ACCOUNT, uuid4(), ACCOUNT)]
    events = change_events(changes(assets), source="writeback")
    assert sorted(len(event.data.changes) for event in events) == [1, 2]
    for event in events:
        owners = {asset.account_id for asset in assets if asset.id in {each.asset_id for each in event.data.changes}}
        assert owners == {event.data.account_id} == {event.accountid}


def test_many_changes_are_several_events_of_less_than_a_mebibyte_each() -> None:
    longest = Cause("ä" * 500, "ä" * 200, "story")
    assets = [store(locked(None), NEW, OTHER, cause=longest) for _ in range(MOST_CHANGES)]
    events: list[Event[AssetDatesChanged]] = change_events(changes(assets), source="writeback")
    assert [len(event.data.changes) for event in events] == [MOST_CHANGES, MOST_CHANGES]
    for event in events:
        body = event.model_dump_json().encode()
        assert len(body) < MIB
        assert parse_event(body, AssetDatesChanged).data == event.data


def test_the_id_of_an_edit_that_was_no_event_is_no_causation_where_it_is_too_long() -> None:
    (event,) = change_events(changes([store(locked(), NEW, cause=Cause("/s", "x" * 201, "story"))]), source="writer")
    assert event.causationid is None
    assert event.data.changes[0].edit_event_id == "x" * 201
