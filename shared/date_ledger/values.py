"""The value of an asset's dates: read under its lock, computed by the rule, stored where it changed."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import asyncpg

from shared.dates.calendar import FIELDS, PURCHASE, WARRANTY, DateField
from shared.dates.replaying import Surroundings, surroundings
from shared.dates.resolving import Observation, Resolution, resolve
from shared.dates.sources import is_integration
from shared.postgres import Connection, sql

_LOCK: Final = """
    select id, account_id, asset_type, version, purchase_date, purchase_date_origin, warranty_expiration_date,
        warranty_expiration_date_origin
    from assets where id = any($1::uuid[]) order by id for no key update
"""


@dataclass(frozen=True)
class Cause:
    """The edit by which values came to be computed anew."""

    event_source: str
    event_id: str
    correlation_id: str


_NO_CAUSES: Final[Mapping[UUID, Cause]] = {}


@dataclass(frozen=True)
class Stored:
    """What was stored of an asset, as the version that it made."""

    version: int
    resolved: Mapping[DateField, Resolution]
    cause: Cause | None = None


@dataclass(frozen=True)
class Asset:
    """An asset as it stood when it was locked, until the transaction ends. `stored` is value and origin by field.

    `news` is what was stored since, in its order: whoever ends the transaction tells it (changes.py).
    """

    id: UUID
    account_id: UUID
    asset_type: str
    version: int
    stored: Mapping[DateField, tuple[date | None, str | None]]
    news: list[Stored] = dataclasses.field(default_factory=list[Stored], compare=False)


async def lock_asset(conn: Connection, asset_id: UUID) -> Asset | None:
    """Lock an asset against every other change of its dates; None where there is none (any more)."""
    return (await lock_assets(conn, [asset_id])).get(asset_id)


async def lock_assets(conn: Connection, asset_ids: Sequence[UUID], *, skip_locked: bool = False) -> dict[UUID, Asset]:
    """Lock assets in the order of their ids; `skip_locked` leaves out those that somebody else has in hand."""
    rows = await conn.fetch(f"{_LOCK} skip locked" if skip_locked else _LOCK, asset_ids)
    return {row["id"]: asset_of(row) for row in rows}


def asset_of(row: asyncpg.Record) -> Asset:
    """The asset in a row with its id, account, type, version, and value and origin of both fields."""
    stored: dict[DateField, tuple[date | None, str | None]] = {
        field: (row[field], row[f"{field}_origin"]) for field in FIELDS
    }
    return Asset(row["id"], row["account_id"], row["asset_type"], row["version"], stored)


async def observations(conn: Connection, asset_id: UUID) -> dict[DateField, list[Observation]]:
    """What each source says of each field."""
    return (await observations_of(conn, [asset_id]))[asset_id]


async def observations_of(
    conn: Connection, asset_ids: Sequence[UUID]
) -> dict[UUID, dict[DateField, list[Observation]]]:
    """What each source says of each field of each asset."""
    found: dict[UUID, dict[DateField, list[Observation]]] = {each: {of: [] for of in FIELDS} for each in asset_ids}
    for row in await conn.fetch(sql(__package__, "observed"), asset_ids):
        said = Observation(row["source"], row["value"], excluded=row["excluded"], chosen=row["chosen"])
        found[row["asset_id"]][row["field"]].append(said)
    return found


async def store_values(conn: Connection, asset: Asset, *, cause: Cause | None = None) -> dict[DateField, Resolution]:
    """Compute both values anew and store them where they differ, as one new version of the asset."""
    return (await store_values_of(conn, [asset], {asset.id: cause} if cause else {}))[asset.id]


async def store_values_of(
    conn: Connection, assets: Sequence[Asset], causes: Mapping[UUID, Cause] = _NO_CAUSES
) -> dict[UUID, dict[DateField, Resolution]]:
    """Like `store_values` for many locked assets: two statements, however many they are."""
    said = await observations_of(conn, [asset.id for asset in assets])
    changed: list[tuple[UUID, date | None, str | None, date | None, str | None]] = []
    resolved: dict[UUID, dict[DateField, Resolution]] = {}
    for asset in assets:
        resolutions = resolved[asset.id] = {field: resolve(field, said[asset.id][field]) for field in FIELDS}
        now = {field: (resolutions[field].value, resolutions[field].origin) for field in FIELDS}
        if now != asset.stored:
            changed.append((asset.id, *now[PURCHASE], *now[WARRANTY]))
    columns = map(list, zip(*changed, strict=True))
    rows = await conn.fetch(sql(__package__, "store_many"), *columns) if changed else []
    versions = {row["id"]: row["version"] for row in rows}
    for asset in assets:
        if asset.id in versions:
            asset.news.append(Stored(versions[asset.id], resolved[asset.id], causes.get(asset.id)))
    return resolved


def around(said: Mapping[DateField, list[Observation]]) -> Surroundings:
    """What an edit that comes in now is to remember."""
    return surroundings({field: [(each, is_integration(each.source)) for each in said[field]] for field in FIELDS})


def around_to_json(kept: Surroundings) -> dict[str, Any]:
    """The surroundings as the ledger keeps them."""
    remote = {
        field: {"source": each.source, "value": each.value and each.value.isoformat(), "chosen": each.chosen}
        for field, each in kept.remote.items()
    }
    return {"remote": remote, "excluded": sorted(kept.excluded)}


def around_from_json(kept: Any) -> Surroundings:
    """The surroundings back from the ledger."""
    remote: dict[DateField, Observation] = {}
    for field in FIELDS:
        each: Any = kept.get("remote", {}).get(field)
        if each:
            value: str | None = each["value"]
            remote[field] = Observation(
                str(each["source"]), date.fromisoformat(value) if value else None, chosen=bool(each["chosen"])
            )
    excluded: Any = kept.get("excluded", [])
    return Surroundings(remote, frozenset((str(field), str(source)) for field, source in excluded))
