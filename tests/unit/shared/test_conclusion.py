"""How a run ends: never as a success that it is not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runs.conclusion import (
    MISSING_COUNT_FOR_REVIEW,
    MISSING_SHARE_FOR_REVIEW,
    Balance,
    Counted,
    conclude,
)

SUCCESS = {"succeeded", "succeeded_with_rejects"}

small = st.integers(0, 40)
balances = st.builds(Balance, small, small, small, small, small, small)
balanced = balances.map(lambda b: replace(b, seen=b.created + b.updated + b.unchanged + b.rejected + b.repeated))
runs = st.builds(
    Counted,
    kind=st.sampled_from(["full", "company", "device"]),
    scopes=st.integers(1, 9),
    failed_scopes=st.integers(0, 2),
    first_failure=st.none() | st.just("page 1: refused"),
    lost_chunks=st.integers(0, 2),
    balance=balances | balanced,
    active_before=st.integers(0, 500),
    unseen=st.integers(0, 500),
)


def run(**changes: object) -> Counted:
    whole = Counted(
        kind="full",
        scopes=3,
        failed_scopes=0,
        first_failure=None,
        lost_chunks=0,
        balance=Balance(seen=100, created=10, updated=20, unchanged=70, rejected=0, repeated=0),
        active_before=90,
        unseen=0,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


@given(runs, st.booleans())
def test_no_run_succeeds_that_is_incomplete_or_does_not_balance(counted: Counted, accepted: bool) -> None:
    if counted.failed_scopes or counted.lost_chunks or not counted.balance.balances:
        assert conclude(counted, accepted=accepted).status not in SUCCESS


@given(runs)
def test_no_run_succeeds_by_itself_that_saw_nothing_where_there_was_something(counted: Counted) -> None:
    empty = replace(counted, balance=Balance(0, 0, 0, 0, 0, 0))
    nothing_missed = empty.kind != "device" and not empty.active_before
    complete = not empty.failed_scopes and not empty.lost_chunks
    assert (conclude(empty).status in SUCCESS) is (complete and nothing_missed)


@given(runs, st.booleans())
def test_devices_are_judged_after_a_full_success_and_never_else(counted: Counted, accepted: bool) -> None:
    found = conclude(counted, accepted=accepted)
    assert found.judge is (found.status in SUCCESS and counted.kind == "full")


@given(runs, st.booleans())
def test_what_is_no_plain_success_has_a_reason_and_the_next_action(counted: Counted, accepted: bool) -> None:
    found = conclude(counted, accepted=accepted)
    plain = found.status == "succeeded"
    assert (found.reason_code is None, found.reason is None, found.next_action is None) == (plain, plain, plain)


@given(runs)
def test_an_accepted_run_never_waits_again(counted: Counted) -> None:
    assert conclude(counted, accepted=True).status != "needs_review"


def test_rejects_are_told() -> None:
    balance = Balance(seen=100, created=99, updated=0, unchanged=0, rejected=1, repeated=0)
    found = conclude(run(balance=balance))
    assert (found.status, found.reason) == ("succeeded_with_rejects", "1 of 100 devices could not be mapped")


@pytest.mark.parametrize(
    ("active", "unseen", "review"),
    [
        (200, 20, False),  # 10 % and 20: neither is more
        (200, 21, True),
        (100, 20, False),  # 20 %, but few
        (21, 21, True),
        (20, 20, False),
        (210, 21, False),  # 10 % exactly
        (209, 21, True),
        (10_000, 1000, False),
        (10_000, 1001, True),
    ],
)
def test_many_vanished_devices_wait_for_a_person(active: int, unseen: int, review: bool) -> None:
    found = conclude(run(active_before=active, unseen=unseen))
    assert found.status == ("needs_review" if review else "succeeded")
    assert not (found.judge and review)


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_the_review_asks_for_more_than_the_share_and_more_than_the_count(active: int, unseen: int) -> None:
    unseen = min(unseen, active)
    many = unseen > MISSING_COUNT_FOR_REVIEW and unseen > active * MISSING_SHARE_FOR_REVIEW
    assert (conclude(run(active_before=active, unseen=unseen)).reason_code == "many_vanished") is many


@pytest.mark.parametrize("kind", ["company", "device"])
def test_a_narrow_run_judges_nobody_and_waits_for_nobody(kind: str) -> None:
    found = conclude(run(kind=kind, active_before=900, unseen=890))
    assert (found.status, found.judge) == ("succeeded", False)


@pytest.mark.parametrize(
    ("kind", "active", "reason_code"),
    [("company", 3, "saw_nothing"), ("device", 3, "device_gone"), ("device", 0, "device_gone")],
)
def test_a_narrow_run_that_saw_nothing_failed(kind: str, active: int, reason_code: str) -> None:
    found = conclude(run(kind=kind, balance=Balance(0, 0, 0, 0, 0, 0), active_before=active, unseen=active))
    assert (found.status, found.reason_code, found.judge) == ("failed", reason_code, False)


def test_a_company_that_never_had_a_device_may_have_none() -> None:
    empty = Balance(0, 0, 0, 0, 0, 0)
    assert conclude(run(kind="company", balance=empty, active_before=0)).status == "succeeded"


def test_a_run_that_saw_nothing_where_nothing_was_succeeded() -> None:
    found = conclude(run(balance=Balance(0, 0, 0, 0, 0, 0), active_before=0))
    assert (found.status, found.judge) == ("succeeded", True)


def test_a_run_of_which_every_list_failed_and_nothing_was_read_failed() -> None:
    nothing = Balance(0, 0, 0, 0, 0, 0)
    failed = run(failed_scopes=3, balance=nothing, first_failure="page 1: refused")
    found = conclude(failed)
    assert (found.status, found.reason_code) == ("failed", "incomplete")
    assert found.reason == "3 of 3 lists could not be read to the end; first: page 1: refused"
    assert conclude(replace(failed, failed_scopes=2)).status == "partial"
    assert conclude(run(failed_scopes=3)).status == "partial"


def test_a_lost_part_makes_a_run_partial() -> None:
    found = conclude(run(lost_chunks=2))
    assert (found.status, found.reason) == ("partial", "2 parts of pages are parked")


def test_an_unbalanced_run_shows_its_sheet() -> None:
    found = conclude(run(balance=Balance(seen=101, created=10, updated=20, unchanged=70, rejected=0, repeated=0)))
    assert (found.status, found.reason_code) == ("failed", "unbalanced")
    assert "seen=101" in str(found.reason)
