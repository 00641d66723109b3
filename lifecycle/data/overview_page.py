"""The overview as a person reads it."""

from typing import Any, Final

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lifecycle.data import words
from lifecycle.data.date_freshness import freshness_text
from lifecycle.data.integrations import COLUMNS, table_row
from lifecycle.data.progress import progress_text

Document = dict[str, Any]
_RUN_COLUMNS: Final = ("sync", "companies", "", "")


def overview_page(document: Document) -> RenderableType:
    """What needs a person first, then runs, integrations, services and queues."""
    parts: list[RenderableType] = [_attention(document["attention"])]
    if document["runs"]:
        parts += ["", _runs(document["runs"])]
    if document["integrations"]:
        parts += ["", _table(COLUMNS, [table_row(one) for one in document["integrations"]])]
        parts += [Text(_dates(one)) for one in document["integrations"] if one["dates"]]
    else:
        parts += ["", "no integration yet; add one with: lifecycle integrations add"]
    if document["services"]:
        parts += ["", _services(document["services"])]
    if document["queues"]:
        parts += ["", _queues(document["queues"])]
    parts += ["", _last_line(document)]
    return Group(*parts)


def _attention(sentences: list[str]) -> RenderableType:
    if not sentences:
        return Text("✓ nothing needs attention", style="green")
    return Group(*(Text(f"! {sentence}", style="yellow") for sentence in sentences))


def _runs(runs: list[Document]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _RUN_COLUMNS:
        table.add_column(column, overflow="fold")
    for run in runs:
        known, done = run["companies"]["known"], run["companies"]["done"]
        bar = ProgressBar(total=known or None, completed=done, width=24, pulse=not known)
        table.add_row(escape(run["integration"]), bar, escape(progress_text(run, 0)), words.run_length(run))
    return table


def _services(services: list[Document]) -> Table:
    rows = [
        (one["service"], one["replica"], "ready" if one["ready"] else "not ready", one["restarts"], one["pid"])
        for one in services
    ]
    return _table(("service", "replica", "state", "restarts", "pid"), rows)


def _queues(queues: list[Document]) -> Table:
    # A delay queue that is empty is no news.
    shown = [one for one in queues if ".retry." not in one["name"] or one["messages"]]
    rows = [(one["name"], f"{one['messages']:,}" if one["present"] else "missing", one["consumers"]) for one in shown]
    return _table(("queue", "messages", "consumers"), rows)


def _dates(integration: Document) -> str:
    return f"{integration['name']}: {freshness_text(integration['dates'])}"


def _last_line(document: Document) -> str:
    outbox = document["outbox"]
    waiting = "outbox empty" if not outbox["waiting"] else f"{outbox['waiting']:,} events in the outbox"
    return f"{document['assets']:,} assets, {waiting}, {document['parked']:,} parked"


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    return table
