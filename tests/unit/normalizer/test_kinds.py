"""Which type of asset a device is."""

import json
from typing import Any

import msgspec
import pytest

from shared.events.bulk import DeviceGroup, DevicePageFetched
from tests.support.normalized import normalize_page

WINDOWS = {"os": {"product": "Microsoft Windows 11 Pro", "type": "Windows"}}
SERVER = {"os": {"product": "Microsoft Windows Server 2022 Standard", "type": "Windows"}}
LINUX = {"os": {"product": "Ubuntu 24.04.2 LTS", "type": "Linux"}}


def kind(device: dict[str, Any], category: str = "platform") -> str:
    group = DeviceGroup(category=category, endpoints=[msgspec.Raw(json.dumps({"endpointID": "a"} | device).encode())])
    page = DevicePageFetched(
        run_id="r", integration_id="i", account_id="a", scope_id="s", fetch_id="f", page_no=0, chunk_no=0,
        chunk_count=1, observed_seq=1, fetched_at="", groups=[group],
    )  # fmt: skip
    return json.loads(bytes(normalize_page(page).assets[0].asset)).get("asset_type", "absent")


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ({}, "absent"),
        (SERVER, "server"),
        (WINDOWS, "workstation"),
        (LINUX, "workstation"),
        (LINUX | {"endpointType": "Server"}, "server"),
        ({"endpointType": "Desktop"}, "workstation"),
        ({"endpointType": "Desktop", "osType": "Windows"}, "workstation"),
        (WINDOWS | {"endpointType": "Laptop"}, "laptop"),
        (WINDOWS | {"system": {"category": "Notebook"}}, "laptop"),
        (WINDOWS | {"system": {"model": "Latitude 5440"}}, "laptop"),
        (WINDOWS | {"system": {"product": "HP EliteBook 840 G9"}}, "laptop"),
        (WINDOWS | {"system": {"model": "Surface Laptop 5"}}, "laptop"),
        (WINDOWS | {"system": {"model": "21HDCTO1WW"}, "baseboard": {"manufacturer": "LENOVO"}}, "laptop"),
        (WINDOWS | {"system": {"model": "11JN0001US"}, "baseboard": {"manufacturer": "LENOVO"}}, "workstation"),
        (WINDOWS | {"system": {"model": "OptiPlex 7010"}}, "workstation"),
        ({"os": {"product": "macOS Sequoia", "type": "Darwin"}, "system": {"model": "MacBookPro18,3"}}, "laptop"),
        ({"os": {"product": "macOS Sequoia", "type": "Darwin"}, "system": {"model": "Macmini9,1"}}, "workstation"),
        (LINUX | {"system": {"domainRole": "Member Server"}}, "server"),
        (LINUX | {"system": {"domainRole": "Primary Domain Controller"}}, "server"),
        (LINUX | {"system": {"domainRole": 3}}, "server"),
        (LINUX | {"system": {"domainRole": "1"}}, "workstation"),
        (WINDOWS | {"system": {"domainRole": "Member Workstation"}}, "workstation"),
        ({"os": {"product": "VMware ESXi", "version": "8.0.2"}}, "server"),
        (SERVER | {"system": {"model": "VMware Virtual Platform"}}, "virtual_machine"),
        (SERVER | {"system": {"product": "VMware7,1"}}, "virtual_machine"),
        (SERVER | {"system": {"model": "Virtual Machine"}}, "virtual_machine"),
        (SERVER | {"system": {"model": "VirtualBox"}}, "virtual_machine"),
        (SERVER | {"system": {"model": "KVM"}}, "virtual_machine"),
        (SERVER | {"system": {"model": "Standard PC (i440FX + PIIX, 1996)"}}, "virtual_machine"),
        (SERVER | {"baseboard": {"manufacturer": "QEMU"}}, "virtual_machine"),
        (SERVER | {"virtualType": "Hyper-V"}, "virtual_machine"),
        (SERVER | {"virtualType": "Hyper-V Host"}, "server"),
        (SERVER | {"virtualType": "None"}, "server"),
        (SERVER | {"virtualType": "Physical"}, "server"),
        (SERVER | {"type": "virtual_machine"}, "virtual_machine"),
        ({"type": "printer"}, "printer"),
        ({"endpointType": "Tablet"}, "tablet"),
        ({"system": {"model": "iPad13,4"}}, "tablet"),
        ({"type": "smartphone"}, "phone"),
        ({"os": {"product": "Android 15"}}, "phone"),
        ({"endpointType": "NetworkDevice"}, "network_device"),
        ({"type": "Camera"}, "other"),
    ],
)
def test_the_type_follows_from_what_the_device_says(device: dict[str, Any], expected: str) -> None:
    assert kind(device) == expected


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ({"type": "switch"}, "network_device"),
        ({"type": "Camera"}, "network_device"),
        ({}, "network_device"),
        ({"type": "printer"}, "printer"),
        ({"system": {"model": "HP LaserJet MFP M428fdw"}}, "printer"),
    ],
)
def test_what_is_listed_as_network_is_a_network_device_or_a_printer(device: dict[str, Any], expected: str) -> None:
    assert kind(device, "network") == expected


def test_a_detail_says_by_its_layout_where_it_is_listed() -> None:
    assert kind({"network": {"deviceName": "SW-1"}}) == "network_device"


def test_what_is_listed_as_cloud_is_a_virtual_machine() -> None:
    assert kind(LINUX, "cloud") == "virtual_machine"
