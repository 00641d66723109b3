"""Log lines: a secret never passes, by its name or by its shape."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.observability.logs import redact

CANARY = "canary-6f1b"


def redacted(**entry: Any) -> str:
    return repr(redact(None, "info", entry))


@pytest.mark.parametrize(
    "key",
    [
        "client_secret",
        "clientSecret",
        "SECRET",
        "access_token",
        "Authorization",
        "password",
        "db_password",
        "private_key",
    ],
)
def test_what_is_called_a_secret_is_hidden(key: str) -> None:
    assert CANARY not in redacted(event="x", **{key: CANARY})
    assert CANARY not in redacted(event="x", **{key: [CANARY, 1]})
    assert redact(None, "info", {key: CANARY}) == {key: "[hidden]"}


def test_a_secret_is_hidden_however_deep_it_lies() -> None:
    assert CANARY not in redacted(request={"headers": [{"authorization": CANARY}], "json": {"token": CANARY}})
    assert CANARY not in redacted(calls=[(f"Bearer {CANARY}", {"url": f"https://me:{CANARY}@rmm/x"})])


@pytest.mark.parametrize(
    "text",
    [
        f"amqp://me:{CANARY}@broker:5672/",
        f"no connection to postgresql://{CANARY}@db/x and more",
        f"first amqp://me:{CANARY}@a/ then amqps://you:{CANARY}@b/",
        f"Authorization: Bearer {CANARY}",
        f"{{'authorization': 'Bearer {CANARY}.{CANARY}/+='}}",
    ],
)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(text: str) -> None:
    assert CANARY not in redacted(event=text)
    assert CANARY not in redacted(exception=f"Traceback:\n  ValueError: {text}")


def test_the_rest_of_a_line_stays_readable() -> None:
    said = redact(None, "info", {"event": "lost amqp://me:x@broker:5672/vhost", "queue": "writer.pages", "n": 3})
    assert said == {"event": "lost amqp://[hidden]@broker:5672/vhost", "queue": "writer.pages", "n": 3}


def test_counting_tokens_is_no_secret() -> None:
    assert redact(None, "info", {"token_count": 3}) == {"token_count": 3}


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=10) | st.binary(max_size=4) | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner)
            | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
@settings(max_examples=3 * settings.default.max_examples // 2)
def test_no_value_makes_a_log_line_fail(value: object) -> None:
    assert set(redact(None, "info", {"event": "x", "value": value})) == {"event", "value"}


@given(st.dictionaries(st.text("abc", max_size=5), st.integers() | st.lists(st.integers(), max_size=3), max_size=4))
def test_what_is_no_secret_is_left_as_it_is(value: dict[str, Any]) -> None:
    assert redact(None, "info", {"value": value}) == {"value": value}
