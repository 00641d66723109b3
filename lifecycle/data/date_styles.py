"""Dates as people and portals write them in a column of a file. Pure; nothing is guessed.

A day that reads one way only is taken as it is: `2027-03-01`, `2027/03/01`, `1 March 2027`, `Mar 1, 2027`. Digits such
as `03/04/2027` read two ways, so they are only taken where the whole column settles which, or where a person says it.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from shared.dates.calendar import read_date

Order = Literal["dmy", "mdy"]
"""Which of two numbers comes first where the year comes last: the day, or the month."""

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)
# A time of day after the date is cut off, as read_date does: no zone ever moves a day.
_TIME: Final = re.compile(r"[ T]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?: ?[AaPp][Mm])?(?: ?[Zz]| ?UTC)?$")
_YEAR_FIRST: Final = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_YEAR_LAST: Final = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})")
_SHORT_YEAR: Final = re.compile(r"[0-9]{1,2}([-/.])[0-9]{1,2}\1[0-9]{2}")
_DAY_NAMED: Final = re.compile(r"([0-9]{1,2})[-/. ]+([A-Za-z]{3,9})[-/., ]+([0-9]{4})")
_NAMED_DAY: Final = re.compile(r"([A-Za-z]{3,9})[-. ]+([0-9]{1,2})[-, ]+([0-9]{4})")
_LONGEST: Final = 64


class NotADate(ValueError):  # noqa: N818 - what the cell is
    """A cell that is no date, or could be two. `code` is stable; the text says why, `next_step` what to do."""

    def __init__(self, code: str, message: str, next_step: str) -> None:
        super().__init__(message)
        self.code = code
        self.next_step = next_step


@dataclass
class Column:
    """What the cells of one column say together about how its dates are written."""

    plain: int = 0
    """Cells that read one way only."""
    numeric: int = 0
    day_first: int = 0
    """Cells that are no date unless the day comes first."""
    month_first: int = 0
    undecided: int = 0
    """Cells that are two different days in the two ways."""
    example: str | None = None

    def see(self, cell: str) -> None:
        """Take a cell into account."""
        text = _without_time(cell)
        found = _YEAR_LAST.fullmatch(text)
        if found is None:
            self.plain += _is_plain(text)
            return
        self.numeric += 1
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        by_day, by_month = _day(year, second, first), _day(year, first, second)
        if by_day and by_month:
            if by_day != by_month:
                self.undecided += 1
                self.example = self.example or text
        elif by_day:
            self.day_first += 1
        elif by_month:
            self.month_first += 1

    @property
    def order(self) -> Order | None:
        """The one order in which every cell of the column is a date; None where there is none, or two."""
        if self.plain or (self.day_first and self.month_first):
            return None
        if self.day_first or self.month_first:
            return "dmy" if self.day_first else "mdy"
        # Days that are the same both ways, such as 05/05/2027.
        return None if self.undecided else "dmy"

    @property
    def is_question(self) -> bool:
        """Whether a person must say the order."""
        return self.numeric > 0 and self.order is None


def read_cell(cell: str, column: Column, order: Order | None = None) -> date:
    """Read a cell of a column whose every cell was seen; `order` is a person's word. Raises NotADate."""
    text = _without_time(cell)
    if len(text) > _LONGEST:
        raise _no_date(text[:_LONGEST])
    found = _YEAR_LAST.fullmatch(text)
    if found is None:
        return _read_plain(text)
    chosen = order or column.order
    first, second, year = int(found[1]), int(found[3]), int(found[4])
    readings = {"dmy": _day(year, second, first), "mdy": _day(year, first, second)}
    if chosen is None:
        raise _undecided(text, column)
    read = readings[chosen]
    if read is None:
        other = f" written {chosen}" if any(readings.values()) else ""
        raise NotADate("not_a_date", f"{text} is no day of the calendar{other}", "correct the row")
    return read


def _read_plain(text: str) -> date:
    try:
        return read_date(text)
    except ValueError:
        pass
    read: date | None = None
    if found := _YEAR_FIRST.fullmatch(text):
        read = _day(int(found[1]), int(found[3]), int(found[4]))
    elif found := _DAY_NAMED.fullmatch(text):
        read = _named(found[2], found[1], found[3])
    elif found := _NAMED_DAY.fullmatch(text):
        read = _named(found[1], found[2], found[3])
    elif _SHORT_YEAR.fullmatch(text):
        raise NotADate("not_a_date", f"{text} has a year of two digits", "write the year with four digits")
    if read is None:
        raise _no_date(text)
    return read


def _is_plain(text: str) -> bool:
    try:
        return bool(_read_plain(text))
    except NotADate:
        return False


def _undecided(text: str, column: Column) -> NotADate:
    if column.plain or (column.day_first and column.month_first):
        return NotADate(
            "mixed_date_styles",
            f"the column mixes styles, so {text} could be read two ways",
            "write it as YYYY-MM-DD, or say the order with --date-style",
        )
    return NotADate(
        "ambiguous_date", f"{text} could be day/month or month/day", "say which with --date-style dmy or mdy"
    )


def _no_date(text: str) -> NotADate:
    return NotADate("not_a_date", f"{text!r} is not a date", "write it as YYYY-MM-DD")


def _without_time(cell: str) -> str:
    text = cell.strip()
    return text if len(text) > _LONGEST else _TIME.sub("", text)


def _named(month: str, day: str, year: str) -> date | None:
    name = month.casefold()
    if name == "sept":
        name = "sep"
    names = _FULL if name in _FULL else _MONTHS
    return _day(int(year), names.index(name) + 1, int(day)) if name in names else None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
