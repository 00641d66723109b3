"""Which assets edits are about: by id, by a device that is linked, or by a serial number that one asset has."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.writeback.intake import ByDevice, BySerial, EditOrder
from shared.assets.serials import normalise_serial
from shared.dates.sanity import Refusal
from shared.postgres import Connection, sql

_SQL: Final = "services.writeback.sql"

UNKNOWN: Final = Refusal("unknown_asset", "the account has no such asset", "check the id; sync first if it is new")


async def find_assets(conn: Connection, orders: Sequence[EditOrder]) -> dict[UUID, UUID | Refusal]:
    """The asset of each edit, by the edit's id, or why there is none. One statement for each way of naming."""
    found: dict[UUID, UUID | Refusal] = {}
    ways: defaultdict[str, list[tuple[EditOrder, tuple[Any, ...]]]] = defaultdict(list)
    for order in orders:
        account_id, name = order.edit.account_id, order.asset
        found[order.edit.id] = order.refusal or UNKNOWN
        if isinstance(name, UUID):
            ways["find_by_id"].append((order, (account_id, name)))
        elif isinstance(name, ByDevice):
            ways["find_by_device"].append((order, (account_id, name.integration_id, name.device_id)))
        elif isinstance(name, BySerial) and (serial := normalise_serial(name.serial_number)):
            ways["find_by_serial"].append((order, (account_id, serial)))
    for way, named in ways.items():
        rows = await _rows(conn, way, [words for _, words in named])
        for place, (order, words) in enumerate(named, 1):
            found[order.edit.id] = _only(rows.get(place, []), str(words[-1]))
    return found


async def _rows(conn: Connection, way: str, names: Sequence[tuple[Any, ...]]) -> Mapping[int, Sequence[asyncpg.Record]]:
    """The rows of each name, by its place from one on."""
    rows: defaultdict[int, list[asyncpg.Record]] = defaultdict(list)
    for row in await conn.fetch(sql(_SQL, way), *map(list, zip(*names, strict=True))):
        rows[row["n"]].append(row)
    return rows


def _only(rows: Sequence[asyncpg.Record], name: str) -> UUID | Refusal:
    """The one asset of that name; one that is archived counts only where no other has it."""
    present = [row["id"] for row in rows if row["state"] != "archived"] or [row["id"] for row in rows]
    if not present:
        return UNKNOWN
    if len(present) > 1:
        return Refusal(
            "ambiguous_serial",
            f"more than one asset has the serial number {name}",
            "name the asset by its id, or settle which machine has the serial",
        )
    asset_id: UUID = present[0]
    return asset_id
