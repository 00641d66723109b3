"""One benchmark at a time in a checkout: a second one would delete the servers of the first."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from lifecycle.exits import Failure


@contextmanager
def only_one(path: Path) -> Generator[None]:
    """Hold the lock file for as long as the context lasts; it ends with the process, however that ends.

    Raises Failure at once where another benchmark holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure("another benchmark runs in this checkout", "wait until it has ended") from error
        yield
