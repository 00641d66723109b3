"""The fleet is a pure function of its seed, of any size, and as messy as real ones."""

import time
import tracemalloc
from collections import Counter

import pytest

from simulator.fleet import DeviceFacts, Fleet
from simulator.names import PLACEHOLDER_SERIALS


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return Fleet(7, 12_000, 20)


@pytest.fixture(scope="module")
def devices(fleet: Fleet) -> list[DeviceFacts]:
    return list(fleet)


def test_the_same_seed_gives_the_same_fleet_and_another_seed_another() -> None:
    assert list(Fleet(3, 200, 4)) == list(Fleet(3, 200, 4))
    assert not {each.id for each in Fleet(3, 200, 4)} & {each.id for each in Fleet(4, 200, 4)}


def test_a_device_does_not_depend_on_which_devices_were_asked_before(fleet: Fleet) -> None:
    together = [fleet.device(index) for index in range(100, 140)]
    assert [Fleet(7, 12_000, 20).device(index) for index in (139, 100, 120)] == [
        together[39],
        together[0],
        together[20],
    ]


def test_a_million_devices_are_laid_out_in_no_time_and_no_memory() -> None:
    tracemalloc.start()
    started = time.perf_counter()
    fleet = Fleet(7, 1_000_000, 40)
    assert time.perf_counter() - started < 1
    assert tracemalloc.get_traced_memory()[0] < 2_000_000
    tracemalloc.stop()
    assert sum(fleet.count().values()) == 1_000_000
    assert fleet.index_of(fleet.device(999_999).id) == 999_999


def test_companies_and_sites_split_the_devices_without_gap_or_overlap(fleet: Fleet) -> None:
    sites = [fleet.sites[number] for company in fleet.companies for number in company.sites]
    assert [site.index for site in sites] == list(range(len(fleet.sites)))
    edges = [0, *(site.bounds[-1] for site in sites)]
    assert [site.bounds[0] for site in sites] == edges[:-1]
    assert edges[-1] == fleet.devices


def test_company_sizes_are_uneven_and_some_companies_are_empty(fleet: Fleet) -> None:
    sizes = sorted(company.stop - company.start for company in fleet.companies)
    assert sizes[0] == 0
    assert sizes[-1] > 3 * sizes[len(sizes) // 2]


def test_ids_and_own_mac_addresses_are_unique(devices: list[DeviceFacts]) -> None:
    assert len({each.id for each in devices}) == len(devices)
    assert len({each.mac_addresses[0] for each in devices}) == len(devices)


def test_an_id_is_found_in_any_casing_and_a_wrong_one_is_not(fleet: Fleet) -> None:
    device_id = fleet.device(42).id
    assert fleet.index_of(device_id.upper()) == 42
    assert fleet.index_of(device_id[:-1] + ("0" if device_id[-1] != "0" else "1")) is None
    assert fleet.index_of("nonsense") is None


def test_the_mess_has_about_its_documented_shares(devices: list[DeviceFacts]) -> None:
    share = len(devices) / 100
    placeholders = [each for each in devices if each.serial_number in PLACEHOLDER_SERIALS]
    assert 1.2 * share < len(placeholders) < 3 * share
    assert {each.serial_number for each in placeholders} == set(PLACEHOLDER_SERIALS)
    assert share < sum(bool(each.missing_sections) for each in devices) < 5 * share
    assert {each.category for each in devices} == {"platform", "network", "cloud"}
    assert {"laptop", "desktop", "server", "virtual_machine", "printer", "switch"} <= {each.kind for each in devices}
    assert any(not each.name.isascii() for each in devices)


def test_some_serial_numbers_are_cloned_in_pairs_of_one_make(devices: list[DeviceFacts]) -> None:
    real = [each for each in devices if each.serial_number not in PLACEHOLDER_SERIALS]
    serials = Counter(each.serial_number for each in real)
    twins = [each for each in real if serials[each.serial_number] > 1]
    assert 0 < len(twins) < len(devices) / 100
    assert max(serials.values()) == 2
    assert len({(each.serial_number, each.model) for each in twins}) == len(twins) // 2


def test_docking_stations_share_their_mac_between_laptops(devices: list[DeviceFacts]) -> None:
    docks = Counter(mac for each in devices for mac in each.mac_addresses if mac.startswith("00:50:B6"))
    assert max(docks.values()) > 1


def test_virtual_machines_have_made_up_serial_numbers(devices: list[DeviceFacts]) -> None:
    machines = [each for each in devices if each.virtual_type == "VMware" and len(each.serial_number) > 25]
    assert machines
    assert all(each.serial_number.startswith("VMware-42") for each in machines)


def test_no_device_has_dates_unless_asked_for() -> None:
    assert all(each.purchase_date is None for each in Fleet(7, 500, 3))
    dated = [each for each in Fleet(7, 2000, 3, dated_share=0.3) if each.purchase_date]
    assert 450 < len(dated) < 750
    assert all(each.purchase_date < each.warranty_expiration_date for each in dated if each.warranty_expiration_date)
