"""What a turn of pushes works on: values that go between handler, store and RMM. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final, Literal
from uuid import UUID

from shared.dates.calendar import DateField
from shared.dates.pushing import Seen
from shared.errors import (
    DeviceGone,
    Paused,
    Permanent,
    PipelineError,
    RmmRefused,
    Transient,
)

Way = Literal["patch", "custom_fields"]

_CONFLICTS: Final = frozenset({409, 412})
"""The RMM says that the resource is another by now: look again, and try again."""

_FIELD_GONE: Final = "custom_field_unknown"
"""A field was made anew in the RMM, this date's or the other's: its id is found out again before the next try."""

CONFLICT_TRIES: Final = 3


@dataclass(frozen=True)
class PushTurn:
    """Something may be due for an integration."""

    integration_id: UUID


@dataclass(frozen=True)
class DeviceWork:
    """The claimed fields of one device, each with the number of its lease.

    `in_hand` is a look that shows these fields already: the one by which a write to the device was read back. What
    follows on such work waits for the next turn, or a date that is edited on and on would keep this one.
    """

    integration_id: UUID
    account_id: UUID
    asset_id: UUID
    device_id: str
    company_id: str | None
    site_id: str | None
    leases: Mapping[DateField, int]
    way: Way | None = None
    fell_back: bool = False
    in_hand: "Look | None" = None

    def by(self, way: Way) -> "DeviceWork":
        """The same work, by this way of reading and writing."""
        return replace(self, way=way)

    def falling_back(self) -> "DeviceWork":
        """The same work by custom fields, after a PATCH that this tenant does not have: nothing was written."""
        return replace(self, way="custom_fields", fell_back=True, in_hand=None)

    def following(self, leases: Mapping[DateField, int], look: "Look") -> "DeviceWork":
        """What is claimed of the same device by the time of this look."""
        return replace(self, leases=leases, fell_back=False, in_hand=look)


@dataclass(frozen=True)
class Trouble:
    """Why a look or a write did not come about, and what follows.

    retry: later, after `wait`. conflict: look and try again, a few times. failed: for good. hold_writing: the key may
    not. hold: the integration cannot be used. other_way: this tenant wants to be written to differently. `stops` says
    that the next device would meet the same.
    """

    kind: Literal["retry", "conflict", "failed", "hold_writing", "hold", "other_way"]
    code: str
    reason: str
    next_action: str
    wait: timedelta | None = None
    stops: bool = False
    error: PipelineError | None = None


@dataclass(frozen=True)
class Look:
    """What stood in the RMM, asked for by request `observed_seq`; claimed fields that cannot be had, with why.

    Shows what the one request could show, which may be more than was claimed.
    """

    way: Way
    observed_seq: int
    seen: Mapping[DateField, Seen]
    missing: Mapping[DateField, Trouble] = field(default_factory=dict[DateField, Trouble])


@dataclass(frozen=True)
class ToWrite:
    """What is to be written now, in one request, with what stood there before and the number of each wish.

    Not after `until`, by the clock of time.monotonic: a process that was frozen meanwhile has lost its claim, and the
    RMM knows no fence.
    """

    values: Mapping[DateField, date | None]
    before: Mapping[DateField, Seen]
    wishes: Mapping[DateField, int]
    until: float = math.inf


def trouble_of(error: PipelineError) -> Trouble:
    """Tell what follows from an error of the RMM's."""
    code, reason, next_action = error.code, str(error), error.next_action
    if isinstance(error, Paused):
        kind: Literal["hold", "hold_writing"] = "hold" if error.pauses == "integration" else "hold_writing"
        return Trouble(kind, code, reason, next_action, stops=True, error=error)
    if isinstance(error, Transient):
        return Trouble(
            "retry",
            code,
            reason,
            next_action,
            wait=error.retry_after,
            stops=not error.counts_as_attempt,
            error=error,
        )
    if isinstance(error, RmmRefused):
        if error.status in _CONFLICTS or error.code == _FIELD_GONE:
            return Trouble("conflict", code, reason, next_action, error=error)
        return Trouble("failed", code, error.words or reason, next_action, error=error)
    if isinstance(error, DeviceGone | Permanent):
        return Trouble("failed", code, reason, next_action, error=error)
    raise error
