"""New devices into Postgres by COPY, which costs half of an insert: for those whose claims nobody has.

COPY knows no `on conflict`. What is taken already is asked first and goes another way; what another writer takes in
between is a unique violation, and the transaction begins again (`StoreConflict`).
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final
from uuid import UUID

import msgspec

from services.writer.rows import Row
from shared.assets.canonical import CanonicalAsset
from shared.errors import BadMessage

ASSET_COLUMNS: Final = (
    "id", "account_id", "observed_seq", "serial_key", "serial_claim", "mac_key", "mac_claim", "company_id",
    "company_name", "site_id", "site_name", "name", "asset_type", "manufacturer", "manufacturer_normalised", "model",
    "serial_number", "serial_normalised", "operating_system", "os_version", "processor", "memory_bytes",
    "storage_bytes", "mac_addresses", "ip_address", "agent_installed_at",
)  # fmt: skip
DEVICE_COLUMNS: Final = (
    "id", "integration_id", "device_id", "account_id", "asset_id", "company_id", "site_id", "matched_by",
    "content_hash", "observed_seq", "vendor",
)  # fmt: skip

_decode: Final = msgspec.json.Decoder(CanonicalAsset).decode


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


def asset_and_device(
    row: Row, key: int, *, account_id: UUID, integration_id: UUID, observed_seq: int
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The records of a new device for the two tables. Raises BadMessage where its canonical columns are unreadable."""
    sent = row.sent
    try:
        asset = _decode(sent.asset)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"the canonical columns of device {sent.device_id} are unreadable") from error
    return (
        (
            row.asset_id, account_id, observed_seq, sent.serial_key, sent.serial_key, sent.mac_key, sent.mac_key,
            asset.company_id, asset.company_name, asset.site_id, asset.site_name, asset.name,
            asset.asset_type or "unknown", asset.manufacturer, asset.manufacturer_normalised, asset.model,
            asset.serial_number, asset.serial_normalised, asset.operating_system, asset.os_version, asset.processor,
            asset.memory_bytes, asset.storage_bytes, asset.mac_addresses, asset.ip_address, asset.agent_installed_at,
        ),
        (
            key, integration_id, sent.device_id, account_id, row.asset_id, asset.company_id, asset.site_id,
            row.matched_by, sent.content_hash, observed_seq, bytes(sent.vendor),
        ),
    )  # fmt: skip
