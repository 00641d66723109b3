"""What every scenario is: a name, an estimate, and a function that measures."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.stack import Servers
from bench.table import Row


@dataclass(frozen=True)
class Options:
    """How large and how often.

    `window_seconds` is the quota's; `writers` how many write in a load; `peers` and `million` are parts of load and of
    memory.
    """

    devices: int = 100_000
    companies: int = 40
    rounds: int = 3
    window_seconds: int = 60
    writers: int = 1
    peers: bool = True
    million: bool = False
    quick: bool = False

    @property
    def numbers(self) -> range:
        """The rounds, from 1."""
        return range(1, self.rounds + 1)

    @property
    def scale(self) -> float:
        """The size of the fleet, in hundreds of thousands of devices."""
        return self.devices / 100_000


@dataclass(frozen=True)
class Measured:
    """What a scenario found: its lines of the table, and all single values as JSON takes them."""

    rows: Sequence[Row]
    raw: object


@dataclass(frozen=True)
class Scenario:
    """A part of the benchmark. `estimate` gives seconds on two quiet cores; `run` leaves nothing running.

    Each module of a scenario has one, called SCENARIO; `bench/__main__.py` lists them.
    """

    name: str
    estimate: Callable[[Options], float]
    run: Callable[[Servers, Options], Awaitable[Measured]]


# What an estimate counts for a stack of all services, from its start to its end.
STACK_SECONDS = 5.0


def tell(text: str) -> None:
    """A sign of life on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
