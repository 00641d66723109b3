"""The envelope: foreign CloudEvents are taken, what is none is refused without a word of its content."""

import json
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import BadMessage, UnknownEventVersion
from shared.events.envelope import Event, EventData, new_event, parse_event
from shared.events.syncs import PageDue, SyncRequested

INTEGRATION = UUID("00000000-0000-4000-8000-00000000000a")
ACCOUNT = UUID("00000000-0000-4000-8000-000000000001")
CANARY = "canary-6f1b"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def foreign(**members: Any) -> bytes:
    """The least that CloudEvents asks of a stranger, and what the test adds."""
    least = {
        "specversion": "1.0",
        "id": "A234-1234-1234",
        "source": "https://example.org/import",
        "type": "sync.requested",
        "time": "2026-04-05T17:31:00+02:00",
        "data": {"integration_id": str(INTEGRATION)},
    }
    return json.dumps({key: value for key, value in (least | members).items() if value is not ...}).encode()


def refusal(body: bytes, data_type: type[EventData] = SyncRequested) -> str:
    with pytest.raises(BadMessage) as caught:
        parse_event(body, data_type)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_the_least_that_cloudevents_asks_for_is_enough() -> None:
    event = parse_event(foreign(), SyncRequested)
    assert event.data == SyncRequested(integration_id=INTEGRATION)
    assert event.correlation_id == "A234-1234-1234"
    assert event.time == datetime(2026, 4, 5, 15, 31, tzinfo=UTC)
    assert (event.dataversion, event.accountid, event.subject) == (1, None, None)


known_members = frozenset(Event.model_fields)


@given(
    st.dictionaries(st.text(max_size=10).filter(lambda name: name not in known_members), json_values, max_size=4),
    st.dictionaries(
        st.text(max_size=10).filter(lambda name: name not in SyncRequested.model_fields), json_values, max_size=4
    ),
)
def test_unknown_members_are_ignored_wherever_they_stand(envelope: dict[str, Any], data: dict[str, Any]) -> None:
    body = foreign(**envelope, data={"integration_id": str(INTEGRATION)} | data)
    assert parse_event(body, SyncRequested) == parse_event(foreign(), SyncRequested)


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=3 * settings.default.max_examples // 2)
def test_any_bytes_are_an_event_or_a_bad_message(body: bytes) -> None:
    with pytest.raises(BadMessage):
        parse_event(body, SyncRequested)


@pytest.mark.parametrize(
    "changes",
    [
        {"specversion": "0.3"},
        {"id": ...},
        {"id": ""},
        {"id": CANARY * 40},
        {"source": ...},
        {"source": ""},
        {"type": ...},
        {"time": ...},
        {"time": CANARY},
        {"time": "2026-04-05T17:31:00"},
        {"data": ...},
        {"data": CANARY},
        {"data": {}},
        {"data": {"integration_id": CANARY}},
        {"data": {"integration_id": str(INTEGRATION), "kind": CANARY}},
        {"accountid": CANARY},
        {"correlationid": CANARY * 40},
        {"dataversion": CANARY},
    ],
)
def test_what_is_wrong_is_named_by_its_place_and_never_quoted(changes: dict[str, Any]) -> None:
    said = refusal(foreign(**changes))
    assert said.startswith(f"not a sync.requested event: {next(iter(changes))}")
    assert CANARY not in said


def test_another_type_is_named_in_short() -> None:
    assert refusal(foreign(type="x" * 5000)) == (f"expected a sync.requested event, the body says type {'x' * 80!r}")


@pytest.mark.parametrize("data", [{"integration_id": str(INTEGRATION)}, {"another": "shape"}, "no object", ...])
def test_another_version_is_named_whatever_its_shape(data: Any) -> None:
    with pytest.raises(UnknownEventVersion) as caught:
        parse_event(foreign(dataversion=2, data=data), SyncRequested)
    assert str(caught.value) == "sync.requested has version 2, this build reads up to 1"
    assert caught.value.code == "unknown_event_version"


def test_a_wrong_envelope_of_our_version_is_no_other_version() -> None:
    assert "time" in refusal(foreign(dataversion=1, time="yesterday"))


def test_a_type_of_a_later_version_is_read_by_a_build_that_knows_it() -> None:
    class Later(EventData):
        event_type: ClassVar[str] = "sync.requested"
        version: ClassVar[int] = 2
        wanted: str

    assert parse_event(foreign(dataversion=2, data={"wanted": "all"}), Later).data.wanted == "all"
    with pytest.raises(UnknownEventVersion):
        parse_event(foreign(), Later)


def test_a_new_event_begins_a_story_of_its_own() -> None:
    event = new_event(SyncRequested(integration_id=INTEGRATION), source="console", account_id=ACCOUNT)
    assert event.correlation_id == event.id
    assert (event.source, event.causationid, event.accountid) == ("/lifecycle/console", None, ACCOUNT)


def test_an_event_with_a_cause_carries_its_story_on() -> None:
    cause = parse_event(foreign(correlationid="story"), SyncRequested)
    due = PageDue(integration_id=INTEGRATION, run_id=uuid4(), scope_id=uuid4(), page_no=0)
    event = new_event(due, source="fetcher", account_id=None, cause=cause)
    assert (event.correlation_id, event.causationid) == ("story", "A234-1234-1234")
    assert event.id != cause.id


def test_two_events_never_share_an_id_and_a_given_one_is_kept() -> None:
    data = SyncRequested(integration_id=INTEGRATION)
    assert new_event(data, source="x", account_id=None).id != new_event(data, source="x", account_id=None).id
    assert new_event(data, source="x", account_id=None, event_id=ACCOUNT).id == str(ACCOUNT)


def test_what_we_write_we_read() -> None:
    sent = new_event(
        SyncRequested(integration_id=INTEGRATION, kind="company", target="é\u0001"),
        source="console",
        account_id=ACCOUNT,
        subject="integrations/1",
    )
    assert parse_event(sent.model_dump_json().encode(), SyncRequested) == sent


def test_names_of_attributes_are_as_cloudevents_allows() -> None:
    """Lower-case letters and digits, at most 20: what is not in the specification is an extension of ours."""
    assert all(name.isascii() and name.isalnum() and name == name.lower() and len(name) <= 20 for name in known_members)


def test_events_do_not_change() -> None:
    event = parse_event(foreign(), SyncRequested)
    with pytest.raises(ValueError, match="frozen"):
        event.id = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        event.data.kind = "device"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"data": {"integration_id": str(INTEGRATION), "kind": "company", "target": f"a\0{CANARY}"}}, "data.target"),
        ({"id": f"a\0{CANARY}"}, "id"),
        ({"correlationid": f"\0{CANARY}"}, "correlationid"),
    ],
)
def test_a_text_that_can_not_be_stored_is_refused_with_its_place(members: dict[str, Any], where: str) -> None:
    said = refusal(foreign(**members))
    assert f": {where}: has a NUL character" in said
    assert CANARY not in said


def test_a_backslash_that_only_looks_like_a_nul_is_text() -> None:
    data = {"integration_id": str(INTEGRATION), "kind": "company", "target": "\\u0000"}
    assert parse_event(foreign(data=data), SyncRequested).data.target == "\\u0000"
