"""Every event type in every version: the JSON that was recorded once is read by every later build.

A recorded file is never edited. Data may gain members that can be left out; anything else is a new version of the
type, with a recorded file of its own.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import shared.events
from shared import topology
from shared.errors import BadMessage, UnknownEventVersion
from shared.events import bulk_contract
from shared.events.envelope import Event, EventData, parse_event

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.json"))
NAMES = [path.name.removesuffix(".json") for path in RECORDED]
MODELS: dict[str, type[EventData]] = {
    model.event_type: model
    for module in (shared.events, bulk_contract)
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, EventData) and hasattr(model, "event_type")
}

# What each version demands, for ever: whoever publishes that version sends these and need send no more.
DEMANDED = {
    "asset.changed": {"integration_id", "run_id", "created", "updated"},
    "asset.dates_changed": {"account_id", "rule", "changes"},
    "date.edited": {"account_id", "asset", "field", "value", "origin", "actor", "edited_at"},
    "date.push_due": {"integration_id"},
    "date.write_back_failed": {"account_id", "status", "reason_code", "reason", "next_action"},
    "date.written_back": {
        "account_id",
        "integration_id",
        "device_id",
        "asset_id",
        "field",
        "value",
        "before",
        "written",
    },
    "integration.created": {"integration_id"},
    "integration.credentials_replaced": {"integration_id", "credentials_version"},
    "integration.disabled": {"integration_id"},
    "integration.enabled": {"integration_id"},
    "integration.paused": {"integration_id", "reason_code", "reason", "next_action"},
    "integration.probe_due": {"integration_id"},
    "integration.removed": {"integration_id"},
    "integration.resumed": {"integration_id"},
    "replay.started": {"replay_id", "queue", "since", "until", "applied", "actor"},
    "sync.completed": {
        "integration_id",
        "run_id",
        "status",
        "seen",
        "created",
        "updated",
        "unchanged",
        "rejected",
        "repeated",
        "missing",
        "archived",
    },
    "sync.detail_due": {"integration_id", "turn"},
    "sync.failed": {"integration_id", "run_id", "status", "reason_code", "reason", "next_action"},
    "sync.page_due": {"integration_id", "run_id", "scope_id", "page_no"},
    "sync.requested": {"integration_id"},
}


@pytest.fixture(params=RECORDED, ids=NAMES)
def recorded(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One recorded event."""
    event: dict[str, Any] = json.loads(request.param.read_bytes())
    return event


def as_body(event: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({key: value for key, value in (event | changes).items() if value is not ...}).encode()


def model_of(event: dict[str, Any]) -> type[EventData]:
    return MODELS[event["type"]]


def places(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of an event that a model of ours reads; what the vendor sent is nobody's to add to."""
    if isinstance(value, dict):
        yield value
        for name, member in value.items():
            if name not in {"endpoints", "vendor", "sites"}:
                yield from places(member)
    if isinstance(value, list):
        for member in value:
            yield from places(member)


@pytest.mark.parametrize("event_type", topology.EVENT_TYPES)
def test_every_event_type_has_a_model_and_a_recording(event_type: str) -> None:
    assert event_type in MODELS
    assert any(name.startswith(f"{event_type}.v1") for name in NAMES)


def test_every_model_is_of_an_event_type_that_is_routed() -> None:
    assert set(MODELS) == set(topology.EVENT_TYPES)


@pytest.mark.parametrize("path", RECORDED, ids=NAMES)
def test_a_recording_is_named_after_its_type_and_version(path: Path) -> None:
    event = json.loads(path.read_bytes())
    assert path.name.startswith(f"{event['type']}.v{event.get('dataversion', 1)}.")


def test_a_recorded_event_is_read(recorded: dict[str, Any]) -> None:
    event = parse_event(as_body(recorded), model_of(recorded))
    assert (event.id, event.source, event.type) == (recorded["id"], recorded["source"], recorded["type"])
    assert event.correlation_id == recorded.get("correlationid", recorded["id"])


def test_nothing_of_a_recorded_event_is_lost_in_reading(recorded: dict[str, Any]) -> None:
    """A member that was renamed would be an unknown one, and be ignored."""
    read = parse_event(as_body(recorded), model_of(recorded))
    again = json.loads(read.model_dump_json(exclude_unset=True))
    assert shape(again) == shape(recorded)


def shape(value: Any) -> Any:
    """Names and plain values; dates and ids have more than one form, so texts only have to be texts."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value]
    return str if isinstance(value, str) else value


def test_unknown_members_change_nothing_wherever_they_stand(recorded: dict[str, Any]) -> None:
    before = parse_event(as_body(recorded), model_of(recorded))
    for number, place in enumerate(list(places(recorded))):
        place["surprise"] = {"of": ["a", "newer", "publisher", number]}
    assert parse_event(as_body(recorded), model_of(recorded)) == before


def test_our_extensions_and_optional_attributes_may_be_left_out(recorded: dict[str, Any]) -> None:
    optional = dict.fromkeys(
        ("subject", "datacontenttype", "dataversion", "correlationid", "causationid", "accountid"), ...
    )
    bare = parse_event(as_body(recorded, **optional), model_of(recorded))
    assert bare.data == parse_event(as_body(recorded), model_of(recorded)).data
    assert bare.correlation_id == recorded["id"]


def test_a_later_version_of_a_recorded_event_is_kept_for_a_later_build(recorded: dict[str, Any]) -> None:
    with pytest.raises(UnknownEventVersion):
        parse_event(as_body(recorded, dataversion=recorded.get("dataversion", 1) + 1), model_of(recorded))


def test_a_recorded_event_is_no_event_of_another_type(recorded: dict[str, Any]) -> None:
    other = MODELS["sync.page_due" if recorded["type"] != "sync.page_due" else "sync.completed"]
    with pytest.raises(BadMessage):
        parse_event(as_body(recorded), other)


def test_no_recorded_event_has_room_for_a_secret(recorded: dict[str, Any]) -> None:
    names = {name.lower() for place in places(recorded) for name in place}
    assert not {name for name in names if any(word in name for word in ("secret", "password", "token", "private"))}


@pytest.mark.parametrize("event_type", DEMANDED)
def test_a_version_never_demands_more_than_it_did(event_type: str) -> None:
    schema = MODELS[event_type].model_json_schema()
    assert set(schema["required"]) == DEMANDED[event_type]


def test_what_is_demanded_is_written_down_for_every_type() -> None:
    assert set(DEMANDED) == set(MODELS) - {"device.page_fetched", "asset.page_normalized"}


@pytest.mark.parametrize("model", [*MODELS.values(), Event], ids=lambda model: model.__name__)
def test_every_type_has_a_schema_that_leaves_room_for_newer_members(model: type[EventData]) -> None:
    schema = model.model_json_schema()
    shapes = [schema, *schema.get("$defs", {}).values()]
    assert schema["type"] == "object"
    assert all(each.get("additionalProperties") is not False for each in shapes)
    assert all(each.get("description") for each in [schema])
