"""How far a count is: a bar on a terminal, a line every ten seconds elsewhere. Both on standard error."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol

from lifecycle.output import Output

_LINE_SECONDS: Final = 10.0
_BAR_SECONDS: Final = 0.1


class Count(Protocol):
    """Takes how many are done."""

    def __call__(self, done: int) -> None:
        """Shows it, where it is time to."""


@contextmanager
def counting(out: Output, text: str, total: int) -> Generator[Count]:
    """Shows `done` of `total`; may be called for every single one."""
    if out.quiet:
        yield lambda done: None  # noqa: ARG005 - nothing to show
    elif out.errors.is_terminal:
        yield from _bar(out, text, total)
    else:
        yield _lines(out, text, total)


def _bar(out: Output, text: str, total: int) -> Generator[Count]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=out.errors, transient=True) as progress:
        task = progress.add_task(text, total=total or None)
        shown_at = 0.0

        def show(done: int) -> None:
            nonlocal shown_at
            now = time.monotonic()
            if now - shown_at >= _BAR_SECONDS or done == total:
                shown_at = now
                progress.update(task, completed=done)

        yield show


def _lines(out: Output, text: str, total: int) -> Count:
    said_at = time.monotonic()

    def say(done: int) -> None:
        nonlocal said_at
        now = time.monotonic()
        if now - said_at >= _LINE_SECONDS:
            said_at = now
            out.message(f"{text}: {done:,} of {total:,}")

    return say
