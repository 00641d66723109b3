"""Dead messages are read leniently: whatever they are, something of them can be kept."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.dead import CRASH_LIMIT, DeadMessage, as_uuid, read_dead
from shared import headers as names

RUN = UUID("00000000-0000-4000-8000-00000000000a")
ACCOUNT = UUID("00000000-0000-4000-8000-000000000001")

values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=8)
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
envelopes = st.dictionaries(
    st.sampled_from(["id", "type", "data", "accountid", "correlationid", "other"]), json_values, max_size=6
)
headers = st.dictionaries(
    st.sampled_from(
        [names.ATTEMPT, names.FIRST_FAILED_AT, names.REASON, names.REASON_CODE, names.NEXT_ACTION, "other"]
    ),
    values
    | st.sampled_from(["2026-01-01", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00Z"]),
    max_size=6,
)


def dead(body: Any = None, *, headers: dict[str, Any] | None = None, **properties: Any) -> DeadMessage:
    given_properties: dict[str, Any] = {
        "routing_key": "writer.pages",
        "content_type": "application/json",
        "message_id": "m-1",
        "correlation_id": None,
    }
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_dead(body=raw, headers=headers or {}, **given_properties | properties)


def storable(message: DeadMessage) -> None:
    """What Postgres takes: no NUL in a text, whole numbers of 32 bits, instants that it can hold."""
    texts = (
        message.key,
        message.queue,
        message.reason_code,
        message.reason,
        message.next_action,
        message.traceback,
        message.content_type,
        message.correlation_id,
        message.event_type,
        message.event_id,
        *texts_in(json.loads(message.headers_json, parse_constant=no_such_number)),
    )
    assert all(isinstance(text, str | None) for text in texts)
    assert not any("\0" in text for text in texts if text)
    for text in texts:
        (text or "").encode()
    assert 1 <= message.attempts < 2**31
    assert message.first_failed_at is None or message.first_failed_at.tzinfo is not None
    assert message.first_failed_at is None or message.first_failed_at.astimezone(UTC)


def no_such_number(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from texts_in(each)


@given(
    st.binary(max_size=80) | envelopes.map(lambda value: json.dumps(value).encode()),
    headers,
    st.none() | st.text(max_size=8),
    st.none() | st.text(max_size=8),
    st.none() | st.text(max_size=8),
)
@settings(max_examples=15 * settings.default.max_examples // 4)
def test_any_bytes_and_headers_are_read_into_something_that_can_be_stored(
    body: bytes, said: dict[str, Any], message_id: str | None, content_type: str | None, correlation_id: str | None
) -> None:
    message = dead(body, headers=said, message_id=message_id, content_type=content_type, correlation_id=correlation_id)
    assert message.body == body
    storable(message)
    for name in ("run_id", "integration_id", "other"):
        assert isinstance(message.id_of(name), UUID | None)
    assert message.number_of("page_no") is None or 0 <= (message.number_of("page_no") or 0) < 2**31


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"nonsense", b"[1]", b'"text"', b"null", b'{"a":' * 5000, b"[" * 100_000, b"9" * 5000]
)
def test_what_is_no_event_is_kept_as_it_came(body: bytes) -> None:
    message = dead(body)
    storable(message)
    assert (message.event_type, message.event_id, message.account_id, message.data) == (None, None, None, {})


def test_an_event_tells_what_it_is() -> None:
    message = dead(
        {
            "id": "e-1",
            "type": "sync.page_due",
            "accountid": str(ACCOUNT),
            "correlationid": "story",
            "data": {"run_id": str(RUN), "page_no": 3},
        },
        correlation_id="of the message",
    )
    assert (message.event_id, message.event_type, message.account_id) == ("e-1", "sync.page_due", ACCOUNT)
    assert (message.id_of("run_id"), message.number_of("page_no"), message.correlation_id) == (RUN, 3, "story")


def test_the_correlation_of_the_message_stands_in_for_that_of_the_event() -> None:
    assert dead({"data": []}, correlation_id="of the message").correlation_id == "of the message"


@pytest.mark.parametrize("value", [None, 7, "nonsense", "", [str(RUN)], f"{RUN}x"])
def test_what_is_no_id_is_none(value: object) -> None:
    assert as_uuid(value) is None


@pytest.mark.parametrize("value", [None, True, "3", 3.5, -1, 2**31, [3]])
def test_what_is_no_number_is_none(value: object) -> None:
    assert dead({"data": {"page_no": value}}).number_of("page_no") is None


def test_a_message_that_only_the_broker_gave_up_says_so() -> None:
    message = dead({}, headers={"x-death": [{"reason": "delivery_limit", "time": datetime(2026, 1, 1, tzinfo=UTC)}]})
    assert message.reason_code == CRASH_LIMIT
    assert "consumer died" in message.reason
    assert message.next_action
    assert (message.attempts, message.first_failed_at, message.traceback) == (1, None, None)
    storable(message)


def test_a_parked_message_says_what_the_middleware_wrote() -> None:
    message = dead(
        {},
        headers={
            names.ATTEMPT: 4,
            names.FIRST_FAILED_AT: "2026-01-01T00:00:00+00:00",
            names.REASON_CODE: "rmm_server_error",
            names.REASON: "the rmm said 500",
            names.NEXT_ACTION: "wait",
            names.TRACEBACK: "",
        },
    )
    assert (message.attempts, message.first_failed_at) == (4, datetime(2026, 1, 1, tzinfo=UTC))
    assert (message.reason_code, message.reason, message.next_action, message.traceback) == (
        "rmm_server_error",
        "the rmm said 500",
        "wait",
        None,
    )


def test_without_a_message_id_the_same_body_is_the_same_message() -> None:
    first, again, other = (dead(body, message_id=None) for body in (b"a", b"a", b"b"))
    assert first.key == again.key == hashlib.sha256(b"a").hexdigest()
    assert other.key != first.key


def test_other_bodies_under_one_message_id_are_other_messages() -> None:
    first, again, other = (dead(body, message_id="m-1") for body in (b"a", b"a", b"b"))
    assert first.key == again.key
    assert other.key != first.key
    assert dead(b"a", message_id="m-2").key != first.key


def test_a_nul_is_shown_and_never_stored() -> None:
    message = dead({"type": "a\0b", "id": "\ud800"}, headers={names.REASON: "x\0y", "h": ["\0"]}, message_id="m\0")
    storable(message)
    assert message.event_type == "a�b"
    assert message.reason == "x�y"
