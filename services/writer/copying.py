"""New devices into Postgres by COPY, which costs half of an insert: for those whose claims nobody has.

COPY knows no `on conflict`. What is taken already is asked first and goes another way; what another writer takes in
between is a unique violation, and the transaction begins again (`StoreConflict`).
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from services.writer import copy_format as binary
from services.writer.rows import Row
from shared.assets.canonical import CanonicalAsset
from shared.errors import BadMessage
from shared.events.bulk import NormalizedAsset

ASSET_COLUMNS: Final = (
    "account_id", "observed_seq", "id", "serial_key", "serial_claim", "mac_key", "mac_claim", "company_id",
    "company_name", "site_id", "site_name", "name", "asset_type", "manufacturer", "manufacturer_normalised", "model",
    "serial_number", "serial_normalised", "operating_system", "os_version", "processor", "memory_bytes",
    "storage_bytes", "mac_addresses", "ip_address", "agent_installed_at",
)  # fmt: skip
DEVICE_COLUMNS: Final = (
    "account_id", "integration_id", "observed_seq", "id", "device_id", "asset_id", "company_id", "site_id",
    "matched_by", "content_hash", "vendor",
)  # fmt: skip

_decode: Final = msgspec.json.Decoder(CanonicalAsset).decode


class Bodies(NamedTuple):
    """What COPY is sent for each of the two tables, in the order of their columns above."""

    assets: bytes
    devices: bytes


def split(rows: Sequence[Row], serials: AbstractSet[str], macs: AbstractSet[str]) -> tuple[list[Row], list[Row]]:
    """Rows whose claims are free, each claim once; and the others, in their order."""
    free: list[Row] = []
    others: list[Row] = []
    seen_serials, seen_macs = set(serials), set(macs)
    for row in rows:
        serial, mac = row.sent.serial_key, row.sent.mac_key
        if serial in seen_serials or mac in seen_macs:
            others.append(row)
            continue
        free.append(row)
        if serial is not None:
            seen_serials.add(serial)
        if mac is not None:
            seen_macs.add(mac)
    return free, others


def bodies(rows: Iterable[tuple[Row, int]], *, account_id: UUID, integration_id: UUID, observed_seq: int) -> Bodies:
    """New devices, each with the key of its link, as COPY takes them.

    Raises BadMessage, which names the device, where its canonical columns are unreadable.
    """
    account, seq = binary.uuid(account_id), binary.bigint(observed_seq)
    # What all rows of a page begin with.
    asset_head = b"".join((binary.row(len(ASSET_COLUMNS)), account, seq))
    device_head = b"".join((binary.row(len(DEVICE_COLUMNS)), account, binary.uuid(integration_id), seq))
    assets, devices = [binary.HEADER], [binary.HEADER]
    for row, key in rows:
        asset, asset_id = _columns(row.sent), binary.uuid(row.asset_id)
        assets += (asset_head, asset_id, *_asset(row.sent, asset))
        devices += (device_head, binary.bigint(key), *_device(row, asset, asset_id))
    return Bodies(b"".join((*assets, binary.TRAILER)), b"".join((*devices, binary.TRAILER)))


def _columns(sent: NormalizedAsset) -> CanonicalAsset:
    try:
        return _decode(sent.asset)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"the canonical columns of device {sent.device_id} are unreadable") from error


def _asset(sent: NormalizedAsset, asset: CanonicalAsset) -> tuple[bytes, ...]:
    text, shared = binary.text, binary.remembered_text
    serial, mac = text(sent.serial_key), text(sent.mac_key)
    return (
        serial, serial, mac, mac, shared(asset.company_id), shared(asset.company_name), shared(asset.site_id),
        shared(asset.site_name), text(asset.name), shared(asset.asset_type or "unknown"), shared(asset.manufacturer),
        shared(asset.manufacturer_normalised), shared(asset.model), text(asset.serial_number),
        text(asset.serial_normalised), shared(asset.operating_system), shared(asset.os_version),
        shared(asset.processor), binary.bigint(asset.memory_bytes), binary.bigint(asset.storage_bytes),
        binary.texts(asset.mac_addresses), text(asset.ip_address), binary.instant(asset.agent_installed_at),
    )  # fmt: skip


def _device(row: Row, asset: CanonicalAsset, asset_id: bytes) -> tuple[bytes, ...]:
    sent, shared = row.sent, binary.remembered_text
    return (
        binary.text(sent.device_id), asset_id, shared(asset.company_id), shared(asset.site_id), shared(row.matched_by),
        binary.raw(bytes.fromhex(sent.content_hash)), binary.raw(bytes(sent.vendor)),
    )  # fmt: skip
