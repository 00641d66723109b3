"""What holds for any device at all."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.normalizer.content_hash import content_hash, without_stamps
from services.normalizer.vendor import Device
from shared.assets.serials import normalise_serial
from shared.events.bulk import AssetPageNormalized, DeviceGroup, DevicePageFetched, NormalizedAsset
from shared.events.bulk_contract import CanonicalAsset
from tests.support.normalized import normalize_page

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers() | st.floats()
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(list(Device.__struct_encode_fields__))
PARTS = st.sampled_from(
    ["manufacturer", "serialNumber", "product", "model", "version", "type", "sizeBytes", "ipEnabled", "ipv4",
     "macAddress", "domainRole", "category", "systemName"]
)  # fmt: skip
SECTION = st.dictionaries(PARTS, ANY_JSON, max_size=4)
ODD_DEVICES = st.dictionaries(NAMES, ANY_JSON | SECTION | st.lists(SECTION, max_size=3), max_size=8)

USUAL: dict[str, Any] = {
    "createTimeUTC": "2026-11-24T09:58:12.123Z",
    "agentInstalledUTC": "2023-12-26T17:12:11.994Z",
    "endpointID": "A978A23B",
    "friendlyName": "HDG-LT-01",
    "endpointType": "Desktop",
    "ipAddress": "10.20.12.57",
    "lastBootUpTimeUTC": "2026-11-20T07:00:00Z",
    "system": {"model": "Latitude 5440", "serialNumber": "7QX1234"},
    "os": {"product": "Microsoft Windows 11 Pro", "version": "10.0.26100", "lastBootUpTimeUTC": "2026-11-20T07:00:00Z"},
    "baseboard": {"manufacturer": "Dell Inc."},
    "processors": [{"product": "i5"}],
    "physicalMemory": [{"sizeBytes": 8}],
    "drives": [{"sizeBytes": 9}],
    "networks": [
        {"macAddress": "A4:BB:6D:11:0C:32", "dhcpLeaseObtained": "2026-11-24T01:00:00Z", "dhcpLeaseExpires": 1795484400}
    ],
    "purchaseDate": "2024-02-29",
    "warrantyExpirationDate": "2027-02-28",
    "unknown": {"DcDateTimeUTC": "2026-11-24T09:58:12Z"},
}


def page_of(device: bytes, **group: Any) -> AssetPageNormalized:
    found = DeviceGroup(category="platform", endpoints=[msgspec.Raw(device)], **group)
    return normalize_page(
        DevicePageFetched(
            run_id="r", integration_id="i", account_id="a", scope_id="s", fetch_id="f", page_no=0, chunk_no=0,
            chunk_count=1, observed_seq=1, fetched_at="", groups=[found],
        )
    )  # fmt: skip


def encoded(device: object) -> bytes:
    # Floats that JSON has no number for come out as NaN, which is a device that cannot be read.
    return json.dumps(device, ensure_ascii=False).encode()


def mapped(device: dict[str, Any]) -> NormalizedAsset:
    (found,) = page_of(encoded(device)).assets
    return found


@given(ANY_JSON)
def test_any_json_is_an_asset_or_a_reject(device: object) -> None:
    page = page_of(encoded(device))
    assert len(page.assets) + len(page.rejects) == 1
    assert msgspec.json.decode(msgspec.json.encode(page), type=AssetPageNormalized) == page


@given(st.binary(max_size=60))
def test_any_bytes_are_an_asset_or_a_reject_and_the_message_stays_readable(device: bytes) -> None:
    page = page_of(device)
    assert len(page.assets) + len(page.rejects) == 1
    assert msgspec.json.decode(msgspec.json.encode(page), type=AssetPageNormalized) == page


@given(ODD_DEVICES)
def test_any_json_at_any_member_makes_an_asset_of_the_contract(device: dict[str, Any]) -> None:
    body = encoded(device | {"endpointID": "A1"})
    page = page_of(body)
    if page.rejects:
        assert page.rejects[0].reason_code == "unreadable"
        assert any(word in body for word in (b"NaN", b"Infinity"))
        return
    (found,) = page.assets
    asset = bytes(found.asset)
    assert found.device_id == "a1"
    assert b"\\u0000" not in asset
    assert b":null" not in asset
    CanonicalAsset.model_validate_json(asset)
    assert bytes(found.vendor) == body


@given(ODD_DEVICES)
def test_the_same_device_always_makes_the_same_asset(device: dict[str, Any]) -> None:
    body = encoded(device | {"endpointID": "A1"})
    assert page_of(body) == page_of(body)


@given(TEXT, NAMES)
def test_ids_and_keys_are_normalised(text: str, name: str) -> None:
    for found in page_of(encoded({name: text, "system": {"serialNumber": text}, "endpointId": text})).assets:
        assert found.device_id == found.device_id.lower().strip()
        serial = json.loads(bytes(found.asset)).get("serial_normalised")
        assert serial is None or normalise_serial(serial) == serial


STAMPS = st.datetimes().map(lambda at: at.isoformat() + "Z") | st.integers(0, 2_000_000_000)


@given(STAMPS, STAMPS, STAMPS, STAMPS, STAMPS)
def test_stamps_that_move_by_themselves_leave_the_hash(a: object, b: object, c: object, d: object, e: object) -> None:
    moved = USUAL | {
        "createTimeUTC": a,
        "lastBootUpTimeUTC": b,
        "os": USUAL["os"] | {"lastBootUpTimeUTC": c},
        "networks": [USUAL["networks"][0] | {"dhcpLeaseObtained": d, "dhcpLeaseExpires": a}],
        "unknown": {"DcDateTimeUTC": e},
    }
    assert mapped(moved).content_hash == mapped(USUAL).content_hash


CHANGES: list[dict[str, Any]] = [
    {"agentInstalledUTC": "2023-12-26T17:12:12Z"},
    {"friendlyName": "HDG-LT-02"},
    {"endpointType": "Server"},
    {"networks": []},
    {"system": {"model": "Latitude 5450", "serialNumber": "7QX1234"}},
    {"system": {"model": "Latitude 5440", "serialNumber": "7QX1235"}},
    {"os": {"product": "Microsoft Windows 11 Pro", "version": "10.0.26101"}},
    {"baseboard": {"manufacturer": "HP"}},
    {"processors": [{"product": "i7"}]},
    {"physicalMemory": [{"sizeBytes": 16}]},
    {"drives": []},
    {"purchaseDate": "2024-03-01"},
    {"warrantyExpirationDate": None},
    {"unknown": {"DcDateTimeUTC": "2026-11-24T09:58:12Z", "more": 1}},
    {"siteID": "s1"},
]


@given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4))
def test_every_other_change_changes_the_hash(changes: list[dict[str, Any]]) -> None:
    device = USUAL
    for change in changes:
        device = device | change
    assert mapped(device).content_hash != mapped(USUAL).content_hash


def test_what_the_group_says_is_in_the_hash() -> None:
    body = encoded(USUAL)
    hashes = {
        page_of(body, **group).assets[0].content_hash
        for group in ({}, {"company_id": "c"}, {"company_name": "N"}, {"site_id": "s"}, {"company_name": "M"})
    }
    assert len(hashes) == 5


@given(st.binary(), st.binary())
def test_a_hash_is_32_characters(asset: bytes, vendor: bytes) -> None:
    assert len(content_hash(asset, vendor)) == 32


@given(
    st.lists(st.sampled_from([b'TimeUTC"', b'"dhcpLease', b":", b'"', b" ", b"1", b"x", b"\\"]), max_size=12).map(
        b"".join
    )
)
def test_cutting_stamps_ends_whatever_the_text_is(text: bytes) -> None:
    assert len(without_stamps(text)) <= len(text)
