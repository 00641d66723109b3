"""What becomes of a failed message: every branch, and rules that hold for any history."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import topology
from shared.errors import (
    BadMessage,
    BrokerUnavailable,
    CredentialsRejected,
    PipelineError,
    QuotaExhausted,
    RateLimited,
    RmmServerError,
    RmmUnreachable,
    StoreConflict,
    StoreUnavailable,
    Transient,
    WriteForbidden,
)
from shared.verdict import History, Hold, Park, Retry, RetryPolicy, Settle, Verdict, decide

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTEGRATION = UUID("00000000-0000-4000-8000-00000000000a")
POLICY = RetryPolicy(max_attempts=4, max_age=timedelta(hours=1))
FIRST_TRY = History(1, None)


class Unbounded(Transient):
    """Waits that neither count nor end by age, as those for our own budget do."""

    counts_as_attempt = False
    bounded_by_age = False


class BoundedByAge(Transient):
    """Waits that do not count and end by age, as those for a dead RMM do."""

    counts_as_attempt = False


waits = st.none() | st.timedeltas(timedelta(0), timedelta(hours=3))
counted = waits.map(lambda wait: Transient("down", retry_after=wait))
uncounted = waits.map(lambda wait: BoundedByAge("down", retry_after=wait))
unbounded = waits.map(lambda wait: Unbounded("full", retry_after=wait))
histories = st.builds(
    History,
    st.integers(1, 30),
    st.none() | st.timedeltas(timedelta(0), timedelta(days=30)).map(lambda age: NOW - age),
)
policies = st.builds(RetryPolicy, st.integers(1, 20), st.timedeltas(timedelta(seconds=1), timedelta(days=2)))


def verdict(error: Exception, history: History = FIRST_TRY, policy: RetryPolicy = POLICY) -> Verdict:
    return decide(error, history, policy, NOW)


def old(age: timedelta, attempts: int = 1) -> History:
    return History(attempts, NOW - age)


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), BrokerUnavailable("gone")])
def test_a_store_or_broker_that_is_away_burns_no_try_at_any_age(error: PipelineError) -> None:
    assert verdict(error, old(timedelta(days=9), attempts=99)) == Hold()


@pytest.mark.parametrize("error_type", [CredentialsRejected, WriteForbidden])
def test_a_paused_integration_settles_the_message(error_type: type[CredentialsRejected | WriteForbidden]) -> None:
    assert verdict(error_type("no", integration_id=INTEGRATION)) == Settle()


def test_a_permanent_error_is_parked_at_the_first_try_with_its_reason() -> None:
    error = BadMessage("data.page_no: field required")
    assert verdict(error) == Park("bad_message", "data.page_no: field required", error.next_action)


def test_anything_else_is_a_bug_that_names_its_type_and_quotes_nothing() -> None:
    parked = verdict(KeyError("the-customer's-secret"))
    assert isinstance(parked, Park)
    assert (parked.reason_code, parked.reason, parked.bug) == ("bug", "KeyError in the handler", True)
    assert "secret" not in parked.next_action


def test_a_plain_pipeline_error_belongs_to_no_branch_and_is_a_bug() -> None:
    parked = verdict(PipelineError("raised by mistake"))
    assert isinstance(parked, Park)
    assert parked.bug


@pytest.mark.parametrize(("attempts", "delay"), [(1, "5s"), (2, "30s"), (3, "2m"), (4, "10m"), (9, "10m")])
def test_each_counted_try_waits_one_rung_longer(attempts: int, delay: str) -> None:
    policy = RetryPolicy(max_attempts=20)
    assert verdict(StoreConflict("deadlock"), History(attempts, NOW), policy) == Retry(delay, attempts)


@pytest.mark.parametrize(
    ("asked", "delay"), [(1, "5s"), (31, "30s"), (130, "2m"), (599, "2m"), (600, "10m"), (9000, "10m")]
)
def test_a_wish_of_the_other_side_lengthens_the_wait(asked: int, delay: str) -> None:
    error = RmmServerError("busy", status=503, retry_after=timedelta(seconds=asked))
    assert verdict(error) == Retry(delay, 1)


def test_a_wish_never_shortens_the_wait() -> None:
    error = RmmServerError("busy", status=503, retry_after=timedelta(seconds=6))
    assert verdict(error, History(3, NOW)) == Retry("2m", 3)


def test_the_last_allowed_try_is_retried_no_more() -> None:
    error = RmmServerError("the rmm said 500", status=500)
    assert isinstance(verdict(error, History(3, NOW)), Retry)
    assert verdict(error, History(4, NOW)) == Park(
        "rmm_server_error", "the rmm said 500 (given up after 4 attempts)", error.next_action
    )


def test_age_ends_a_message_that_has_tries_left() -> None:
    error = RmmServerError("the rmm said 500", status=500)
    assert isinstance(verdict(error, old(timedelta(hours=1))), Retry)
    parked = verdict(error, old(timedelta(hours=1, seconds=1)))
    assert isinstance(parked, Park)
    assert parked.reason.endswith("(given up after 60 minutes)")


def test_an_age_of_one_minute_is_said_in_the_singular() -> None:
    policy = RetryPolicy(max_age=timedelta(seconds=30))
    parked = verdict(RmmServerError("500", status=500), old(timedelta(seconds=61)), policy)
    assert isinstance(parked, Park)
    assert parked.reason == "500 (given up after 1 minute)"


def test_a_wait_that_is_no_try_does_not_count_as_one() -> None:
    error = RateLimited("429", retry_after=timedelta(seconds=40))
    assert verdict(error, History(3, NOW)) == Retry("30s", 2)


def test_a_wait_without_a_wish_takes_the_shortest_rung() -> None:
    assert verdict(RmmUnreachable("refused"), History(1, NOW)) == Retry("5s", 0)


def test_an_unreachable_rmm_ends_by_age() -> None:
    parked = verdict(RmmUnreachable("refused"), old(timedelta(hours=2)))
    assert isinstance(parked, Park)
    assert parked.reason_code == "rmm_unreachable"


def test_waiting_for_our_own_budget_never_ends() -> None:
    assert verdict(QuotaExhausted(timedelta(seconds=200)), old(timedelta(days=30))) == Retry("2m", 0, ages=False)


def test_waiting_for_our_own_budget_does_not_make_the_message_older() -> None:
    """Else the first real failure after a long wait would park a message that was tried once."""
    waited = verdict(QuotaExhausted(timedelta(seconds=200)))
    failed = verdict(RmmServerError("500", status=500))
    assert isinstance(waited, Retry)
    assert isinstance(failed, Retry)
    assert (waited.ages, failed.ages) == (False, True)


@given(counted, histories, policies)
def test_no_counted_failure_is_retried_past_a_cap(error: Transient, history: History, policy: RetryPolicy) -> None:
    found = decide(error, history, policy, NOW)
    age = NOW - history.first_failed_at if history.first_failed_at else timedelta(0)
    spent = history.attempts >= policy.max_attempts or age > policy.max_age
    assert isinstance(found, Park if spent else Retry)


@given(counted, histories, policies)
def test_tries_only_go_up_and_by_one(error: Transient, history: History, policy: RetryPolicy) -> None:
    found = decide(error, history, policy, NOW)
    assert not isinstance(found, Retry) or found.attempts == history.attempts


@given(counted | uncounted | unbounded, histories, policies)
def test_every_retry_names_a_rung_that_stands(error: Transient, history: History, policy: RetryPolicy) -> None:
    found = decide(error, history, policy, NOW)
    assert isinstance(found, Retry | Park)
    assert isinstance(found, Park) or found.delay in topology.DELAYS


@given(unbounded, histories, policies)
def test_a_wait_that_is_bounded_by_nothing_is_never_parked(
    error: Transient, history: History, policy: RetryPolicy
) -> None:
    assert isinstance(decide(error, history, policy, NOW), Retry)


@given(uncounted, histories, policies)
def test_a_wait_that_is_no_try_is_parked_by_age_alone(error: Transient, history: History, policy: RetryPolicy) -> None:
    found = decide(error, history, policy, NOW)
    too_old = history.first_failed_at is not None and NOW - history.first_failed_at > policy.max_age
    assert isinstance(found, Park) is too_old
    assert isinstance(found, Park) or found.attempts == history.attempts - 1


@given(st.lists(st.sampled_from(["counted", "uncounted", "unbounded"]), max_size=60), policies)
def test_any_story_ends_after_as_many_counted_failures_as_are_allowed(story: list[str], policy: RetryPolicy) -> None:
    """Carried on as the middleware does it, with a clock that stands."""
    kinds = {"counted": Transient, "uncounted": BoundedByAge, "unbounded": Unbounded}
    attempts, failures = 0, 0
    for kind in story:
        failures += kind == "counted"
        found = decide(kinds[kind]("down"), History(attempts + 1, NOW), policy, NOW)
        if isinstance(found, Park):
            assert failures == policy.max_attempts
            return
        assert isinstance(found, Retry)
        attempts = found.attempts
    assert failures < policy.max_attempts


@given(st.timedeltas(timedelta(0), timedelta(hours=3)))
def test_the_rung_for_a_wait_is_the_longest_that_fits_or_the_shortest(wait: timedelta) -> None:
    rung = topology.DELAYS[topology.delay_for(wait)]
    longer = [length for length in topology.DELAYS.values() if rung < length <= wait]
    assert not longer
    assert rung <= wait or rung == min(topology.DELAYS.values())
