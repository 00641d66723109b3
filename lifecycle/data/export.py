"""Writing any number of assets: as a JSON array or as CSV, one at a time."""

import csv
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, TextIO
from uuid import UUID

from lifecycle.data.assets import PLAIN, Document
from lifecycle.output import Output

CSV_COLUMNS: Final = (
    *("asset_id", "state", *PLAIN, "age", "warranty_status", "first_seen_at", "last_seen_at", "integrations"),
    "device_ids",
)
# A spreadsheet takes a cell that begins so for a formula, and a device's name is whatever somebody typed.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SAY_SECONDS: Final = 5.0


async def write_json(file: TextIO, assets: AsyncIterator[Document], counted: Callable[[int], None]) -> int:
    """One array; returns how many are in it."""
    count = 0
    file.write("[")
    async for asset in assets:
        file.write(",\n" if count else "\n")
        file.write(json.dumps(asset, default=_plain, ensure_ascii=False))
        count += 1
        counted(count)
    file.write("\n]\n" if count else "]\n")
    file.flush()
    return count


async def write_csv(file: TextIO, assets: AsyncIterator[Document], counted: Callable[[int], None]) -> int:
    """A header and a line for each asset; returns how many."""
    count = 0
    writer = csv.writer(file)
    writer.writerow(CSV_COLUMNS)
    async for asset in assets:
        writer.writerow(csv_row(asset))
        count += 1
        counted(count)
    file.flush()
    return count


def csv_row(asset: Document) -> list[str]:
    """The cells of an asset; none of them is a formula to a spreadsheet."""
    flat = {
        **asset,
        "mac_addresses": " ".join(asset["mac_addresses"] or []),
        "integrations": " ".join(dict.fromkeys(str(link["integration"]) for link in asset["devices"])),
        "device_ids": " ".join(link["device_id"] for link in asset["devices"]),
    }
    return [csv_cell(flat[name]) for name in CSV_COLUMNS]


def csv_cell(value: object) -> str:
    """The text of a cell: a text that would be a formula gets an apostrophe in front."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, date | datetime) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


@contextmanager
def target(path: Path | None) -> Generator[TextIO]:
    """Standard output, or a file that has its name only once it is complete."""
    if path is None:
        yield sys.stdout
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class Counter:
    """Says every few seconds how many are written, where the result does not go to the same terminal."""

    def __init__(self, out: Output, *, silent: bool) -> None:
        """`silent` where the person sees the rows themselves."""
        self._out = out
        self._silent = silent
        self._said_at = time.monotonic()

    def __call__(self, count: int) -> None:
        """Take the count."""
        if not self._silent and time.monotonic() - self._said_at > _SAY_SECONDS:
            self._said_at = time.monotonic()
            self._out.message(f"{count:,} assets so far")


def _plain(value: Any) -> object:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"cannot write a {type(value).__name__} as JSON")
