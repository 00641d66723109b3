"""What the command prints, and where.

Under `--json` one JSON document goes to standard output and nothing else does; messages and progress go to
standard error, and so do tables where standard output is not a terminal of their own. `--quiet` silences
messages and progress, never results or errors.
"""

import json
import sys
from collections.abc import Container, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lifecycle.exits import Failure

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Output:
    """Where results, messages and progress of one command go."""

    json_wanted: bool = False
    color: bool = True
    quiet: bool = False

    def document(self, value: object) -> None:
        """Prints the result as one JSON document on standard output."""
        sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def message(self, text: str) -> None:
        """A line for a person, on standard error: what was done and what to do next."""
        if not self.quiet:
            self.errors.print(text, markup=False, highlight=False, soft_wrap=True)

    def text(self, text: str) -> None:
        """Plain data for a person or a shell, on standard output; not to be used under `--json`."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        title: str | None = None,
        *,
        whole: Container[str] = (),
    ) -> None:
        """A table on standard output for a person; names from devices are never read as markup.

        Columns named in `whole` are never folded, however narrow the terminal is.
        """
        from rich.markup import escape  # noqa: PLC0415 - `--help` and `--json` need no rich
        from rich.table import Table  # noqa: PLC0415 - the same

        table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column in whole)
        for row in rows:
            table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
        self.results.print(table)

    def failure(self, failure: Failure) -> None:
        """An error: a sentence and the next step on standard error; under `--json` a document as well."""
        if self.json_wanted:
            self.document(failure.document())
        self.errors.print(f"error: {failure.message}", markup=False, highlight=False, soft_wrap=True, style="red")
        if failure.next_step:
            self.errors.print(f"       {failure.next_step}", markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self, text: str) -> Generator["Progress"]:
        """A spinner while something runs on a terminal, one line for each new step elsewhere."""
        if self.quiet or not self.errors.is_terminal:
            yield Progress(self, None)
            return
        with self.errors.status(text) as status:
            yield Progress(self, status)

    @cached_property
    def errors(self) -> "Console":
        """The console on standard error; progress bars belong here."""
        return self._console(stderr=True)

    @cached_property
    def results(self) -> "Console":
        """The console on standard output."""
        return self._console(stderr=False)

    def _console(self, *, stderr: bool) -> "Console":
        from rich.console import Console  # noqa: PLC0415 - see table()

        # A pipe has no width: 80 columns would fold ids and addresses that a script cuts out.
        stream = sys.stderr if stderr else sys.stdout
        width = None if stream.isatty() else 200
        return Console(stderr=stderr, no_color=not self.color or None, width=width)


@dataclass(frozen=True)
class Progress:
    """Steps of something that takes a while."""

    output: Output
    status: Any

    def step(self, text: str) -> None:
        """Says what is being done now."""
        if self.status is not None:
            self.status.update(text)
        else:
            self.output.message(text)

    def done(self, text: str) -> None:
        """Leaves a line about something that is finished."""
        self.output.message(text)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"cannot print a {type(value).__name__} as JSON")
