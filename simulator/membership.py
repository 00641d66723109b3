"""Which devices a scope holds, as runs of consecutive indexes: a million devices are a few runs."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive devices of one site and one category."""

    start: int
    stop: int
    site: int
    category: int

    def without(self, removed: list[int]) -> Iterable["Run"]:
        """Yield what is left of the run when the sorted indexes `removed` are taken out."""
        start = self.start
        for index in removed[bisect_right(removed, self.start - 1) :]:
            if index >= self.stop:
                break
            if index > start:
                yield Run(start, index, self.site, self.category)
            start = index + 1
        if start < self.stop:
            yield Run(start, self.stop, self.site, self.category)


class Membership:
    """An ordered list of devices that can be cut into pages by position."""

    def __init__(self, runs: Iterable[Run]) -> None:
        """Take the runs in list order."""
        self.runs = list(runs)
        self._ends = list(accumulate(run.stop - run.start for run in self.runs))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def page(self, cursor: int, limit: int) -> list[Run]:
        """Return the runs of positions `cursor` to `cursor + limit`, cut to fit."""
        found: list[Run] = []
        at = bisect_right(self._ends, cursor)
        skip = cursor - (self._ends[at - 1] if at else 0)
        while limit > 0 and at < len(self.runs):
            run = self.runs[at]
            stop = min(run.stop, run.start + skip + limit)
            found.append(Run(run.start + skip, stop, run.site, run.category))
            limit -= stop - run.start - skip
            skip = 0
            at += 1
        return found
