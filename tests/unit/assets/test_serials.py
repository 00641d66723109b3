"""Serial numbers: one spelling, and junk never matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.assets.data_lines import data_lines
from shared.assets.serials import MAX_KEY_PART, is_junk_serial, is_placeholder, normalise_serial, serial_key


@pytest.mark.parametrize(
    ("sent", "normalised"),
    [
        ("7qx1234", "7QX1234"),
        (" 7QX 1234 ", "7QX1234"),
        ("5CG-123.4567", "5CG1234567"),
        ("7QX\u20131234\u00a0", "7QX1234"),
        ("VMware-42 1c", "VMWARE421C"),
        ("/7QX1234/CN/", "/7QX1234/CN/"),
        ("", ""),
    ],
)
def test_a_serial_has_one_spelling(sent: str, normalised: str) -> None:
    assert normalise_serial(sent) == normalised


@given(st.text())
def test_normalising_again_changes_nothing(sent: str) -> None:
    once = normalise_serial(sent)
    assert normalise_serial(once) == once


@given(st.text(alphabet="abcXYZ019-. ", min_size=1))
def test_case_and_separators_make_no_difference(sent: str) -> None:
    assert normalise_serial(sent.lower()) == normalise_serial(f" {sent.upper()} ".replace("-", ""))


@pytest.mark.parametrize("entry", [entry for entry, _ in data_lines("junk_serials.txt")])
def test_every_entry_of_the_list_is_junk_in_any_spelling(entry: str) -> None:
    assert is_placeholder(entry.lower())
    assert is_junk_serial(normalise_serial(f" {entry.upper()} "))


def test_every_entry_of_the_lists_says_why() -> None:
    for name in ("junk_serials.txt", "shared_macs.txt", "manufacturers.txt"):
        assert all(why.strip() for _, why in data_lines(name)), name


@pytest.mark.parametrize(
    "serial",
    ["", "0", "X1", "123", "0000000000", "FFFFFFFFFFFF", "XXXXXXX", "123456789", "0123456789", "1234567890",
     "9876543210", "To be filled by O.E.M.", "Default string", "None", "System Serial Number", "N/A", "......"],
)  # fmt: skip
def test_junk_tells_no_machine(serial: str) -> None:
    assert is_junk_serial(normalise_serial(serial))


@pytest.mark.parametrize("serial", ["7QX1234", "5CG1234ABC", "PF3ABCDE", "C02XG0AAJGH5", "1234568", "VMWARE421C9E"])
def test_real_serials_are_no_junk(serial: str) -> None:
    assert not is_junk_serial(serial)


def test_the_name_of_the_product_is_no_serial() -> None:
    assert is_junk_serial("MS7C91", {"MS7C91"})


def test_a_key_names_the_maker_too() -> None:
    assert serial_key("7QX1234", "Dell") == "7QX1234|DELL"
    assert serial_key("7QX1234", None) == "7QX1234|"
    assert serial_key(None, "Dell") is None


@pytest.mark.parametrize(
    ("serial", "maker"), [("A" * (MAX_KEY_PART + 1), "Dell"), ("A1B2C3", "D" * (MAX_KEY_PART + 1))]
)
def test_nothing_absurdly_long_is_an_identity(serial: str, maker: str) -> None:
    assert serial_key(serial, maker) is None
