"""What the sweep of dates leaves of a request budget to edits and lists, and how evenly it takes the rest."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rmm_access.rules import BEFORE_PAGES, BudgetRules, Lists, left_by_sweep, pace_of

VENDOR = BudgetRules(requests=450, window=timedelta(minutes=5), reserve=45)
budgets = st.builds(
    BudgetRules,
    requests=st.integers(1, 100_000),
    window=st.integers(1, 3600).map(lambda seconds: timedelta(seconds=seconds)),
    reserve=st.integers(0, 1000),
)
some_lists = st.builds(
    Lists,
    listing_for=st.none() | st.timedeltas(timedelta(0), timedelta(days=1)),
    due_in=st.none() | st.timedeltas(timedelta(days=-1), timedelta(days=1)),
    pages=st.integers(0, 2000),
)


@pytest.mark.parametrize(
    ("lists", "left"),
    [
        (Lists(), 45),
        (Lists(due_in=timedelta(minutes=6), pages=100), 45),
        (Lists(due_in=timedelta(minutes=5), pages=100), 45 + 103),
        (Lists(due_in=timedelta(seconds=-3), pages=100), 45 + 103),
        (Lists(due_in=timedelta(minutes=1), pages=3000), 449),
        (Lists(listing_for=timedelta(seconds=2), pages=100), 45 + 103),
        (Lists(listing_for=timedelta(seconds=2)), 90),
        (Lists(listing_for=timedelta(hours=2), pages=100), 90),
    ],
)
def test_a_list_that_is_read_or_is_due_within_the_window_finds_its_requests_free(lists: Lists, left: int) -> None:
    assert left_by_sweep(VENDOR, lists) == left


@given(budgets, some_lists)
def test_edits_keep_their_reserve_and_the_smallest_budget_is_swept(rules: BudgetRules, lists: Lists) -> None:
    left = left_by_sweep(rules, lists)
    assert min(rules.reserve, rules.requests - 1) <= left < rules.requests


@given(budgets, st.integers(0, 2000))
def test_what_the_sweep_may_have_beside_a_foreseen_list_leaves_the_whole_list(rules: BudgetRules, pages: int) -> None:
    swept = rules.requests - left_by_sweep(rules, Lists(due_in=rules.window, pages=pages))
    assert swept == 1 or swept + rules.reserve + pages + BEFORE_PAGES <= rules.requests


@given(budgets)
def test_the_pace_uses_the_whole_budget_and_no_more_than_a_hundredth_at_once(rules: BudgetRules) -> None:
    requests, time = pace_of(rules)
    assert requests == 1 or requests - 1 < rules.requests / 100
    in_a_window = requests * (rules.window / time)
    assert rules.requests * 1.05 < in_a_window < rules.requests * 1.06


def test_by_the_vendors_rate_the_sweep_waits_for_its_pace_where_it_is() -> None:
    """A wait of more than three seconds would end the turn, and cost the time until somebody looks again."""
    requests, time = pace_of(VENDOR)
    assert requests == 4
    assert time < timedelta(seconds=3)
