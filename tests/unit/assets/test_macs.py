"""MAC addresses: one spelling, and only burnt-in ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.assets.macs import MAX_KEY_MACS, is_foreign_adapter, is_shared_mac, mac_key, normalise_mac

BURNT_IN = st.binary(min_size=6, max_size=6).map(lambda raw: bytes([raw[0] & 0b11111100]) + raw[1:]).filter(any)


@pytest.mark.parametrize(
    "sent",
    ["A4:BB:6D:11:0C:32", "a4-bb-6d-11-0c-32", "A4BB.6D11.0C32", "a4bb6d110c32", "  a4:bb:6d:11:0c:32\n"],
)
def test_every_usual_spelling_becomes_one(sent: str) -> None:
    assert normalise_mac(sent) == "a4:bb:6d:11:0c:32"


@given(BURNT_IN)
def test_any_burnt_in_address_is_read_from_every_spelling(raw: bytes) -> None:
    digits = raw.hex()
    expected = raw.hex(":")
    dots = ".".join(digits[at : at + 4] for at in (0, 4, 8))
    assert {normalise_mac(each) for each in (expected, raw.hex("-").upper(), dots, digits.upper())} == {expected}
    assert normalise_mac(expected) == expected


@given(st.binary(min_size=6, max_size=6).filter(lambda raw: raw[0] & 0b11))
def test_group_and_made_up_addresses_are_refused(raw: bytes) -> None:
    assert normalise_mac(raw.hex(":")) is None


@given(st.text())
def test_any_text_is_an_address_or_nothing(sent: str) -> None:
    found = normalise_mac(sent)
    assert found is None or len(found) == 17


@pytest.mark.parametrize(
    "sent",
    [None, "", "1", "00:00:00:00:00:00", "FF:FF:FF:FF:FF:FF", "01:00:5e:00:00:01", "02:42:ac:11:00:02",
     "00:00:00:00:00:00:00:e0", "a4:bb:6d:11:0c", "a4:bb-6d:11:0c:32", "a4:bb:6d:11:0c:3g", "a4bb.6d11.0c3",
     "not a mac", "\u0661\u0662:00:00:00:00:01"],
)  # fmt: skip
def test_what_tells_no_machine_is_refused(sent: str | None) -> None:
    assert normalise_mac(sent) is None


def test_addresses_that_many_machines_have_are_known() -> None:
    assert is_shared_mac("00:05:9a:3c:7a:00")
    assert is_shared_mac("00:50:56:c0:00:08")
    assert not is_shared_mac("00:50:56:ab:cd:ef")


@pytest.mark.parametrize(
    "name",
    ["TAP-Windows Adapter V9", "Cisco AnyConnect Virtual Miniport", "USB-C Dock Ethernet", "Realtek USB GbE Family",
     "Hyper-V Virtual Ethernet Adapter", "Npcap Loopback Adapter", "WireGuard Tunnel"],
)  # fmt: skip
def test_software_and_plugged_adapters_are_known_by_name(name: str) -> None:
    assert is_foreign_adapter(name)


@pytest.mark.parametrize(
    "name",
    [None, "", "Intel(R) Ethernet I219-LM", "vmxnet3 Ethernet Adapter", "Microsoft Hyper-V Network Adapter", "eth0"],
)
def test_a_machines_own_adapters_are_not(name: str | None) -> None:
    assert not is_foreign_adapter(name)


def test_a_key_is_the_sorted_set() -> None:
    assert mac_key(["b", "a", "b"]) == "a,b"
    assert mac_key([]) is None


def test_what_has_too_many_addresses_has_no_key() -> None:
    assert mac_key(f"{n}" for n in range(MAX_KEY_MACS + 1)) is None
