"""Numbers, times and outcomes as a person reads them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_YEAR: Final = 730
"""Days after which a date is told in years."""


def duration(seconds: float) -> str:
    """`0.8 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 days`."""
    if seconds < 10:  # noqa: PLR2004 - tenths matter below
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _MINUTE * 2:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY * 2:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} days"


def ago(at: datetime | None, now: datetime | None = None) -> str:
    """`12 s ago`, `in 5 h 3 min`, `never`."""
    if at is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    return f"{duration(max(seconds, 0))} ago" if seconds > -1 else f"in {duration(-seconds)}"


def at(moment: datetime) -> str:
    """`2026-11-24 17:42 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day_in_words(day: date | None, today: date) -> str:
    """`2027-03-01 (in 41 days)`; nothing for no date."""
    if day is None:
        return ""
    days = (day - today).days
    if days == 0:
        return f"{day} (today)"
    many = f"{abs(days) / 365.25:.1f} years" if abs(days) > _YEAR else f"{abs(days)} day{'s' * (abs(days) != 1)}"
    return f"{day} (in {many})" if days > 0 else f"{day} ({many} ago)"


def today() -> date:
    """The day in UTC: warranty dates are compared with it everywhere alike."""
    return datetime.now(UTC).date()


def balance(run: dict[str, Any]) -> str:
    """`2,000 devices = 1,990 created + 10 unchanged`, with every part that is not zero."""
    counts = run["balance"]
    parts = [f"{number:,} {name}" for name, number in counts.items() if name != "seen" and number]
    return f"{counts['seen']:,} devices" + (f" = {' + '.join(parts)}" if parts else "")


def run_length(run: dict[str, Any]) -> str:
    """How long a run took, or has taken so far."""
    begin, end = run["started_at"] or run["requested_at"], run["finished_at"] or datetime.now(UTC)
    return duration(max((end - begin) / timedelta(seconds=1), 0))


def outcome(run: dict[str, Any]) -> str:
    """The run's end in one sentence: what happened, and the reason where there is one."""
    sentence = f"sync of {run['integration']}: {run['status']} after {run_length(run)}, {balance(run)}"
    vanished = [f"{run[name]:,} {name}" for name in ("missing", "archived") if run[name]]
    if vanished:
        sentence += f"; not seen any more: {', '.join(vanished)}"
    return sentence + (f"; {run['reason']}" if run["reason"] else "")
