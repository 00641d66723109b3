"""What a turn of the sweep makes of a setback, and in what order the handler does its work."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.fetcher.detail_turns import TURN_SECONDS, DetailDevice, DetailTurn, Reading, Setback, halts, setback_of
from services.fetcher.handlers import read_details
from shared.dates.calendar import PURCHASE
from shared.errors import (
    CredentialsRejected,
    DeviceGone,
    Locked,
    PipelineError,
    QuotaExhausted,
    RateLimited,
    RmmAnswerUnreadable,
    RmmRefused,
    RmmServerError,
    RmmUnreachable,
    ScopeMissing,
    StoreUnavailable,
)

TENANT = uuid4()
GOOD = Reading(7, {PURCHASE: date(2027, 3, 1)})
SLOW = setback_of(RmmUnreachable("no answer"))
GONE = setback_of(DeviceGone("gone", device_id="d"))
SPENT = setback_of(QuotaExhausted(timedelta(seconds=40)))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (QuotaExhausted(timedelta(seconds=40)), "quota"),
        (RateLimited("429"), "quota"),
        (Locked("423"), "quota"),
        (RmmUnreachable("timeout"), "later"),
        (RmmServerError("500", status=500), "later"),
        (RmmAnswerUnreadable("html"), "later"),
        (RmmRefused("no field", status=400, reason_code="custom_field_unknown"), "later"),
        (RmmRefused("no", status=422), "passed"),
        (DeviceGone("404", device_id="d"), "passed"),
        (ScopeMissing("403", integration_id=TENANT), "unreadable"),
        (ScopeMissing("403", integration_id=TENANT, pauses="dates"), "unreadable"),
        (CredentialsRejected("401", integration_id=TENANT), "paused"),
    ],
)
def test_each_error_has_its_consequence(error: PipelineError, kind: str) -> None:
    found = setback_of(error)
    assert found.kind == kind
    assert found.wait > timedelta(0)


def test_our_own_trouble_stays_an_error() -> None:
    with pytest.raises(StoreUnavailable):
        setback_of(StoreUnavailable("away"))


def test_the_wait_is_what_the_budget_says() -> None:
    assert SPENT.wait == timedelta(seconds=40)


@pytest.mark.parametrize(
    ("outcomes", "ends"),
    [
        ([], False),
        ([GOOD], False),
        ([GONE, GONE, GONE], False),
        ([SLOW], False),
        ([SLOW, GOOD, SLOW], False),
        ([SLOW, GONE, SLOW], False),
        ([GOOD, SLOW, SLOW], True),
        ([GOOD, SPENT], True),
    ],
)
def test_one_bad_device_ends_no_turn_and_a_tenant_that_is_away_does(
    outcomes: Sequence[Reading | Setback], ends: bool
) -> None:
    assert (halts(outcomes) is not None) is ends


class Line:
    """The line, written down."""

    def __init__(self, devices: int) -> None:
        until = datetime(2026, 11, 24, tzinfo=UTC)
        self.devices = [DetailDevice(str(n), "c", "s", until) for n in range(devices)]
        self.did: list[str] = []

    async def claim(self, turn: DetailTurn) -> Sequence[DetailDevice]:
        del turn
        return self.devices

    async def keep(self, turn: DetailTurn, device: DetailDevice, reading: Reading) -> None:
        del turn, reading
        self.did.append(f"keep {device.device_id}")

    async def set_back(self, turn: DetailTurn, device: DetailDevice, setback: Setback) -> None:
        del turn
        self.did.append(f"{setback.kind} {device.device_id}")

    async def end(self, turn: DetailTurn, rest: Sequence[DetailDevice], halt: Setback | None) -> None:
        del turn
        self.did.append(f"end, {len(rest)} left, {halt.kind if halt else 'goes on'}")


class Answers:
    """What the RMM says, device by device; each answer takes `seconds` of the clock."""

    def __init__(self, *answers: Reading | Setback, seconds: float = 0.1) -> None:
        self._answers = list(answers)
        self._seconds = seconds
        self.now = 0.0

    async def read(self, integration_id: UUID, device: DetailDevice) -> Reading | Setback:
        del integration_id, device
        self.now += self._seconds
        return self._answers.pop(0)

    def __call__(self) -> float:
        return self.now


async def _turn(line: Line, answers: Answers) -> list[str]:
    await read_details(DetailTurn(TENANT, 3), line, answers, answers)
    return line.did


async def test_a_bad_device_does_not_stop_the_others() -> None:
    did = await _turn(Line(3), Answers(GOOD, GONE, GOOD))
    assert did == ["keep 0", "passed 1", "keep 2", "end, 0 left, goes on"]


async def test_without_a_request_left_the_turn_ends_at_once() -> None:
    assert await _turn(Line(5), Answers(GOOD, SPENT)) == ["keep 0", "quota 1", "end, 3 left, quota"]


async def test_a_turn_is_seconds_of_work() -> None:
    did = await _turn(Line(9), Answers(*[GOOD] * 9, seconds=TURN_SECONDS * 0.6))
    assert did == ["keep 0", "keep 1", "end, 7 left, goes on"]


async def test_a_turn_that_is_over_only_ends() -> None:
    assert await _turn(Line(0), Answers()) == ["end, 0 left, goes on"]


async def test_a_pause_is_raised_when_the_claims_are_given_back() -> None:
    line = Line(2)
    with pytest.raises(CredentialsRejected):
        await _turn(line, Answers(setback_of(CredentialsRejected("401", integration_id=TENANT))))
    assert line.did == ["paused 0", "end, 1 left, paused"]
