"""What the simulator saw: requests, writes and counts, for tests to compare with what a client claims."""

from collections import Counter, deque
from dataclasses import dataclass

from simulator.quota import Window

KEPT = 50_000
"""Requests and writes remembered; older ones are dropped."""

STATS_WINDOW_S = 300.0

Change = tuple[str | None, str | None]
"""A value before and after."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One API request; `status` is 0 when the connection was dropped."""

    number: int
    at: float
    method: str
    path: str
    query: str
    route: str
    status: int
    ms: float
    request_id: str
    key: str
    companies: tuple[str, ...]
    cursor: int | None
    devices: int


@dataclass(frozen=True, slots=True)
class Write:
    """One value written to a device; `via` is patch, custom_fields or person."""

    number: int
    at: float
    device_id: str
    field: str
    before: str | None
    after: str | None
    via: str
    request_id: str


class Recorder:
    """Bounded memory of what happened."""

    def __init__(self) -> None:
        """Start empty."""
        self.requests: deque[Seen] = deque(maxlen=KEPT)
        self.writes: deque[Write] = deque(maxlen=KEPT)
        self.by_route: dict[str, Counter[str]] = {}
        self.devices = 0
        self.accepted = Window(STATS_WINDOW_S)
        self.all = Window(STATS_WINDOW_S)
        self.requests_total = 0
        self.writes_total = 0
        self.limited = 0

    def request(self, seen: Seen) -> None:
        """Remember one request."""
        self.requests.append(seen)
        self.requests_total = seen.number
        self.by_route.setdefault(f"{seen.method} {seen.route}", Counter())[str(seen.status)] += 1
        self.devices += seen.devices

    def arrived(self, at: float, *, limited: bool) -> None:
        """Count a request at its arrival, for the busiest window."""
        self.all.add(at)
        if limited:
            self.limited += 1
        else:
            self.accepted.add(at)

    def write(self, at: float, device_id: str, *, field: str, change: Change, via: str, request_id: str) -> None:
        """Remember one write."""
        self.writes_total += 1
        self.writes.append(Write(self.writes_total, at, device_id, field, *change, via, request_id))

    def stats(self) -> dict[str, object]:
        """Return the counts."""
        return {
            "requests": self.requests_total,
            "by_route": self.by_route,
            "too_many_requests": self.limited,
            "devices_served": self.devices,
            "writes": self.writes_total,
            "window_s": STATS_WINDOW_S,
            "most_in_window": self.accepted.most,
            "most_in_window_with_rejected": self.all.most,
        }
