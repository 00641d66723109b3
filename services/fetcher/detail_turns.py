"""What a turn of the sweep works on: values that go between handler, store and RMM, and when a turn ends. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from shared.dates.calendar import DateField
from shared.errors import (
    CredentialsOutdated,
    DeviceGone,
    Locked,
    Paused,
    PipelineError,
    QuotaExhausted,
    RateLimited,
    RmmAnswerUnreadable,
    RmmRefused,
    RmmServerError,
    RmmUnreachable,
    ScopeMissing,
)

Kind = Literal["quota", "later", "passed", "unreadable", "paused"]

TURN_SECONDS: Final = 5.0
"""No device is begun after that: others wait behind the turn."""

FAILURES_IN_A_ROW: Final = 2
"""So many devices one after the other without a usable answer are no fault of the devices."""

RETRY_AFTER: Final = timedelta(minutes=10)
"""When a device is tried again that gave no usable answer."""

_UNSAID_WAIT: Final = timedelta(seconds=10)
_TROUBLED_WAIT: Final = timedelta(minutes=1)
_NO_RIGHT_WAIT: Final = timedelta(days=1)
_NO_FIELD_WAIT: Final = timedelta(hours=1)


@dataclass(frozen=True)
class DetailTurn:
    """A turn of an integration's sweep, by its number."""

    integration_id: UUID
    number: int


@dataclass(frozen=True)
class DetailDevice:
    """A claimed device, where it is, and until when it is ours. `asked`: a person waits for it."""

    device_id: str
    company_id: str | None
    site_id: str | None
    leased_until: datetime
    asked: bool = False


@dataclass(frozen=True)
class Reading:
    """The dates of a device, asked for by request `observed_seq`. One that was not sent, or is no date, is left out."""

    observed_seq: int
    dates: Mapping[DateField, date | None]


@dataclass(frozen=True)
class Setback:
    """Why there is no reading, and what follows.

    quota: there is no request left, the device keeps its place. later: the device is tried again after a while.
    passed: the device goes to the back of the line. unreadable: the dates of this tenant cannot be read with this key.
    paused: the integration cannot be used. `wait` is how long the sweep stands still, where it does.
    `credentials_version` tells with which credentials it was met: of another key it says nothing.
    """

    kind: Kind
    code: str
    reason: str
    next_action: str
    wait: timedelta
    error: PipelineError | None = None
    credentials_version: int | None = None


def setback_of(error: PipelineError) -> Setback:
    """Tell what follows from an error of the RMM's. Raises the error itself where it is none of the RMM's."""
    kind, wait = _kind_and_wait(error)
    version = error.credentials_version if isinstance(error, Paused) else None
    return Setback(kind, error.code, str(error), error.next_action, wait, error, version)


def _kind_and_wait(error: PipelineError) -> tuple[Kind, timedelta]:
    match error:
        case QuotaExhausted() | RateLimited() | Locked():
            return "quota", error.retry_after or (_TROUBLED_WAIT if isinstance(error, Locked) else _UNSAID_WAIT)
        case (
            CredentialsOutdated()
            | RmmUnreachable()
            | RmmServerError()
            | RmmAnswerUnreadable()
            | RmmRefused(code="custom_field_unknown")
        ):
            return "later", getattr(error, "retry_after", None) or _TROUBLED_WAIT
        case Paused(pauses="integration") if not isinstance(error, ScopeMissing):
            return "paused", _TROUBLED_WAIT
        case Paused():
            # Without a right to read them the dates stand still alone: the list may well be read with this key.
            return "unreadable", _NO_RIGHT_WAIT
        case DeviceGone() | RmmRefused():
            return "passed", _TROUBLED_WAIT
        case _:
            raise error


def no_such_fields(names: Sequence[str], credentials_version: int) -> Setback:
    """The tenant keeps the dates in custom fields, and has none of these names that this key can see."""
    wanted = " or ".join(repr(name) for name in names)
    return Setback(
        "unreadable",
        "custom_field_missing",
        f"the RMM has no custom field {wanted} for devices",
        "create the device custom fields in the RMM, or set the names that they have there",
        _NO_FIELD_WAIT,
        credentials_version=credentials_version,
    )


def halts(outcomes: Sequence[Reading | Setback]) -> Setback | None:
    """The setback that ends the turn, by what its devices came to so far; None where the turn goes on."""
    last = outcomes[-1] if outcomes else None
    if not isinstance(last, Setback):
        return None
    if last.kind in {"quota", "unreadable", "paused"}:
        return last
    row = outcomes[-FAILURES_IN_A_ROW:]
    failed = [each for each in row if isinstance(each, Setback) and each.kind == "later"]
    return last if len(failed) == FAILURES_IN_A_ROW else None
