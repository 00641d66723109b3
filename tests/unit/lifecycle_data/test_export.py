"""What a spreadsheet and a script get of an export."""

import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lifecycle.data.assets import PLAIN
from lifecycle.data.export import CSV_COLUMNS, csv_cell, csv_row, target, write_json

ID = UUID("01a20ddf-7196-7ef9-9e18-460a1a3c0d83")


def an_asset(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = dict.fromkeys(PLAIN)
    seen = {"first_seen_at": datetime(2026, 1, 1, tzinfo=UTC), "last_seen_at": None}
    link = {"integration": "Acme", "device_id": "d1"}
    derived = {"age": 2.5, "warranty_status": "unknown"}
    return {"asset_id": ID, "state": "active", **plain, **seen, **derived, "devices": [link], **changes}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_text_is_a_formula_to_a_spreadsheet(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


def test_numbers_and_dates_stay_as_they_are() -> None:
    assert csv_cell(-1) == "-1"
    assert csv_cell(date(2026, 3, 1)) == "2026-03-01"
    assert csv_cell(None) == ""


def test_a_row_has_a_cell_for_each_column() -> None:
    row = dict(zip(CSV_COLUMNS, csv_row(an_asset(name="=evil", mac_addresses=["a", "b"])), strict=True))
    assert (row["name"], row["mac_addresses"], row["integrations"], row["device_ids"]) == (
        "'=evil",
        "a b",
        "Acme",
        "d1",
    )


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_json_is_one_array_of_any_number(count: int) -> None:
    async def assets() -> AsyncIterator[dict[str, Any]]:
        for _ in range(count):
            yield an_asset()

    file = io.StringIO()
    seen: list[int] = []
    assert await write_json(file, assets(), seen.append) == count
    assert [one["asset_id"] for one in json.loads(file.getvalue())] == [str(ID)] * count
    assert seen == list(range(1, count + 1))


def test_a_file_has_its_name_only_once_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "assets.csv"
    path.write_text("before")

    def fail() -> None:
        with target(path) as file:
            file.write("half")
            raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="the disk is full"):
        fail()
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["assets.csv"]
