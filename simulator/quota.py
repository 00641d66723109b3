"""How many requests were made in any window: exact, by keeping the instants."""

from collections import deque


class Window:
    """A sliding window over instants that never go back."""

    def __init__(self, seconds: float) -> None:
        """Look back `seconds`."""
        self.seconds = seconds
        self._times: deque[float] = deque()
        self.most = 0

    def add(self, now: float) -> int:
        """Count one event and return how many the window now holds."""
        self._forget(now)
        self._times.append(now)
        self.most = max(self.most, len(self._times))
        return len(self._times)

    def used(self, now: float) -> int:
        """Return how many events the window holds."""
        self._forget(now)
        return len(self._times)

    def free_at(self, now: float, limit: int) -> float:
        """Return when fewer than `limit` events will be in the window, `now` if they already are."""
        self._forget(now)
        over = len(self._times) - limit
        return self._times[over] + self.seconds if over >= 0 and self._times else now

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] <= now - self.seconds:
            self._times.popleft()
