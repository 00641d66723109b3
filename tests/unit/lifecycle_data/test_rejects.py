"""How a device that could not be taken in is recognised."""

import json
from typing import Any

import pytest

from lifecycle.data.rejects import described, shortened


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"friendlyName": "Reception PC", "system": {"serialNumber": "5CG1"}}, "Reception PC, serial 5CG1"),
        ({"deviceName": " Reception\n PC "}, "Reception PC"),
        ({"friendlyName": None, "deviceName": "PC", "bios": {"serialNumber": "5CG2"}}, "PC, serial 5CG2"),
        ({"friendlyName": {"a": 1}, "system": "broken", "baseboard": {"serialNumber": "5CG3"}}, "serial 5CG3"),
        ({"endpointID": None}, '{"endpointID": null}'),
        ("text", '"text"'),
        ([1, 2], "[1, 2]"),
        (None, "null"),
    ],
)
def test_a_device_shows_its_name_and_serial_or_else_what_was_sent(sent: Any, shown: str) -> None:
    assert described(json.dumps(sent)) == shown


@pytest.mark.parametrize(
    ("sent", "shown"), [(None, ""), ("", ""), ("{no json", "{no json"), ("[" * 99_999, "[" * 59 + "…")]
)
def test_what_is_no_json_or_was_not_kept_shows_what_there_is(sent: str | None, shown: str) -> None:
    assert described(sent) == shown


def test_what_is_too_long_for_a_column_is_cut() -> None:
    assert shortened("x" * 60) == "x" * 60
    assert shortened("x" * 61) == "x" * 59 + "…"
    assert len(described(json.dumps({"friendlyName": "x" * 500}))) == 60
