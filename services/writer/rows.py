"""The rows of a chunk on their way into Postgres: spliced from what the normalizer encoded, never built anew."""

from collections.abc import Iterable
from uuid import UUID

import msgspec
from msgspec.structs import replace

from shared.events.bulk import NormalizedAsset

_encode = msgspec.json.encode


class Row(msgspec.Struct, frozen=True, gc=False):
    """One device of a chunk: what was sent, and which asset it goes to with which claims.

    A struct, because a frozen dataclass takes a microsecond to be made.
    """

    sent: NormalizedAsset
    asset_id: UUID
    matched_by: str = "new"
    claims_serial: bool = True
    claims_mac: bool = True

    def with_claims(self, *, serial: bool, mac: bool) -> "Row":
        """The same device with other claims."""
        return replace(self, claims_serial=serial, claims_mac=mac)

    def matched(self, asset_id: UUID, rule: str) -> "Row":
        """The same device, as a link to an asset that stands."""
        return replace(self, asset_id=asset_id, matched_by=rule)


def fold(assets: Iterable[NormalizedAsset]) -> tuple[list[NormalizedAsset], int]:
    """Each device once, as it was sent last, in the order of the ids; and how many came again."""
    last: dict[str, NormalizedAsset] = {}
    count = 0
    for asset in assets:
        last[asset.device_id] = asset
        count += 1
    return [last[device_id] for device_id in sorted(last)], count - len(last)


def as_json(rows: Iterable[Row]) -> str:
    """The rows as one JSON array for jsonb_to_recordset."""
    return b"".join((b"[", b",".join(map(_row_json, rows)), b"]")).decode()


def _row_json(row: Row) -> bytes:
    sent = row.sent
    head = _encode(
        {
            "device_id": sent.device_id,
            "asset_id": row.asset_id,
            "content_hash": sent.content_hash,
            "matched_by": row.matched_by,
            "serial_key": sent.serial_key,
            "serial_claim": sent.serial_key if row.claims_serial else None,
            "mac_key": sent.mac_key,
            "mac_claim": sent.mac_key if row.claims_mac else None,
        }
    )
    asset = bytes(sent.asset)
    # Two objects into one: without the brace between them.
    return head if asset == b"{}" else b"".join((head[:-1], b",", asset[1:]))


def vendors(rows: Iterable[Row]) -> list[str]:
    """What the vendor sent of each device, as text."""
    return [bytes(row.sent.vendor).decode() for row in rows]
