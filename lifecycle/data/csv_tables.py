"""A file of serial numbers and dates as makers' portals export it: its encoding, its separator, its columns.

Read as a stream, so a file of any length takes the same memory.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.dates.calendar import FIELDS, DateField

_BLOCK: Final = 1 << 20
_HEADER_WITHIN: Final = 10
"""Lines in which the header must stand: portals write a title above it."""
_SEPARATORS: Final = (",", ";", "\t")
_SAMPLE: Final = 64 * 1024

# The first of these names that a file has is the one that counts.
_SERIAL: Final = (
    *("serialnumber", "serialno", "serialnum", "serial", "deviceserialnumber", "machineserialnumber", "serviceserial"),
    *("servicetag", "dellservicetag", "tag", "assettag"),
)
_DATES: Final[Mapping[DateField, Sequence[str]]] = {
    "purchase_date": (
        *("purchasedate", "dateofpurchase", "purchased", "purchasedon", "shipdate", "shippeddate", "shippingdate"),
        *("shipmentdate", "originalshipdate", "initialshipdate", "dateshipped", "invoicedate", "orderdate"),
    ),
    "warranty_expiration_date": (
        *("warrantyexpirationdate", "warrantyexpiration", "warrantyexpirydate", "warrantyexpiry", "warrantyexpires"),
        *("warrantyenddate", "warrantyend", "warrantyends", "warrantyuntil", "endofwarranty", "coverageenddate"),
        *("coverageend", "expirationdate", "expirydate", "expiredate", "expires", "enddate", "supportenddate"),
    ),
}
EXPECTED: Final = (
    "a serial number (Serial Number, Service Tag, Asset Tag) and at least one date: Purchase Date or Ship Date, "
    "Warranty Expiration Date or Warranty End Date"
)


class BadTable(ValueError):  # noqa: N818 - what the file is
    """A file that cannot be read as such a table; says why in one sentence, `next_step` what to do."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step


@dataclass(frozen=True)
class Layout:
    """Where things stand in a file. Columns count from 0, `header_line` from 1."""

    encoding: str
    separator: str
    header_line: int
    serial: int
    serial_name: str
    dates: Mapping[DateField, int]
    date_names: Mapping[DateField, str]


@dataclass(frozen=True)
class Row:
    """One row: the line it ends at in the file, its serial, and its dates as written, empty ones too."""

    line: int
    serial: str
    dates: Mapping[DateField, str]


def find_layout(path: Path) -> Layout:
    """Find encoding, separator and columns. Raises BadTable with what was expected, and OSError."""
    encoding = _encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        sample = file.read(_SAMPLE)
    if not sample.strip():
        raise BadTable(f"{path.name} is empty", f"expected a header with {EXPECTED}")
    seen: Sequence[str] = ()
    for separator in _SEPARATORS:
        for line, cells in enumerate(_first_rows(sample, separator), start=1):
            columns = _columns(cells)
            if columns is not None:
                serial, dates = columns
                names: dict[DateField, str] = {field: cells[at].strip() for field, at in dates.items()}
                return Layout(encoding, separator, line, serial, cells[serial].strip(), dates, names)
            if len(cells) > len(seen):
                seen = cells
    first = ", ".join(repr(cell.strip()[:40]) for cell in seen[:8])
    raise BadTable(f"the header of {path.name} is not what was expected: it has {first}", f"expected {EXPECTED}")


def read_rows(path: Path, layout: Layout) -> Iterator[Row]:
    """Read the rows below the header; blank ones are left out. Raises BadTable and OSError."""
    wanted = max(layout.serial, *layout.dates.values())
    with path.open(encoding=layout.encoding, newline="") as file:
        reader = csv.reader(file, delimiter=layout.separator)
        try:
            for number, cells in enumerate(reader, start=1):
                if number <= layout.header_line or not any(map(str.strip, cells)):
                    continue
                cells.extend([""] * (wanted + 1 - len(cells)))
                dates: dict[DateField, str] = {field: cells[at].strip() for field, at in layout.dates.items()}
                yield Row(reader.line_num, _plain_serial(cells[layout.serial]), dates)
        except csv.Error as error:
            raise BadTable(
                f"{path.name} cannot be read at line {reader.line_num}: {error}", "look for a quote that is not closed"
            ) from None


def _plain_serial(cell: str) -> str:
    """The serial without what spreadsheets wrap around it: `="0012"`, a leading apostrophe, zero bytes."""
    text = cell.replace("\0", "").strip()
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    return text.removeprefix("'").strip()


def _first_rows(sample: str, separator: str) -> Iterator[list[str]]:
    reader = csv.reader(sample.splitlines(keepends=True), delimiter=separator)
    try:
        for _, cells in zip(range(_HEADER_WITHIN), reader, strict=False):
            yield cells
    except csv.Error:
        return


def _columns(cells: Sequence[str]) -> tuple[int, dict[DateField, int]] | None:
    """Where serial and dates stand; None where this is no header."""
    names = [re.sub(r"[^a-z0-9]", "", cell.casefold()) for cell in cells]
    serial = _place(names, _SERIAL)
    dates: dict[DateField, int] = {}
    for field in FIELDS:
        at = _place(names, _DATES[field])
        if at is not None:
            dates[field] = at
    return (serial, dates) if serial is not None and dates else None


def _place(names: Sequence[str], known: Sequence[str]) -> int | None:
    for name in known:
        if names.count(name) > 1:
            raise BadTable(f"the header has {names.count(name)} columns called {name!r}", "leave one of them")
        if name in names:
            return names.index(name)
    return None


def _encoding(path: Path) -> str:
    """UTF-16 and UTF-8 by their marks or their bytes; what is not UTF-8 is Windows' western code page."""
    with path.open("rb") as file:
        start = file.read(4096)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if start.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        if start[1::2].count(0) > len(start) // 4:
            return "utf-16-le"
        if start[::2].count(0) > len(start) // 4:
            return "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8")()
        block = start
        try:
            while block:
                decoder.decode(block)
                block = file.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _western(path)
    return "utf-8"


def _western(path: Path) -> str:
    decoder = codecs.getincrementaldecoder("cp1252")()
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK):
                decoder.decode(block)
        except UnicodeDecodeError:
            raise BadTable(
                f"{path.name} is neither UTF-8, UTF-16 nor Windows-1252 text", "save it as CSV in UTF-8"
            ) from None
    return "cp1252"
