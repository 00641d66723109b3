"""Dates in a column: what reads one way is taken, what reads two ways is settled by the column or asked for."""

from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.data.date_styles import Column, NotADate, Order, read_cell

DAYS = st.dates(date(1981, 1, 1), date(2099, 12, 31))
ORDERS = st.sampled_from(get_args(Order))


def column_of(*cells: str) -> Column:
    column = Column()
    for cell in cells:
        column.see(cell)
    return column


def written(day: date, order: Order) -> str:
    return day.strftime("%d/%m/%Y" if order == "dmy" else "%m/%d/%Y")


@pytest.mark.parametrize(
    "cell",
    [
        *("2027-03-01", " 2027-03-01 ", "2027/03/01", "2027.3.1", "2027-03-01T23:30:00-11:00", "2027-03-01 00:00:00"),
        *("1 March 2027", "01-Mar-2027", "Mar 1, 2027", "March 1 2027", "1 Mar 2027 12:00 AM"),
    ],
)
def test_a_date_that_reads_one_way_is_taken(cell: str) -> None:
    assert read_cell(cell, column_of(cell)) == date(2027, 3, 1)


@pytest.mark.parametrize(
    "cell", ["soon", "2027-02-30", "31/02/2027", "1/2/27", "1 Foo 2027", "46082", "x" * 500, "٣/٤/٢٠٢٧"]
)
def test_what_is_no_date_says_so(cell: str) -> None:
    with pytest.raises(NotADate) as caught:
        read_cell(cell, column_of(cell))
    assert caught.value.code == "not_a_date"


@given(st.lists(DAYS, min_size=1), ORDERS)
def test_no_column_is_ever_read_wrongly(days: list[date], order: Order) -> None:
    cells = [written(day, order) for day in days]
    column = column_of(*cells)
    for day, cell in zip(days, cells, strict=True):
        try:
            assert read_cell(cell, column) == day
        except NotADate as error:
            assert error.code == "ambiguous_date"  # noqa: PT017 - either is right, a wrong day is not
            assert not any(each.day > 12 for each in days)
        assert read_cell(cell, column, order) == day


@given(st.lists(DAYS), st.lists(DAYS, min_size=1), ORDERS)
def test_a_mixed_column_takes_iso_and_asks_for_the_rest(plain: list[date], other: list[date], order: Order) -> None:
    column = column_of("2027-03-01", *map(str, plain), *(written(day, order) for day in other))
    assert [read_cell(str(day), column) for day in plain] == plain
    assert column.is_question
    for day in other:
        with pytest.raises(NotADate) as caught:
            read_cell(written(day, order), column)
        assert caught.value.code == "mixed_date_styles"
        assert read_cell(written(day, order), column, order) == day


def test_one_decisive_cell_settles_a_column() -> None:
    assert read_cell("03/04/2027", column_of("03/04/2027", "25/04/2027")) == date(2027, 4, 3)
    assert read_cell("03/04/2027", column_of("03/04/2027", "04/25/2027")) == date(2027, 3, 4)


def test_decisive_cells_that_contradict_settle_nothing() -> None:
    column = column_of("25/04/2027", "04/25/2027")
    for cell in ("25/04/2027", "04/25/2027"):
        with pytest.raises(NotADate) as caught:
            read_cell(cell, column)
        assert caught.value.code == "mixed_date_styles"


def test_a_persons_word_that_a_cell_contradicts_refuses_the_cell() -> None:
    with pytest.raises(NotADate, match="written mdy"):
        read_cell("25/04/2027", column_of("25/04/2027"), "mdy")


@given(st.text())
def test_any_text_is_a_date_or_a_reason(cell: str) -> None:
    try:
        read_cell(cell, column_of(cell))
    except NotADate as error:
        assert error.next_step  # noqa: PT017 - a date is right too


def test_a_cell_that_is_no_date_says_nothing_of_the_style() -> None:
    column = column_of("soon", "25/04/2027", "")
    assert read_cell("03/04/2027", column) == date(2027, 4, 3)
