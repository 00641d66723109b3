"""From a file to entries, one for each date of each row. Pure but for the reading; the same memory for any length."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from lifecycle.data.csv_tables import Layout, Row, read_rows
from lifecycle.data.date_styles import Column, NotADate, Order, read_cell
from shared.assets.serials import MAX_KEY_PART, normalise_serial
from shared.dates.calendar import DateField
from shared.dates.sanity import refuse_value

_BLOCK: Final = 1 << 20
_CLIP: Final = 200


@dataclass(frozen=True)
class Survey:
    """What must be known of the whole file before its first date can be read."""

    digest: str
    """SHA-256 of its bytes."""
    rows: int
    columns: dict[DateField, Column]


@dataclass(frozen=True)
class Entry:
    """One date of one row, or why there is none; `value` is None then, unless it is a day that makes no sense."""

    line: int
    serial: str
    serial_key: str
    field: DateField | None
    sent: str | None
    value: date | None
    code: str | None = None
    reason: str | None = None
    next_step: str | None = None


def survey(path: Path, layout: Layout) -> Survey:
    """Go through the file once. Raises BadTable and OSError."""
    columns: dict[DateField, Column] = {field: Column() for field in layout.dates}
    rows = 0
    for row in read_rows(path, layout):
        rows += 1
        for field, cell in row.dates.items():
            columns[field].see(cell)
    return Survey(_digest(path), rows, columns)


def entries(row: Row, columns: dict[DateField, Column], order: Order | None) -> Iterator[Entry]:
    """The dates of a row; an empty cell says nothing. A row that says nothing at all is one entry with its reason."""
    serial, key = row.serial[:_CLIP], normalise_serial(row.serial)
    if not key:
        yield from _nobodys(row, "no_serial", "the row has no serial number", "add it")
    elif len(key) > MAX_KEY_PART:
        reason = f"a serial number has at most {MAX_KEY_PART} characters"
        yield from _nobodys(row, "long_serial", reason, "correct the row")
    elif not any(row.dates.values()):
        yield Entry(row.line, serial, key, None, None, None, "no_date", "the row has no date", None)
    else:
        for field, cell in row.dates.items():
            if cell:
                yield _entry(row.line, serial, key, field, cell, columns[field], order)


def _nobodys(row: Row, code: str, reason: str, next_step: str) -> Iterator[Entry]:
    said: list[tuple[DateField | None, str | None]] = [
        (field, cell[:_CLIP].replace("\0", "")) for field, cell in row.dates.items() if cell
    ]
    for field, cell in said or [(None, None)]:
        yield Entry(row.line, row.serial[:_CLIP], "", field, cell, None, code, reason, next_step)


def _entry(line: int, serial: str, key: str, field: DateField, cell: str, column: Column, order: Order | None) -> Entry:
    sent = cell[:_CLIP].replace("\0", "")
    try:
        value = read_cell(cell, column, order)
    except NotADate as error:
        reason = str(error).replace("\0", "")
        return Entry(line, serial, key, field, sent, None, error.code, reason, error.next_step)
    refusal = refuse_value(field, value)
    if refusal is None:
        return Entry(line, serial, key, field, sent, value)
    return Entry(line, serial, key, field, sent, value, refusal.code, refusal.reason, refusal.next_action)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
