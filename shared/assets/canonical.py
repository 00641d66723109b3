"""The canonical hardware asset: the columns that every source is mapped to."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec

AssetType = Literal[
    "server", "workstation", "laptop", "virtual_machine", "network_device", "printer", "phone", "tablet", "other",
    "unknown",
]  # fmt: skip

Bytes = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""As many as Postgres counts."""
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class CanonicalAsset(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What one source says of one asset. A member that is None is left out of the JSON.

    Absent is not null: what a source did not send never erases a stored value, and no member is ever sent as null. A
    null of the vendor's means "not known" everywhere in its API, so it is left out like an absent member.

    Text is trimmed and at most 512 characters; ids are in lower case; sizes are bytes; `agent_installed_at` is UTC;
    the two dates are calendar dates; `mac_addresses` are normalised, sorted and unique.

    The order of the members is part of the mapping: it builds this by position, at a fifth of the cost.
    """

    asset_type: AssetType | None = None
    company_id: str | None = None
    company_name: str | None = None
    site_id: str | None = None
    site_name: str | None = None
    name: str | None = None
    manufacturer: str | None = None
    manufacturer_normalised: str | None = None
    model: str | None = None
    serial_number: str | None = None
    serial_normalised: str | None = None
    operating_system: str | None = None
    os_version: str | None = None
    processor: str | None = None
    memory_bytes: Bytes | None = None
    storage_bytes: Bytes | None = None
    mac_addresses: list[str] | None = None
    ip_address: str | None = None
    agent_installed_at: Instant | None = None
    purchase_date: date | None = None
    warranty_expiration_date: date | None = None
