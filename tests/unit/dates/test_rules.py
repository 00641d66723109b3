"""Dates, sources, sanity and the rule that says which date counts."""

import time
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dates.calendar import FIELDS, PURCHASE, WARRANTY, DateField, read_date
from shared.dates.resolving import RULE, Observation, resolve
from shared.dates.sanity import LATEST, SENTINELS, refuse_moment, refuse_pair, refuse_value
from shared.dates.sources import edit_source, integration_source, may_be_written

DAYS = st.dates(date(2015, 1, 1), date(2035, 12, 31))
SOURCES = ["manual", "lookup:dell", "lookup:hp", "integration:a", "integration:b"]
OBSERVATIONS = st.lists(
    st.builds(
        Observation,
        st.sampled_from(SOURCES),
        st.none() | DAYS,
        excluded=st.booleans(),
        chosen=st.just(False),
    ),
    unique_by=lambda each: each.source,
)


@pytest.mark.parametrize("zone", ["Pacific/Honolulu", "Pacific/Kiritimati", "UTC"])
@pytest.mark.parametrize(
    "text",
    [
        "2027-03-01",
        "2027-03-01T00:00:00Z",
        "2027-03-01T23:59:59.999999999-11:00",
        "2027-03-01T00:00:00+14:00",
        "2027-03-01t12:00:00.5z",
    ],
)
def test_a_date_is_the_same_day_everywhere(zone: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    assert read_date(text) == date(2027, 3, 1)
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "03/04/2025",
        "2027-3-1",
        "2027-02-30",
        "20270301",
        "2027-03-01T",
        "2027-03-01 00:00:00",
        "\u0662\u0660\u0662\u0667-\u0660\u0663-\u0660\u0661",
        "2027-03-01T25:00:00Z",
        "2027-W09-1",
        " 2027-03-01",
        "2027-03-01T00:00:00Z" + "0" * 100,
    ],
)
def test_nothing_else_is_a_date(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|day"):
        read_date(text)


@given(st.dates())
def test_every_day_is_read_as_it_is_written(day: date) -> None:
    assert read_date(day.isoformat()) == day


@pytest.mark.parametrize("day", [*SENTINELS, date(1979, 12, 31), LATEST + timedelta(days=1)])
@pytest.mark.parametrize("field", FIELDS)
def test_absurd_dates_are_refused_for_both_fields(day: date, field: DateField) -> None:
    assert refuse_value(field, day) is not None
    assert refuse_value(field, None) is None


def test_a_virtual_machine_has_no_warranty_but_a_purchase_date() -> None:
    assert refuse_value(WARRANTY, date(2027, 3, 1), virtual_machine=True) is not None
    assert refuse_value(WARRANTY, None, virtual_machine=True) is None
    assert refuse_value(PURCHASE, date(2027, 3, 1), virtual_machine=True) is None


@given(DAYS, DAYS)
def test_a_warranty_never_ends_before_the_purchase(purchase: date, warranty: date) -> None:
    refused = refuse_pair(purchase, warranty, PURCHASE)
    assert (refused is not None) == (warranty < purchase)
    assert refuse_pair(purchase, None, PURCHASE) is None
    assert refuse_pair(None, warranty, WARRANTY) is None


def test_a_clock_may_be_a_day_ahead_and_not_a_year() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert refuse_moment(now + timedelta(hours=23), now) is None
    assert refuse_moment(now + timedelta(days=365), now) is not None


def test_only_what_people_and_lookups_say_goes_into_an_rmm() -> None:
    assert may_be_written("manual")
    assert may_be_written(edit_source("lookup", "Dell  TechDirect"))
    assert not may_be_written(integration_source(uuid4()))
    assert not may_be_written(None)


def test_a_lookup_has_one_name_however_it_is_spelled() -> None:
    assert edit_source("lookup", " Dell  Tech:Direct ") == edit_source("lookup", "dell tech direct")
    assert edit_source("lookup", "integration:x").startswith("lookup:")
    assert edit_source("manual", "whoever") == "manual"


@given(st.sampled_from(FIELDS), OBSERVATIONS, st.randoms())
def test_the_rule_does_not_care_for_the_order(field: DateField, some: list[Observation], random: object) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve(field, shuffled) == resolve(field, some)


@given(st.sampled_from(FIELDS), OBSERVATIONS)
def test_the_rule_is_what_it_says_and_names_every_loser(field: DateField, some: list[Observation]) -> None:
    found = resolve(field, some)
    counting = {each.source: each.value for each in some if each.value and not each.excluded}
    if "manual" in counting:
        expected = counting["manual"]
    elif counting:
        expected = min(counting.values()) if field == PURCHASE else max(counting.values())
    else:
        expected = None
    assert found.value == expected
    assert found.rule == RULE
    said = {each.source for each in some if each.value}
    assert {each.source for each in found.losers} | ({found.origin} - {None}) == said
    assert all(each.why for each in found.losers)


def test_of_equal_dates_the_one_that_may_be_written_counts() -> None:
    day = date(2027, 3, 1)
    for field in FIELDS:
        found = resolve(field, [Observation("integration:a", day), Observation("lookup:dell", day)])
        assert found.origin == "lookup:dell"


def test_a_date_taken_in_a_conflict_counts_until_a_person_sets_another() -> None:
    taken = Observation("integration:a", date(2030, 1, 1), chosen=True)
    lookup = Observation("lookup:dell", date(2020, 1, 1))
    assert resolve(PURCHASE, [taken, lookup]).origin == "integration:a"
    assert resolve(PURCHASE, [taken, lookup, Observation("manual", date(2025, 1, 1))]).origin == "manual"
