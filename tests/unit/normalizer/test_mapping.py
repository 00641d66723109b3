"""From a vendor's device to a canonical asset, rule by rule."""

import json
from typing import Any

import msgspec
import pytest

from shared.events.bulk import (
    MAX_DEVICE_BYTES,
    AssetPageNormalized,
    DeviceGroup,
    DevicePageFetched,
    NormalizedAsset,
    OversizedDevice,
)
from tests.support.normalized import normalize_page

ID = "a978a23b-0f3d-4e37-9b7d-6c1f8f7e0001"


def page_of(*devices: bytes, **group: Any) -> AssetPageNormalized:
    """Map devices, given as the vendor's bytes."""
    found = DeviceGroup(**({"category": "platform"} | group), endpoints=[msgspec.Raw(each) for each in devices])
    return normalize_page(
        DevicePageFetched(
            run_id="r", integration_id="i", account_id="a", scope_id="s", fetch_id="f", page_no=3, chunk_no=1,
            chunk_count=2, observed_seq=42, fetched_at="2026-11-24T10:00:00Z", groups=[found],
            sites={"S1": "Main street", "s2": None},
        )
    )  # fmt: skip


def normalized(device: dict[str, Any], **group: Any) -> NormalizedAsset:
    page = page_of(json.dumps({"endpointID": ID} | device).encode(), **group)
    assert not page.rejects
    return page.assets[0]


def asset(device: dict[str, Any], **group: Any) -> dict[str, Any]:
    return json.loads(bytes(normalized(device, **group).asset))


def test_a_chunk_keeps_its_header() -> None:
    page = page_of()
    assert (page.run_id, page.fetch_id, page.page_no, page.chunk_no, page.chunk_count, page.observed_seq) == (
        "r", "f", 3, 1, 2, 42,
    )  # fmt: skip


def test_what_was_not_sent_is_not_there() -> None:
    assert asset({}) == {}


def test_a_null_of_the_vendors_is_left_out_like_an_absent_member() -> None:
    nulls = dict.fromkeys(("friendlyName", "system", "os", "baseboard", "networks", "purchaseDate", "platform"))
    assert asset(nulls) == {}


def test_the_vendors_bytes_are_kept_as_they_are() -> None:
    sent = b'{ "endpointID" : "X1",  "unknown": {"deep": [1.50, 1e2]} , "name":"\xc3\xa9" }'
    assert bytes(page_of(sent).assets[0].vendor) == sent


@pytest.mark.parametrize("name", ["endpointID", "endpointId", "EndpointID", "ENDPOINTID", "EndPointId"])
def test_the_id_is_found_in_any_spelling_and_is_in_lower_case(name: str) -> None:
    assert page_of(json.dumps({name: ID.upper()}).encode()).assets[0].device_id == ID


def test_the_groups_company_and_site_win_over_the_devices_own() -> None:
    own = {"companyID": "OTHER", "siteID": "OTHER"}
    found = asset(own, company_id="C1", company_name="Harbor", site_id="S1")
    assert found == {"company_id": "c1", "company_name": "Harbor", "site_id": "s1", "site_name": "Main street"}


@pytest.mark.parametrize(
    "names", [("companyID", "siteID"), ("companyId", "siteId"), ("clientID", "siteID"), ("clientId", "siteId")]
)
def test_a_device_may_name_its_company_and_site_itself(names: tuple[str, str]) -> None:
    found = asset(dict(zip(names, ("C1", "S1"), strict=True)))
    assert found == {"company_id": "c1", "site_id": "s1", "site_name": "Main street"}


def test_the_maker_is_the_boards_then_the_systems_and_never_the_firmwares() -> None:
    bios = {"bios": {"manufacturer": "American Megatrends Inc."}}
    assert "manufacturer" not in asset(bios)
    assert asset(bios | {"system": {"manufacturer": "LENOVO"}})["manufacturer_normalised"] == "Lenovo"
    both = asset({"baseboard": {"manufacturer": " Dell Inc. "}, "system": {"manufacturer": "LENOVO"}})
    assert (both["manufacturer"], both["manufacturer_normalised"]) == ("Dell Inc.", "Dell")
    assert asset({"baseBoard": {"manufacturer": "HP"}})["manufacturer"] == "HP"
    assert "manufacturer" not in asset({"baseboard": {"manufacturer": "To be filled by O.E.M."}})


def test_the_model_is_the_systems_model_then_its_product() -> None:
    assert asset({"system": {"model": "Latitude 5440", "product": "P"}})["model"] == "Latitude 5440"
    assert asset({"system": {"model": " ", "product": "Latitude 5440"}})["model"] == "Latitude 5440"
    assert asset({"system": {"model": "System Product Name", "product": "MS-7C91"}})["model"] == "MS-7C91"


@pytest.mark.parametrize(
    ("system", "bios", "board", "found"),
    [
        ("7QX1234", "OTHER1", "OTHER2", "7QX1234"),
        (None, "7QX1234", "OTHER2", "7QX1234"),
        ("Default string", "7QX1234", None, "7QX1234"),
        ("0", "None", "7QX1234", "7QX1234"),
        ("Latitude 5440", "7QX1234", None, "7QX1234"),
    ],
)
def test_the_serial_is_the_first_that_is_not_junk(system: str, bios: str, board: str, found: str) -> None:
    device = {
        "system": {"serialNumber": system, "model": "LATITUDE-5440"},
        "bios": {"serialNumber": bios},
        "baseboard": {"serialNumber": board, "manufacturer": "Dell Inc."},
    }
    assert asset(device)["serial_number"] == found
    assert normalized(device).serial_key == f"{found}|DELL"


def test_junk_is_shown_as_sent_and_never_a_key() -> None:
    device = {"system": {"serialNumber": "Default string"}, "bios": {"serialNumber": "0"}}
    assert asset(device)["serial_number"] == "Default string"
    assert "serial_normalised" not in asset(device)
    assert normalized(device).serial_key is None


def test_sizes_are_sums_and_may_be_text() -> None:
    device = {
        "physicalMemory": [{"sizeBytes": 8}, {"sizeBytes": "16"}, {}],
        "drives": [{"sizeBytes": 5.0}, {"sizeBytes": -1}],
    }
    found = asset(device)
    assert (found["memory_bytes"], found["storage_bytes"]) == (24, 5)


@pytest.mark.parametrize(
    "parts", [[], [{}], [{"sizeBytes": 0}], [{"sizeBytes": 2**62}] * 3, [{"sizeBytes": 10**30}], None]
)
def test_no_size_is_no_zero_and_nothing_that_a_bigint_cannot_hold(parts: object) -> None:
    assert "memory_bytes" not in asset({"physicalMemory": parts})


def test_the_name_is_the_friendly_one_then_the_devices_then_the_systems() -> None:
    names = {"friendlyName": "Front desk", "deviceName": "LT-1", "system": {"systemName": "lt-1.local"}}
    assert asset(names)["name"] == "Front desk"
    assert asset(names | {"friendlyName": " "})["name"] == "LT-1"
    assert asset({"system": {"systemName": "lt-1.local"}})["name"] == "lt-1.local"


def test_the_system_and_the_processor_are_as_sent() -> None:
    found = asset(
        {"os": {"product": "Windows 11 Pro ", "version": "10.0"}, "processors": [{"product": "i5"}, {"product": "i5"}]}
    )
    assert (found["operating_system"], found["os_version"], found["processor"]) == ("Windows 11 Pro", "10.0", "i5")
    assert asset({"osType": "Linux"})["operating_system"] == "Linux"


def test_addresses_are_unique_and_sorted_and_only_trusted_ones_are_a_key() -> None:
    networks = [
        {"macAddress": "F4:BB:6D:11:0C:32"},
        {"macAddress": "A4:BB:6D:11:0C:32"},
        {"macAddress": "a4-bb-6d-11-0c-32"},
        {"macAddress": "00:50:B6:00:00:01"},
        {"macAddress": "A4:BB:6D:00:00:01", "product": "Realtek USB GbE Family Controller"},
        {"macAddress": "00:00:00:00:00:00"},
        {"macAddress": "02:42:AC:11:00:02"},
    ]
    found = normalized({"networks": networks, "macAddress": "A4:BB:6D:00:00:01"})
    assert found.mac_key == "a4:bb:6d:11:0c:32,f4:bb:6d:11:0c:32"
    assert json.loads(bytes(found.asset))["mac_addresses"] == [
        "00:50:b6:00:00:01", "a4:bb:6d:00:00:01", "a4:bb:6d:11:0c:32", "f4:bb:6d:11:0c:32",
    ]  # fmt: skip


def test_the_order_of_adapters_makes_no_difference() -> None:
    networks = [{"macAddress": "F4:BB:6D:11:0C:32"}, {"macAddress": "A4:BB:6D:11:0C:32"}]
    one, other = normalized({"networks": networks}), normalized({"networks": networks[::-1]})
    assert (bytes(one.asset), one.mac_key) == (bytes(other.asset), other.mac_key)


def test_a_device_without_adapters_has_its_own_address() -> None:
    assert normalized({"macAddress": "A4:BB:6D:11:0C:32"}).mac_key == "a4:bb:6d:11:0c:32"


@pytest.mark.parametrize(
    ("device", "ip"),
    [
        ({"networks": [{"ipEnabled": False, "ipv4": "10.0.0.1"}, {"ipEnabled": True, "ipv4": "10.0.0.2"}]}, "10.0.0.2"),
        ({"networks": [{"ipEnabled": True, "ipv4": "169.254.1.1"}], "ipAddress": "10.0.0.3"}, "10.0.0.3"),
        ({"ipAddress": "2001:DB8::1"}, "2001:db8::1"),
        ({"ipAddress": "127.0.0.1"}, None),
        ({"ipAddress": "fe80::1"}, None),
        ({"ipAddress": "10.0.0.256"}, None),
        ({"ipAddress": "10.0.0.1."}, None),
        ({"ipAddress": "somewhere"}, None),
    ],
)
def test_the_address_is_that_of_the_first_enabled_adapter(device: dict[str, Any], ip: str | None) -> None:
    assert asset(device).get("ip_address") == ip


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2023-12-26T17:12:11.994Z", "2023-12-26T17:12:11.994000Z"),
        ("2023-12-26T17:12:11+02:00", "2023-12-26T15:12:11Z"),
        ("2023-12-26T17:12:11.123456789Z", "2023-12-26T17:12:11.123456Z"),
        ("2023-12-26T17:12:11", "2023-12-26T17:12:11Z"),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_the_agents_installation_is_an_instant_in_utc(sent: str, kept: str | None) -> None:
    assert asset({"agentInstalledUTC": sent}).get("agent_installed_at") == kept


def test_native_dates_are_calendar_dates_and_sentinels_are_dropped() -> None:
    found = asset({"purchaseDate": "2024-02-29T23:00:00-08:00", "warrantyExpirationDate": "2027-02-28"})
    assert (found["purchase_date"], found["warranty_expiration_date"]) == ("2024-02-29", "2027-02-28")
    assert asset({"purchaseDate": "1900-01-01", "warrantyExpirationDate": "9999-12-31T00:00:00Z"}) == {}


def test_values_under_the_category_count_where_the_top_has_none() -> None:
    own = {"deviceName": "SRV", "ipAddress": "10.0.0.1", "os": {"product": "Windows Server 2022"}, "siteID": "S1"}
    found = asset({"platform": own | {"friendlyName": "under"}, "friendlyName": "top"})
    assert found["name"] == "top"
    assert (found["ip_address"], found["asset_type"], found["site_name"]) == ("10.0.0.1", "server", "Main street")
    assert page_of(json.dumps({"platform": {"endpointID": ID.upper()}}).encode()).assets[0].device_id == ID


def test_nul_is_taken_out_and_long_text_is_cut() -> None:
    found = asset({"friendlyName": "a\0b", "os": {"product": "x" * 600}}, company_name="\0C\0")
    assert (found["name"], len(found["operating_system"]), found["company_name"]) == ("ab", 512, "C")
    assert b"\\u0000" not in bytes(normalized({"friendlyName": "a\0b", "system": {"serialNumber": "7Q\0X1234"}}).asset)


def test_odd_types_cost_a_member_and_never_the_device() -> None:
    device = {
        "friendlyName": 17,
        "system": {"serialNumber": 1234599, "model": ["x"]},
        "os": "Windows",
        "bios": [{"serialNumber": "IGNORED1"}],
        "processors": {"product": "i5"},
        "physicalMemory": [{"sizeBytes": "8 GB"}, {"sizeBytes": 1.5e3}, "junk"],
        "networks": [{"ipEnabled": "yes", "ipv4": "10.0.0.1", "macAddress": 5}],
        "platform": [],
    }
    assert asset(device) == {
        "name": "17", "serial_number": "1234599", "serial_normalised": "1234599", "processor": "i5",
        "memory_bytes": 1500, "ip_address": "10.0.0.1",
    }  # fmt: skip


def test_a_number_that_nothing_can_hold_costs_its_member() -> None:
    (found,) = page_of(b'{"endpointID":1,"deviceName":"A","os":{"version":1e999}}').assets
    assert (found.device_id, json.loads(bytes(found.asset))) == ("1", {"name": "A"})


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (b"{}", "no_device_id"),
        (b'{"endpointID":null}', "no_device_id"),
        (b'{"endpointID":"  "}', "no_device_id"),
        (b'{"endpointID":{}}', "no_device_id"),
        (b'{"endpointID":"' + b"x" * 201 + b'"}', "no_device_id"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"1", "not_an_object"),
        (b"true", "not_an_object"),
        (b'{"endpointID":"a","x":"\xff"}', "unreadable"),
        (b'{"endpointID":"a","deviceName":"\xff"}', "unreadable"),
        (b"[1e999]", "unreadable"),
        (b'{"endpointID":"a"', "unreadable"),
        (b'{"endpointID":"a","x":"' + b"x" * MAX_DEVICE_BYTES + b'"}', "too_large"),
    ],
)
def test_a_device_that_cannot_be_mapped_is_a_reject_and_the_others_go_through(device: bytes, reason: str) -> None:
    page = page_of(b'{"endpointID":"first"}', device, b'{"endpointID":"last"}')
    assert [each.device_id for each in page.assets] == ["first", "last"]
    (reject,) = page.rejects
    assert reject.reason_code == reason
    assert "xxx" not in reject.detail
    assert json.loads(msgspec.json.encode(page))["rejects"]


def test_a_reject_has_its_id_and_what_was_sent_as_text() -> None:
    (reject,) = page_of(b'{"endpointID":"A1","x":"\xff"}').rejects
    assert (reject.device_id, bytes(reject.vendor).decode()) == ("a1", '{"endpointID":"A1","x":"\ufffd"}')
    (large,) = page_of(b'{"endpointID":"A1","x":"' + b"x" * MAX_DEVICE_BYTES + b'"}').rejects
    assert (large.device_id, bool(large.vendor)) == ("a1", False)


def test_a_device_that_no_message_could_carry_is_rejected_too() -> None:
    (reject,) = page_of(oversized=[OversizedDevice(size_bytes=900_000, device_id="a1")]).rejects
    assert (reject.reason_code, reject.device_id, bool(reject.vendor)) == ("too_large", "a1", False)
