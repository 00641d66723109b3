"""What becomes of a message whose handler raised: one pure decision, carried out by one middleware.

    Transient    -> its delay, then back to its own queue; tries and age are capped, then it is parked
    Paused       -> the integration is paused (the service says how), the message is settled
    Permanent    -> parked with the reason
    anything else is a bug: logged once with its traceback, parked

A store or broker that is down for everybody burns no tries: the service holds what it has and runs the handler
again when the world is back. No handler nacks, rejects or catches by itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import topology
from shared.errors import BrokerUnavailable, Paused, Permanent, PipelineError, StoreUnavailable, Transient


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long a message is tried: whichever cap is reached first ends it."""

    max_attempts: int = 4
    max_age: timedelta = timedelta(hours=1)


@dataclass(frozen=True)
class History:
    """What a message has been through. attempts counts this one too."""

    attempts: int
    first_failed_at: datetime | None


@dataclass(frozen=True)
class Retry:
    """Back to its own queue after the delay, with this many attempts behind it.

    ages: the wait makes the message older; one that is bounded by nothing does not, or the first real failure after
    it would be the last.
    """

    delay: str
    attempts: int
    ages: bool = True


@dataclass(frozen=True)
class Park:
    """Kept for a person, with the reason."""

    reason_code: str
    reason: str
    next_action: str
    bug: bool = False


@dataclass(frozen=True)
class Settle:
    """Nothing more to do with the message; the integration stands still."""


@dataclass(frozen=True)
class Hold:
    """Keep the message, wait for the store or the broker, run the handler again."""


Verdict = Retry | Park | Settle | Hold


def decide(error: Exception, history: History, policy: RetryPolicy, now: datetime) -> Verdict:
    """The verdict over one failure."""
    if isinstance(error, StoreUnavailable | BrokerUnavailable):
        return Hold()
    if isinstance(error, Transient):
        return _retry_or_park(error, history, policy, now)
    if isinstance(error, Paused):
        return Settle()
    if isinstance(error, Permanent):
        return Park(error.code, str(error), error.next_action)
    return Park(
        "bug",
        f"{type(error).__name__} in the handler",
        "this is a fault in lifecycle-sync: report it with the traceback, and retry it after an update",
        bug=True,
    )


def _retry_or_park(error: Transient, history: History, policy: RetryPolicy, now: datetime) -> Verdict:
    age = now - history.first_failed_at if history.first_failed_at else timedelta(0)
    if not error.counts_as_attempt:
        if error.bounded_by_age and age > policy.max_age:
            return _gave_up(error, f"given up after {_words(age)}")
        delay = topology.delay_for(error.retry_after or timedelta(seconds=5))
        return Retry(delay, history.attempts - 1, ages=error.bounded_by_age)
    if history.attempts >= policy.max_attempts:
        return _gave_up(error, f"given up after {history.attempts} attempts")
    if age > policy.max_age:
        return _gave_up(error, f"given up after {_words(age)}")
    ladder = list(topology.DELAYS)
    rung = ladder[min(history.attempts, len(ladder)) - 1]
    if error.retry_after and topology.DELAYS[rung] < error.retry_after:
        rung = topology.delay_for(error.retry_after)
    return Retry(rung, history.attempts)


def _gave_up(error: PipelineError, how: str) -> Park:
    return Park(error.code, f"{error} ({how})", error.next_action)


def _words(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes} minutes" if minutes != 1 else "1 minute"
