"""The value of an asset's dates: read under its lock, computed by the rule, stored where it changed."""

import dataclasses
from collections import defaultdict
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
    from assets where id = $1 for no key update
"""
_OBSERVED: Final = """
    select field, source, value, excluded_at is not null as excluded, chosen_at is not null as chosen
    from date_observations where asset_id = $1
"""
_OBSERVED_OF_MANY: Final = """
    select asset_id, field, source, value, excluded_at is not null as excluded, chosen_at is not null as chosen
    from date_observations where asset_id = any($1::uuid[])
"""


@dataclass(frozen=True)
class Cause:
    """The edit by which values came to be computed anew."""

    event_source: str
    event_id: str
    correlation_id: str


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
    row = await conn.fetchrow(_LOCK, asset_id)
    return asset_of(row) if row else None


def asset_of(row: asyncpg.Record) -> Asset:
    """The asset in a row with its id, account, type, version, and value and origin of both fields."""
    stored: dict[DateField, tuple[date | None, str | None]] = {
        field: (row[field], row[f"{field}_origin"]) for field in FIELDS
    }
    return Asset(row["id"], row["account_id"], row["asset_type"], row["version"], stored)


async def observations(conn: Connection, asset_id: UUID) -> dict[DateField, list[Observation]]:
    """What each source says of each field."""
    found: dict[DateField, list[Observation]] = {field: [] for field in FIELDS}
    for row in await conn.fetch(_OBSERVED, asset_id):
        found[row["field"]].append(_observation(row))
    return found


def _observation(row: asyncpg.Record) -> Observation:
    return Observation(row["source"], row["value"], excluded=row["excluded"], chosen=row["chosen"])


async def store_values(conn: Connection, asset: Asset, *, cause: Cause | None = None) -> dict[DateField, Resolution]:
    """Compute both values anew and store them where they differ, as one new version of the asset."""
    said = await observations(conn, asset.id)
    resolved: dict[DateField, Resolution] = {field: resolve(field, said[field]) for field in FIELDS}
    if any((resolved[field].value, resolved[field].origin) != asset.stored[field] for field in FIELDS):
        arguments = [part for field in FIELDS for part in (resolved[field].value, resolved[field].origin)]
        version: int = await conn.fetchval(sql(__package__, "store_values"), asset.id, *arguments)
        asset.news.append(Stored(version, resolved, cause))
    return resolved


async def store_values_of(conn: Connection, assets: Sequence[Asset]) -> None:
    """Like `store_values` for many locked assets: two statements, however many they are."""
    said: dict[tuple[UUID, DateField], list[Observation]] = defaultdict(list)
    for row in await conn.fetch(_OBSERVED_OF_MANY, [asset.id for asset in assets]):
        said[row["asset_id"], row["field"]].append(_observation(row))
    changed: list[tuple[UUID, date | None, str | None, date | None, str | None]] = []
    news: dict[UUID, tuple[Asset, dict[DateField, Resolution]]] = {}
    for asset in assets:
        resolved: dict[DateField, Resolution] = {field: resolve(field, said[asset.id, field]) for field in FIELDS}
        now = {field: (resolved[field].value, resolved[field].origin) for field in FIELDS}
        if now != asset.stored:
            changed.append((asset.id, *now[PURCHASE], *now[WARRANTY]))
            news[asset.id] = (asset, resolved)
    if not changed:
        return
    for row in await conn.fetch(sql(__package__, "store_many"), *map(list, zip(*changed, strict=True))):
        asset, resolved = news[row["id"]]
        asset.news.append(Stored(row["version"], resolved))


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
