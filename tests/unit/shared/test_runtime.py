"""What a service does with its broker's address, and with its own."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.runtime import CannotListen, listening, with_heartbeat


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://h", "amqp://h?heartbeat=10"),
        ("amqp://u:p@h:5672/vhost", "amqp://u:p@h:5672/vhost?heartbeat=10"),
        ("amqp://h/?connection_attempts=2", "amqp://h/?connection_attempts=2&heartbeat=10"),
        ("amqp://h/?heartbeat=60", "amqp://h/?heartbeat=60"),
        ("amqp://h/?a=1&heartbeat=60", "amqp://h/?a=1&heartbeat=60"),
        ("amqps://u:heartbeat=1@h/v", "amqps://u:heartbeat=1@h/v?heartbeat=10"),
        ("amqp://h/?no_heartbeat=1", "amqp://h/?no_heartbeat=1&heartbeat=10"),
    ],
)
def test_a_heartbeat_is_added_unless_one_is_asked_for(url: str, expected: str) -> None:
    assert with_heartbeat(url) == expected


@given(
    st.dictionaries(st.text("ab_", min_size=1, max_size=4), st.text("01x", min_size=1, max_size=3), max_size=3),
    st.sampled_from(["", "/", "/vhost", "/%2Fa"]),
)
@settings(max_examples=3 * settings.default.max_examples // 2)
def test_everything_else_in_the_address_stays(query: dict[str, str], path: str) -> None:
    asked = "&".join(f"{key}={value}" for key, value in query.items())
    before = f"amqp://u:p@h:5672{path}{'?' if asked else ''}{asked}"
    after = urlsplit(with_heartbeat(before))
    assert dict(parse_qsl(after.query)) == query | {"heartbeat": "10"}
    assert after._replace(query=asked).geturl() == urlsplit(before).geturl()


@given(st.text("abc", max_size=4))
def test_adding_it_twice_is_adding_it_once(path: str) -> None:
    once = with_heartbeat(f"amqp://h/{path}")
    assert with_heartbeat(once) == once


@pytest.mark.parametrize(
    ("host", "says"), [("127.0.0.1", "another program listens there"), ("192.0.2.1", "cannot be served at 192.0.2.1")]
)
def test_an_address_that_is_not_to_be_had_is_one_sentence(host: str, says: str) -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=says) as raised:
            listening(host, port)
    assert f"port {port}" in str(raised.value)
    assert "LIFECYCLE_HTTP_PORT" in raised.value.next_action
