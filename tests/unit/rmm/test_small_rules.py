"""Dates, regions, scopes, quirks, rate headers, error bodies: rules without I/O."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import errors
from shared.rmm.dates import parse_remote_date
from shared.rmm.pages import parse_device_page
from shared.rmm.quirks import Quirks
from shared.rmm.rates import read_rate
from shared.rmm.regions import Region, base_url, check_base_url, detect_region, wrong_region
from shared.rmm.scopes import READ_SCOPES, WRITE_SCOPES, missing_scopes
from shared.rmm.wording import read_wording
from tests.unit.rmm.world import INTEGRATION

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


class Headers(dict[str, str]):
    """Case-insensitive enough: the rules ask with the spelling of the notes."""

    def __init__(self, **named: str) -> None:
        super().__init__({name.replace("_", "-"): value for name, value in named.items()})


# Dates


@given(st.dates(), st.times(), st.integers(-14 * 60, 14 * 60), st.sampled_from(["Z", "z", "", "+", "-"]))
def test_a_remote_date_is_cut_and_never_shifted(day: date, time: object, minutes: int, zone: str) -> None:
    offset = f"{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    suffix = zone + offset if zone in {"+", "-"} else zone
    assert parse_remote_date(f"{day.isoformat()}T{time}{suffix}") == day
    assert parse_remote_date(f" {day.isoformat()} ") == day


@pytest.mark.parametrize(
    "text",
    ["2027-03-01", "2027-03-01T00:00:00Z", "2027-03-01T23:30:00-08:00", "2027-03-01T00:30:00.123456789+1400"],
)
def test_the_spellings_of_one_day_are_one_date(text: str) -> None:
    assert parse_remote_date(text) == date(2027, 3, 1)


@pytest.mark.parametrize(
    "text",
    [
        None, "", " ", "null", "03/04/2025", "2027-3-1", "20270301", "2027-02-30", "2027-13-01", "1704067200",
        "2027-03-01T", "2027-03-01T25:00:00Z", "2027-03-01T10:61:00Z", "2027-03-01 or so", "2027-W09-1",
        "\u0662027-03-01", "2027-03-01T10:00:00Zjunk", "2027-03-01T10:00:00+99:00", "0000-00-00",
    ],
)  # fmt: skip
def test_what_is_not_such_a_date_is_none(text: str | None) -> None:
    assert parse_remote_date(text) is None


@given(st.text(max_size=40))
def test_no_text_makes_reading_a_date_fail(text: str) -> None:
    parse_remote_date(text)


# Regions


@pytest.mark.parametrize(
    ("client_id", "region"), [("0e30abc", "na"), ("0E31abc", "eu"), (" 0e32abc", "au"), ("x", None), ("", None)]
)
def test_the_region_shows_in_the_client_id(client_id: str, region: str | None) -> None:
    assert detect_region(client_id) == region


def test_a_key_of_another_region_gives_one_clear_sentence() -> None:
    words = wrong_region(Region.NA, "0e31abcdef")
    assert words is not None
    assert "EU" in words
    assert "NA" in words
    assert "abcdef" not in words
    assert wrong_region(Region.EU, "0e31abcdef") is None
    assert wrong_region(Region.EU, "unknown") is None


def test_the_base_url_comes_from_the_table_unless_configured() -> None:
    assert base_url(Region.AU) == "https://openapi.service.auplatform.connectwise.com"
    assert base_url(Region.AU, "http://127.0.0.1:8080/") == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "url", ["", "rmm.test", "ftp://rmm.test", "https://", "https://user:pw@rmm.test", "https://rmm.test?x=1"]
)
def test_a_base_url_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="must be like") as caught:
        check_base_url(url)
    assert "pw" not in str(caught.value)


# Scopes


def test_reading_asks_for_no_right_to_write() -> None:
    assert not [scope for scope in READ_SCOPES if not scope.endswith(".read")]
    assert "platform.devices.write" in WRITE_SCOPES


def test_scopes_that_the_echo_lacks_are_named() -> None:
    assert missing_scopes(("a.read", "b.read"), "b.read c.read") == ("a.read",)
    assert missing_scopes(("a.read",), "") == ()


# Quirks


def test_quirks_tell_only_what_changed() -> None:
    quirks = Quirks.from_json('{"list_method": "GET"}')
    assert not quirks.changed
    quirks.sites_all = False
    assert quirks.changes() == {"sites_all": False}
    quirks.saved()
    assert not quirks.changed
    assert Quirks.from_json(quirks.to_json()) == quirks


@pytest.mark.parametrize("text", [None, "", "[]", "not json", '{"list_method": "PUT"}', '{"made_by": "a newer build"}'])
def test_quirks_that_cannot_be_read_fall_back_to_defaults(text: str | None) -> None:
    assert Quirks.from_json(text) == Quirks()


def test_one_unreadable_quirk_does_not_cost_the_others() -> None:
    quirks = Quirks.from_json('{"list_method": "PUT", "companies_per_call": 2}')
    assert (quirks.list_method, quirks.companies_per_call) == ("POST", 2)


# Rate headers


@pytest.mark.parametrize("family", ["", "X-RateLimit-", "X-Rate-Limit-", "RateLimit-"])
def test_every_family_of_rate_headers_is_read(family: str) -> None:
    reset = int(NOW.timestamp()) + 60
    headers = {f"{family}Limit": "500", f"{family}Remaining": "0", f"{family}Reset": str(reset)}
    reading = read_rate(200, headers, NOW)
    assert reading is not None
    assert (reading.limit, reading.remaining, reading.wait) == (500, 0, timedelta(seconds=60))


def test_the_smallest_remaining_of_several_buckets_counts() -> None:
    headers = Headers(Limit="500", Remaining="400", X_RateLimit_Limit="35", X_RateLimit_Remaining="3")
    reading = read_rate(200, headers, NOW)
    assert reading is not None
    assert (reading.limit, reading.remaining, reading.wait) == (35, 3, None)


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_bogus_zero_limits_are_ignored(limit: str) -> None:
    assert read_rate(200, Headers(Limit=limit, Remaining="0", Reset="0"), NOW) is None


def test_a_lone_zero_remaining_without_a_limit_is_ignored() -> None:
    assert read_rate(200, Headers(Remaining="0"), NOW) is None


def test_retry_after_comes_before_the_reset() -> None:
    headers = Headers(Retry_After="7", Limit="500", Remaining="0", Reset=str(int(NOW.timestamp()) + 60))
    reading = read_rate(429, headers, NOW)
    assert reading is not None
    assert (reading.wait, reading.refused) == (timedelta(seconds=7), True)


def test_retry_after_as_a_date_is_measured_by_the_answers_own_clock() -> None:
    headers = Headers(Retry_After="Mon, 01 Mar 2027 00:01:30 GMT", Date="Mon, 01 Mar 2027 00:01:00 GMT")
    reading = read_rate(429, headers, NOW)
    assert reading is not None
    assert reading.wait == timedelta(seconds=30)


@pytest.mark.parametrize("text", ["99999999999999999999", "86400"])
def test_a_wait_is_capped_at_300_seconds(text: str) -> None:
    reading = read_rate(429, Headers(Retry_After=text), NOW)
    assert reading is not None
    assert reading.wait == timedelta(seconds=300)


@pytest.mark.parametrize("text", ["", "soon", "-5", "0", "Mon, 99 Mar 2027", "1.5"])
def test_a_429_without_a_usable_wait_has_none(text: str) -> None:
    reading = read_rate(429, Headers(Retry_After=text), NOW)
    assert reading is not None
    assert (reading.wait, reading.refused) == (None, True)


def test_a_429_with_bogus_limits_still_uses_the_reset() -> None:
    reading = read_rate(429, Headers(Limit="0", Remaining="0", Reset=str(int(NOW.timestamp()) + 9)), NOW)
    assert reading is not None
    assert reading.wait == timedelta(seconds=9)


def test_a_reset_in_seconds_instead_of_a_time_is_understood() -> None:
    headers = Headers(RateLimit_Limit="500, 500;w=300", RateLimit_Remaining="0", RateLimit_Reset="12")
    reading = read_rate(200, headers, NOW)
    assert reading is not None
    assert (reading.limit, reading.wait) == (500, timedelta(seconds=12))


@given(st.dictionaries(st.sampled_from(["Limit", "Remaining", "Reset", "Retry-After", "Date"]), st.text(max_size=30)))
def test_no_headers_make_reading_the_rate_fail(headers: dict[str, str]) -> None:
    read_rate(429, headers, NOW)


# Error bodies


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error":"unauthorized request","description":"token expired"}', "unauthorized request: token expired"),
        (b'{"code":"bad_request","message":"ErrClientIDNotAllowed"}', "bad_request: ErrClientIDNotAllowed"),
        (b'{"message":"only this"}', "only this"),
        (b'{"error":[{"code":"c1","message":"m1"},{"code":"c2"}]}', "c1: m1"),
        (b'{"error":{"code":"c","description":"d"}}', "c: d"),
        (b'{"error":{"message":"m"}}', "m"),
        (b'{"error":"invalid_client","error_description":"no such client"}', "invalid_client: no such client"),
        (b'{"error":"only a word"}', "only a word"),
        (b'{"errors":[{"message":"first"}]}', "first"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b"Too Many Requests", "Too Many Requests"),
        (b"", "no reason given"),
        (b"{}", "no reason given"),
        (b"[]", "no reason given"),
        (b"\xff\xfe\x00", "\ufffd\ufffd"),
        (b"<html><h1>Sorry</h1>", "an HTML page"),
        (b'{"description":"d","message":"m","error_description":"e","error":"x"}', "x: d"),
    ],
)
def test_every_shape_of_error_body_gives_its_words(body: bytes, words: str) -> None:
    assert str(read_wording(body)) == words


@given(
    st.recursive(
        st.none() | st.text(max_size=9) | st.integers(),
        lambda c: (
            st.lists(c, max_size=3)
            | st.dictionaries(st.sampled_from(["error", "code", "message", "errors", "x"]), c, max_size=3)
        ),
    )
)
def test_no_json_makes_reading_an_error_fail(content: object) -> None:
    words = read_wording(json.dumps(content).encode())
    assert len(str(words)) <= 500


def test_a_deeply_nested_error_body_is_no_danger() -> None:
    assert str(read_wording(b'{"error":' * 5000 + b"1" + b"}" * 5000))


def test_words_are_one_short_line_without_key_material() -> None:
    body = (
        b'{"message":"line\\nbreak Bearer abc.def scope platform.custom_fields_definitions.write '
        b'id 7d0f6d0e-3f0b-4c58-9f1e-0c8d9a4b1111 key %s my-secret %s"}'
    )
    words = read_wording(body % (b"A" * 60, b"long " * 200), hide=("my-secret",)).text
    assert "\n" not in words
    assert len(words) <= 200
    assert "abc.def" not in words
    assert "AAAA" not in words
    assert "my-secret" not in words
    assert "platform.custom_fields_definitions.write" in words
    assert "7d0f6d0e-3f0b-4c58-9f1e-0c8d9a4b1111" in words


# The tree


def test_every_error_has_a_code_of_its_own_and_a_next_action() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__ if name != "Pauses"]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert all(kind.next_action and kind.__doc__ for kind in kinds)
    assert all(kind.code == kind.code.lower().replace(" ", "_") for kind in kinds)


def test_an_exhausted_quota_is_no_attempt_and_knows_its_wait() -> None:
    error = errors.QuotaExhausted(timedelta(seconds=12))
    assert (error.retry_after, error.wait, error.counts_as_attempt) == (
        timedelta(seconds=12),
        timedelta(seconds=12),
        False,
    )


def test_what_a_pause_stops_depends_on_the_error() -> None:
    assert errors.CredentialsRejected("x", integration_id=INTEGRATION).pauses == "integration"
    assert errors.WriteForbidden("x", integration_id=INTEGRATION).pauses == "writing"
    assert errors.ScopeMissing("x", integration_id=INTEGRATION, pauses="dates").pauses == "dates"


def test_a_web_page_in_the_place_of_devices_is_called_one() -> None:
    with pytest.raises(errors.RmmAnswerUnreadable, match="a web page came in the place of JSON"):
        parse_device_page(b"<!DOCTYPE html><html><title>Sign in</title></html>", ())
