"""A page of vendor devices to canonical assets: pure, the same in gives the same out, and a bad device stops nobody.

The hot path is one typed decode of each device, one encode of its asset, one hash; the vendor's JSON goes through as it
is. Only a device whose types are not what we expect is read again, leniently.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

import msgspec

from services.normalizer import rejects
from services.normalizer.content_hash import content_hash
from services.normalizer.hardware import (
    Machine,
    addresses_of,
    instant,
    ip_of,
    machine_of,
    remembered_clean,
    serial_of,
    system_of,
    total_bytes,
)
from services.normalizer.kinds import Words, asset_type
from services.normalizer.lenient import json_members, read_leniently
from services.normalizer.rejects import CannotMap
from services.normalizer.vendor import (
    Bios,
    Board,
    Device,
    OperatingSystem,
    System,
    merge_own_values,
    read_device,
)
from shared.assets.canonical import AssetType, CanonicalAsset
from shared.assets.dates import sane_date
from shared.assets.device_ids import MAX_ID_LENGTH, normalise_id
from shared.assets.macs import mac_key
from shared.assets.serials import serial_key
from shared.assets.texts import clean
from shared.events.bulk import (
    MAX_DEVICE_BYTES,
    AssetPageNormalized,
    DevicePageFetched,
    NormalizedAsset,
    Reject,
)

_encode = msgspec.json.Encoder().encode
_NO_SYSTEM: Final = System()
_NO_OS: Final = OperatingSystem()
_NO_BIOS: Final = Bios()
_NO_BOARD: Final = Board()


class _Home(NamedTuple):
    """What all devices of a group have in common."""

    category: str
    company_id: str | None
    company_name: str | None
    site_id: str | None
    sites: dict[str, str | None]


def normalize_devices(page: DevicePageFetched) -> Iterator[NormalizedAsset | Reject]:
    """Map the devices of a chunk one by one, each to an asset or a reject, in their order. Never raises for one."""
    sites = {site_id.lower(): clean(name) for site_id, name in page.sites.items()}
    for group in page.groups:
        home = _Home(
            group.category.lower(),
            normalise_id(group.company_id),
            clean(group.company_name),
            normalise_id(group.site_id),
            sites,
        )
        for endpoint in group.endpoints:
            vendor = bytes(endpoint)
            try:
                yield _normalize(vendor, home)
            except CannotMap as cause:
                yield rejects.reject(cause, vendor)
        yield from rejects.oversized(group)


def page_of(page: DevicePageFetched, mapped: Iterable[NormalizedAsset | Reject]) -> AssetPageNormalized:
    """The chunk that its mapped devices make."""
    assets: list[NormalizedAsset] = []
    rejected: list[Reject] = []
    for one in mapped:
        if isinstance(one, NormalizedAsset):
            assets.append(one)
        else:
            rejected.append(one)
    return AssetPageNormalized(
        run_id=page.run_id,
        integration_id=page.integration_id,
        account_id=page.account_id,
        scope_id=page.scope_id,
        fetch_id=page.fetch_id,
        page_no=page.page_no,
        chunk_no=page.chunk_no,
        chunk_count=page.chunk_count,
        observed_seq=page.observed_seq,
        fetched_at=page.fetched_at,
        assets=assets,
        rejects=rejected,
    )


def _normalize(vendor: bytes, home: _Home) -> NormalizedAsset:
    """Map one device. Raises CannotMap, and nothing else."""
    device, device_id = _read(vendor)
    board = device.baseboard or device.base_board or _NO_BOARD
    system = device.system or _NO_SYSTEM
    kin = _kin_of(device, board, system, home.category)
    serial, serial_normalised = serial_of(
        (system.serial_number, (device.bios or _NO_BIOS).serial_number, board.serial_number), kin.machine.no_serials
    )
    macs, trusted_macs = addresses_of(device.networks or (), device.mac_address)
    asset = _encode(_asset(device, system, home, kin, (serial, serial_normalised), macs))
    return NormalizedAsset(
        device_id=device_id,
        content_hash=content_hash(asset, vendor),
        serial_key=serial_key(serial_normalised, kin.machine.maker_normalised),
        mac_key=mac_key(trusted_macs),
        asset=msgspec.Raw(asset),
        vendor=msgspec.Raw(vendor),
    )


class _Kin(NamedTuple):
    """What devices of one make, one use and one system have in common."""

    machine: Machine
    asset_type: AssetType | None
    operating_system: str | None
    os_version: str | None


def _kin_of(device: Device, board: Board, system: System, category: str) -> _Kin:
    os = device.os or _NO_OS
    return _kin(
        # A detail says by its layout which list the device stands in.
        "network" if device.network is not None else "cloud" if device.cloud is not None else category,
        device.type,
        device.sub_resource_type,
        device.resource_type,
        device.endpoint_type,
        device.virtual_type,
        system.category,
        system.domain_role,
        system.manufacturer,
        system.model,
        system.product,
        board.manufacturer,
        os.product,
        os.type or device.os_type,
        os.version,
    )


@lru_cache(maxsize=8192)
def _kin(
    category: str,
    own_type: str | None,
    sub_type: str | None,
    resource_type: str | None,
    endpoint_type: str | None,
    virtual_type: str | None,
    system_category: str | None,
    domain_role: str | None,
    system_maker: str | None,
    model: str | None,
    product: str | None,
    board_maker: str | None,
    os_product: str | None,
    os_type: str | None,
    os_version: str | None,
    /,
) -> _Kin:
    # One memory in front of the three: to look into each of them costs a microsecond a device.
    machine = machine_of(board_maker, system_maker, model, product)
    words = Words(
        category, own_type, sub_type, resource_type, endpoint_type, virtual_type, system_category, domain_role,
        os_type, os_product, machine.maker, model, product,
    )  # fmt: skip
    kind = asset_type(words)
    # Not known is not sent: it must not erase a type told by another answer.
    return _Kin(machine, None if kind == "unknown" else kind, *system_of(os_product, os_type, os_version))


def _asset(
    device: Device,
    system: System,
    home: _Home,
    kin: _Kin,
    serial: tuple[str | None, str | None],
    macs: list[str] | None,
) -> CanonicalAsset:
    site_id = home.site_id or normalise_id(device.site_upper or device.site_camel)
    # By position, because 21 names cost a microsecond a device; in the order of the struct.
    return CanonicalAsset(
        kin.asset_type,
        home.company_id
        or normalise_id(device.company_upper or device.company_camel or device.client_upper or device.client_camel),
        home.company_name,
        site_id,
        home.sites.get(site_id) if site_id else None,
        clean(device.friendly_name) or clean(device.device_name) or clean(system.system_name),
        kin.machine.maker,
        kin.machine.maker_normalised,
        kin.machine.model,
        serial[0],
        serial[1],
        kin.operating_system,
        kin.os_version,
        remembered_clean(device.processors[0].product) if device.processors else None,
        total_bytes(device.physical_memory) if device.physical_memory else None,
        total_bytes(device.drives) if device.drives else None,
        macs,
        ip_of(device.networks or (), device.ip_address),
        instant(device.agent_installed),
        sane_date(device.purchase_date) if device.purchase_date else None,
        sane_date(device.warranty_expiration_date) if device.warranty_expiration_date else None,
    )


def _read(vendor: bytes) -> tuple[Device, str]:
    """Return the device with its own values at the top, and its id."""
    if len(vendor) > MAX_DEVICE_BYTES:
        raise CannotMap("too_large", rejects.too_large_detail(len(vendor)))
    try:
        # What we do not read is not checked by the decoder, and Postgres takes nothing but UTF-8.
        if not vendor.isascii():
            vendor.decode()
        device = read_device(vendor)
    except msgspec.ValidationError:
        device = read_leniently(_members(vendor))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from None
    found = device.endpoint_upper or device.endpoint_camel or device.endpoint_pascal
    if found is None:
        device = read_leniently(_members(vendor))
        found = device.endpoint_upper
    if device.platform or device.network or device.cloud:
        device = merge_own_values(device)
        found = device.endpoint_upper or device.endpoint_camel or device.endpoint_pascal
    device_id = normalise_id(found)
    if device_id is None:
        raise CannotMap("no_device_id", "the device has no endpointID, in any spelling")
    if len(device_id) > MAX_ID_LENGTH:
        raise CannotMap("no_device_id", f"the device's id has {len(device_id)} characters, more than {MAX_ID_LENGTH}")
    return device, device_id


def _members(vendor: bytes) -> dict[str, Any]:
    try:
        members = json_members(vendor)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from None
    if not isinstance(members, dict):
        raise CannotMap("not_an_object", f"the device is not a json object but {_json_kind(members)}")
    return cast("dict[str, Any]", members)


def _json_kind(value: object) -> str:
    if value is None:
        return "null"
    return {"list": "an array", "str": "text", "bool": "a flag"}.get(type(value).__name__, "a number")


def _unreadable(error: Exception) -> CannotMap:
    """Say why without the content: msgspec's messages name types, places and byte numbers only."""
    what = str(error).lower() if isinstance(error, msgspec.MsgspecError) else type(error).__name__
    return CannotMap("unreadable", f"the device is not readable: {what}")
