"""How far a run is: a bar on a terminal, a line now and then elsewhere. Both on standard error."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from lifecycle.data.runs import OPEN, Document
from lifecycle.output import Output

_RATE_SECONDS: Final = 10.0


class Rate:
    """Devices a second over the last ten seconds."""

    def __init__(self) -> None:
        """Begins with nothing seen."""
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now: float, devices: int) -> float:
        """Take a count and return the rate."""
        self._seen.append((now, devices))
        while len(self._seen) > 1 and now - self._seen[0][0] > _RATE_SECONDS:
            self._seen.popleft()
        first_at, first = self._seen[0]
        return (devices - first) / (now - first_at) if now > first_at else 0.0


def devices_written(run: Document) -> int:
    """Devices that are in, in whatever way."""
    return sum(number for name, number in run["balance"].items() if name != "seen")


def progress_text(run: Document, rate: float) -> str:
    """`running: 3 of 10 companies, 1,234 devices listed, 1,000 in, 410/s`."""
    if run["status"] == "queued":
        return "queued: waits for a fetcher"
    companies = run["companies"]
    known = f"{companies['done']} of {companies['known']} companies, " if companies["known"] else ""
    seen, written = run["balance"]["seen"], devices_written(run)
    text = f"{run['status']}: {known}{seen:,} devices listed, {written:,} in"
    return f"{text}, {rate:,.0f}/s" if rate >= 1 else text


class Bar:
    """A bar of companies with the devices beside it; unknown totals show as unknown, never as 0 of 0."""

    def __init__(self, console: Console) -> None:
        """`console` writes to a terminal."""
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counts]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._rate = Rate()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, run: Document) -> None:
        """Show the run as it stands now."""
        name = f"sync of {run['integration']}"
        if self._task is None:
            self._task = self._progress.add_task(name, total=None, counts="")
        known, done = run["companies"]["known"], run["companies"]["done"]
        rate = self._rate.add(time.monotonic(), devices_written(run))
        self._progress.update(
            self._task, description=name, total=known or None, completed=done, counts=progress_text(run, rate)
        )


@dataclass
class Lines:
    """One line at the beginning and one every so many seconds."""

    out: Output
    seconds: float
    _said_at: float | None = None
    _said: str = ""
    _rate: Rate = field(default_factory=Rate)

    def show(self, run: Document) -> None:
        """Say how the run stands, where it is time to."""
        now = time.monotonic()
        rate = self._rate.add(now, devices_written(run))
        if run["status"] not in OPEN or (self._said_at is not None and now - self._said_at < self.seconds):
            return
        self._said_at = now
        self._said = progress_text(run, rate)
        self.out.message(self._said)


class Nothing:
    """Shows nothing, for `--quiet`."""

    def show(self, run: dict[str, Any]) -> None:
        """Nothing."""
