"""Makers, ids and text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.assets.device_ids import find_device_id, normalise_id
from shared.assets.manufacturers import normalise_manufacturer
from shared.assets.texts import MAX_TEXT, clean


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("Dell Inc.", "Dell"), ("DELL", "Dell"), ("Hewlett-Packard", "HP"), ("HP Inc.", "HP"), ("HPE", "HPE"),
        ("Hewlett Packard Enterprise", "HPE"), ("LENOVO", "Lenovo"), ("ASUSTeK COMPUTER INC.", "ASUS"),
        ("Micro-Star International Co., Ltd.", "MSI"), ("Gigabyte Technology Co., Ltd.", "Gigabyte"),
        ("Apple Inc.", "Apple"), ("Microsoft Corporation", "Microsoft"), ("VMware, Inc.", "VMware"),
        ("innotek GmbH", "Oracle"), ("Cisco Systems, Inc.", "Cisco"), ("Super Micro Computer, Inc.", "Supermicro"),
        (" Tiny Maker Ltd ", "Tiny Maker Ltd"), ("Company", "Company"),
    ],
)  # fmt: skip
def test_makers_have_one_name(sent: str, name: str) -> None:
    assert normalise_manufacturer(sent) == name


@given(st.text())
def test_a_makers_name_is_its_own(sent: str) -> None:
    once = normalise_manufacturer(sent)
    assert normalise_manufacturer(once) == once


@given(st.text())
def test_text_is_fit_for_postgres(sent: str) -> None:
    found = clean(sent)
    assert found is None or ("\0" not in found and found == found.strip() and 0 < len(found) <= MAX_TEXT)
    assert clean(found) == found


@pytest.mark.parametrize("sent", [None, "", " \t\n", "\0", " \0 "])
def test_nothing_is_no_text(sent: str | None) -> None:
    assert clean(sent) is None


def test_a_cut_leaves_no_half_of_a_character() -> None:
    assert clean("x" * 511 + "e\u0301\u0302 and more") == "x" * 511
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert clean("x" * 510 + family) == "x" * 510
    assert clean("x" * 600) == "x" * MAX_TEXT
    assert len(clean("\u0301" * 600) or "") <= MAX_TEXT


@pytest.mark.parametrize(
    ("device", "found"),
    [
        (b'{"a":1,"EndPointId":" ABC "}', "abc"),
        (b'{"endpointID":17}', "17"),
        (b'{"endpointID":null}', None),
        (b'{"endpointID":{"a":1}}', None),
        (b'{"endpointID":""}', None),
        (b"[]", None),
        (b"nonsense", None),
        (b'{"x":"\xff","endpointID":"a"}', "a"),
    ],
)
def test_an_id_is_found_in_any_casing(device: bytes, found: str | None) -> None:
    assert find_device_id(device) == found


@given(st.binary() | st.text().map(str.encode))
def test_looking_for_an_id_never_raises(device: bytes) -> None:
    assert find_device_id(device) is None or isinstance(find_device_id(device), str)


@given(st.text())
def test_ids_are_in_lower_case(sent: str) -> None:
    found = normalise_id(sent)
    assert found is None or found == normalise_id(found)
