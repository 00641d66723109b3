"""Whose date it is that came back."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dates.echo import (
    Known,
    RemoteState,
    after_pull,
    begin_writing,
    confirm,
    judge_pulled,
)
from shared.dates.pushing import Seen, judge_read_back, plan_field, wish
from shared.dates.resolving import Observation, resolve

A, B, C = date(2025, 1, 1), date(2026, 1, 1), date(2027, 1, 1)
VALUES = st.sampled_from([None, A, B, C])

BEFORE = RemoteState(seen=Known(A), seen_seq=10)
WRITING = begin_writing(B, Known(A), 20, BEFORE)
IN_FLIGHT = replace(WRITING, in_flight=True)
WRITTEN = confirm(B, 22, WRITING)


@pytest.mark.parametrize(
    ("value", "seq", "state", "verdict"),
    [
        (A, 5, RemoteState(), "first_sight"),
        (None, 5, RemoteState(), "first_sight"),
        (A, 11, BEFORE, "unchanged"),
        (B, 11, BEFORE, "remote_change"),
        (B, 9, BEFORE, "stale"),
        (B, 21, IN_FLIGHT, "echo"),
        (A, 21, IN_FLIGHT, "stale"),
        (C, 21, IN_FLIGHT, "stale"),
        (B, 21, WRITING, "echo"),
        (B, 19, WRITING, "echo"),
        (A, 21, WRITING, "unchanged"),
        (C, 19, WRITING, "stale"),
        (C, 21, WRITING, "remote_change"),
        (B, 30, WRITTEN, "echo"),
        (B, 21, WRITTEN, "echo"),
        (A, 21, WRITTEN, "stale"),
        (A, 30, WRITTEN, "remote_change"),
        (C, 30, WRITTEN, "remote_change"),
        (None, 30, WRITTEN, "remote_change"),
    ],
)
def test_the_echo_rule(value: date | None, seq: int, state: RemoteState, verdict: str) -> None:
    assert judge_pulled(value, seq, state) == verdict


def test_after_somebodys_change_our_own_date_is_news_again() -> None:
    changed = after_pull(C, 30, WRITTEN)
    assert judge_pulled(C, 31, changed) == "unchanged"
    assert judge_pulled(B, 32, changed) == "remote_change"


def test_a_write_that_may_not_have_come_there_hides_nobodys_change() -> None:
    changed = after_pull(C, 21, WRITING)
    assert (changed.seen, changed.writing, changed.before) == (Known(C), None, None)
    # What is in flight is settled by its writer, and what arrived is ours.
    assert after_pull(C, 21, IN_FLIGHT) == IN_FLIGHT
    assert after_pull(B, 21, WRITING) == WRITING


@given(
    st.lists(st.tuples(VALUES, st.integers(1, 40)), max_size=6), st.sampled_from([BEFORE, IN_FLIGHT, WRITING, WRITTEN])
)
def test_a_pull_twice_is_a_pull_once(pulls: list[tuple[date | None, int]], state: RemoteState) -> None:
    for value, seq in pulls:
        once = after_pull(value, seq, state)
        assert after_pull(value, seq, once) == once
        assert judge_pulled(value, seq, once) in {"stale", "echo", judge_pulled(value, seq, state)}
        state = once


@given(st.lists(st.tuples(VALUES, st.integers(23, 60)), min_size=1, max_size=6, unique_by=lambda each: each[1]))
def test_what_was_asked_for_last_is_what_was_seen_in_any_order(pulls: list[tuple[date | None, int]]) -> None:
    state = WRITTEN
    for value, seq in pulls:
        state = after_pull(value, seq, state)
    newest = max(pulls, key=lambda each: each[1])
    assert state.seen == Known(newest[0])
    assert state.seen_seq == newest[1]


def test_nothing_is_cleared_but_what_we_put_there() -> None:
    assert plan_field(None, Seen(B), WRITTEN) == "write"
    assert plan_field(None, Seen(C), WRITTEN) == "not_ours"
    assert plan_field(None, Seen(A), BEFORE) == "not_ours"
    assert plan_field(None, Seen(None), BEFORE) == "already"
    assert plan_field(None, Seen(None, readable=False), WRITTEN) == "not_ours"
    assert plan_field(None, Seen(B), WRITING) == "write"


def test_only_what_differs_is_written() -> None:
    assert plan_field(B, Seen(B), RemoteState()) == "already"
    assert plan_field(B, Seen(None), RemoteState()) == "write"
    assert plan_field(B, Seen(None, readable=False), RemoteState()) == "write"


def test_a_look_after_the_write_tells_three_things_apart() -> None:
    assert judge_read_back(B, Seen(A), Seen(B)) == "kept"
    assert judge_read_back(B, Seen(A), Seen(A)) == "not_kept"
    assert judge_read_back(B, Seen(A), Seen(C)) == "changed"
    assert judge_read_back(None, Seen(A), Seen(None)) == "kept"


def test_a_date_of_one_rmm_is_never_a_wish_for_another() -> None:

    one, two = UUID(int=1), UUID(int=2)
    of_one = resolve("purchase_date", [Observation(f"integration:{one}", A)])
    assert wish(of_one, one) == "nothing"
    assert wish(of_one, two) == "withdraw"
    assert wish(resolve("purchase_date", [Observation("lookup:x", A)]), two) == "set"
    assert wish(resolve("purchase_date", []), one) == "withdraw"
