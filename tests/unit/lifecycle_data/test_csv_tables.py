"""Files as portals export them: encodings, separators, headers."""

from pathlib import Path

import pytest

from lifecycle.data.csv_tables import BadTable, find_layout, read_rows
from lifecycle.data.import_reading import entries, survey

HEADER = ("Serial Number", "Model", "Ship Date", "Warranty End Date")
ROW = ("5CG-123", "Latitude é", "2024-03-01", "2027-03-01")


def table(tmp_path: Path, *rows: tuple[str, ...], separator: str = ",", encoding: str = "utf-8") -> Path:
    path = tmp_path / "export.csv"
    path.write_bytes("".join(f"{separator.join(row)}\r\n" for row in rows).encode(encoding))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_every_encoding_and_separator_reads_the_same(tmp_path: Path, separator: str, encoding: str) -> None:
    path = table(tmp_path, HEADER, ROW, separator=separator, encoding=encoding)
    layout = find_layout(path)
    assert layout.separator == separator
    (row,) = read_rows(path, layout)
    assert (row.line, row.serial) == (2, "5CG-123")
    assert row.dates == {"purchase_date": "2024-03-01", "warranty_expiration_date": "2027-03-01"}


def test_the_header_may_stand_below_a_title(tmp_path: Path) -> None:
    path = table(tmp_path, ("Asset report, Acme",), (), HEADER, ROW)
    layout = find_layout(path)
    assert [row.line for row in read_rows(path, layout)] == [4]


def test_a_better_name_for_the_serial_wins(tmp_path: Path) -> None:
    path = table(tmp_path, ("Asset Tag", "Service Tag", "Expiration Date"), ("A1", "S1", "2027-03-01"))
    layout = find_layout(path)
    assert layout.serial_name == "Service Tag"
    assert [row.serial for row in read_rows(path, layout)] == ["S1"]


@pytest.mark.parametrize("header", [("Name", "Warranty End"), ("Serial Number", "Model"), ("a;b",)])
def test_a_wrong_header_is_one_sentence_with_what_was_expected(tmp_path: Path, header: tuple[str, ...]) -> None:
    with pytest.raises(BadTable, match="header") as caught:
        find_layout(table(tmp_path, header, ROW))
    assert "Service Tag" in caught.value.next_step
    assert "Warranty End Date" in caught.value.next_step


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="2 columns"):
        find_layout(table(tmp_path, ("Serial", "Purchase Date", "purchase_date"), ROW))


def test_an_empty_file_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b"")
    with pytest.raises(BadTable, match="empty"):
        find_layout(path)
    path.write_bytes(b"Serial Number,Ship Date\n\x81\x8d,2027-03-01\n")
    with pytest.raises(BadTable, match="neither"):
        find_layout(path)


def test_a_quote_that_is_never_closed_is_said_with_its_line(tmp_path: Path) -> None:
    path = table(tmp_path, HEADER, ROW, ('"5CG', "x" * 200_000))
    with pytest.raises(BadTable, match="line"):
        list(read_rows(path, find_layout(path)))


def test_short_and_blank_rows_and_spreadsheet_serials(tmp_path: Path) -> None:
    path = table(tmp_path, HEADER, ("",), ('"=""0012"""', "m"), ("'0013", "m", "2024-01-01"))
    rows = list(read_rows(path, find_layout(path)))
    assert [row.serial for row in rows] == ["0012", "0013"]
    assert set(rows[0].dates.values()) == {""}


def test_each_row_has_its_own_reason(tmp_path: Path) -> None:
    rows = [
        ("", "m", "2024-01-01", ""),
        ("", "m", "2024-01-01", "2027-01-01"),
        ("", "m", "", ""),
        ("S1", "m", "", ""),
        ("S2", "m", "1970-01-01", "soon"),
        ("S3", "m", "2024-01-02", ""),
    ]
    path = table(tmp_path, HEADER, *rows)
    layout = find_layout(path)
    found = survey(path, layout)
    assert found.rows == 6
    made = [one for row in read_rows(path, layout) for one in entries(row, found.columns, None)]
    nobodys, others = made[:4], made[4:]
    assert [(one.code, one.line, one.sent) for one in nobodys] == [
        ("no_serial", 2, "2024-01-01"),
        ("no_serial", 3, "2024-01-01"),
        ("no_serial", 3, "2027-01-01"),
        ("no_serial", 4, None),
    ]
    assert [one.code for one in others] == ["no_date", "sentinel_date", "not_a_date", None]
    assert all(one.reason for one in made if one.code)


def test_the_digest_is_of_the_bytes_and_not_of_the_name(tmp_path: Path) -> None:
    first = table(tmp_path, HEADER, ROW)
    other = tmp_path / "renamed.csv"
    other.write_bytes(first.read_bytes())
    layout = find_layout(first)
    assert survey(first, layout).digest == survey(other, layout).digest
    other.write_bytes(first.read_bytes() + b"\r\n")
    assert survey(first, layout).digest != survey(other, layout).digest
