"""How a run ends: pure rules over what was counted."""

from dataclasses import dataclass
from typing import Final

MISSING_SHARE_FOR_REVIEW: Final = 0.10
MISSING_COUNT_FOR_REVIEW: Final = 20
RUNS_UNTIL_ARCHIVED: Final = 3


@dataclass(frozen=True)
class Balance:
    """What became of the devices that the RMM listed in one run; each device counts in one column."""

    seen: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    repeated: int

    @property
    def balances(self) -> bool:
        """Seen = created + updated + unchanged + rejected + repeated."""
        return self.seen == self.created + self.updated + self.unchanged + self.rejected + self.repeated


@dataclass(frozen=True)
class Counted:
    """What is known of a run of which every scope ended and every chunk is settled.

    active_before: devices that stood, of the company alone where the run is of one company.
    """

    kind: str
    scopes: int
    failed_scopes: int
    first_failure: str | None
    lost_chunks: int
    balance: Balance
    active_before: int
    unseen: int


@dataclass(frozen=True)
class Conclusion:
    """The end of a run in a word, with the reason and what to do; `judge` when vanished devices may be judged."""

    status: str
    judge: bool = False
    reason_code: str | None = None
    reason: str | None = None
    next_action: str | None = None


def conclude(run: Counted, *, accepted: bool = False) -> Conclusion:
    """The conclusion; `accepted` when a person has accepted what waited for review."""
    if run.failed_scopes or run.lost_chunks:
        return _incomplete(run)
    if not run.balance.balances:
        return Conclusion(
            "failed",
            reason_code="unbalanced",
            reason=f"the balance sheet does not balance: {run.balance}",
            next_action="start a new sync; if it happens again, report it with the run's id",
        )
    if run.balance.seen == 0 and (empty := _narrow_and_empty(run)):
        return empty
    if run.kind == "full" and not accepted and (review := _review(run)):
        return review
    judge = run.kind == "full"
    if run.balance.rejected:
        return Conclusion(
            "succeeded_with_rejects",
            judge=judge,
            reason_code="rejects",
            reason=f"{run.balance.rejected} of {run.balance.seen} devices could not be mapped",
            next_action="see which, and why, with `lifecycle runs show`; the other devices are in",
        )
    return Conclusion("succeeded", judge=judge)


def _narrow_and_empty(run: Counted) -> Conclusion | None:
    if run.kind == "device":
        return Conclusion(
            "failed",
            reason_code="device_gone",
            reason="the RMM no longer has the device",
            next_action="run a full sync: it settles whether the device is gone",
        )
    if run.kind == "company" and run.active_before > 0:
        return Conclusion(
            "failed",
            reason_code="saw_nothing",
            reason=f"the RMM listed no device of the company, where {run.active_before} stood",
            next_action="check the RMM, then run a full sync: it settles whether they are gone",
        )
    return None


def _incomplete(run: Counted) -> Conclusion:
    parts: list[str] = []
    if run.failed_scopes:
        parts.append(f"{run.failed_scopes} of {run.scopes} lists could not be read to the end")
    if run.lost_chunks:
        parts.append(f"{run.lost_chunks} parts of pages are parked")
    if run.first_failure:
        parts.append(f"first: {run.first_failure}")
    read_nothing = run.failed_scopes == run.scopes and run.balance.seen == 0
    return Conclusion(
        "failed" if read_nothing else "partial",
        reason_code="incomplete",
        reason="; ".join(parts),
        next_action="what was read is in, and nothing was judged missing; look at the parked messages, then sync again",
    )


def _review(run: Counted) -> Conclusion | None:
    if run.balance.seen == 0 and run.active_before > 0:
        return Conclusion(
            "needs_review",
            reason_code="saw_nothing",
            reason=f"the RMM listed no device where {run.active_before} stood",
            next_action="check the key's rights and the RMM; accept the run if the fleet is really gone",
        )
    share = run.unseen / run.active_before if run.active_before else 0.0
    if run.unseen > MISSING_COUNT_FOR_REVIEW and share > MISSING_SHARE_FOR_REVIEW:
        return Conclusion(
            "needs_review",
            reason_code="many_vanished",
            reason=f"{run.unseen} of {run.active_before} devices were not listed",
            next_action="check the RMM; accept the run if they are really gone, or sync again",
        )
    return None
