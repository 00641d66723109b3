"""Assets as people and scripts see them: filters, documents, and reading any number of them."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from lifecycle.data.naming import PACKAGE, SHORTEST_PREFIX
from lifecycle.data.words import today
from lifecycle.exits import NotFound, WrongUsage
from lifecycle.session import Session
from shared.assets.dates import EXPIRING_DAYS, age, warranty_status
from shared.assets.serials import normalise_serial
from shared.date_ledger.values import observations
from shared.dates.calendar import FIELDS
from shared.dates.resolving import resolve
from shared.postgres import Connection, sql

State = Literal["active", "missing", "archived"]
Warranty = Literal["expiring", "expired", "active", "unknown"]
Document = dict[str, Any]

PLAIN: Final = (
    *("company_id", "company_name", "site_id", "site_name", "name", "asset_type", "manufacturer"),
    *("manufacturer_normalised", "model", "serial_number", "serial_normalised", "operating_system", "os_version"),
    *("processor", "memory_bytes", "storage_bytes", "mac_addresses", "ip_address", "agent_installed_at"),
    *("purchase_date", "purchase_date_origin", "warranty_expiration_date", "warranty_expiration_date_origin"),
)
_PREFETCH: Final = 500
_ID_DIGITS: Final = 32
_HEX: Final = re.compile(r"[0-9a-f]{1,32}")
_GIVEN_UP: Final = """
    select asset_id, kept_as from assets_given_up where account_id = $1 and asset_id between $2 and $3
    order by asset_id limit 1
"""
_WAS_TOO: Final = """
    select asset_id, given_up_at, given_up_by from assets_given_up where account_id = $1 and kept_as = $2
    order by given_up_at, asset_id
"""


@dataclass(frozen=True)
class Filter:
    """Which assets are meant; None takes all."""

    integration_id: UUID | None = None
    company: str | None = None
    state: str | None = None
    search: str | None = None
    warranty: str | None = None
    after: UUID | None = None
    limit: int | None = None

    def arguments(self, account_id: UUID, day: date) -> tuple[Any, ...]:
        """What assets.sql takes."""
        text = self.search.strip() if self.search else None
        return (
            account_id,
            self.integration_id,
            self.company.strip() if self.company else None,
            self.state,
            text or None,
            normalise_serial(text) if text else None,
            self.warranty,
            day,
            EXPIRING_DAYS,
            self.after,
            self.limit,
        )


async def read_assets(session: Session, wanted: Filter) -> AsyncGenerator[Document]:
    """The assets one after the other, a few hundred at a time: memory stays flat however many there are."""
    day = today()
    async with session.connection.transaction(isolation="repeatable_read", readonly=True):
        cursor = session.connection.cursor(
            sql(PACKAGE, "assets"), *wanted.arguments(session.account_id, day), prefetch=_PREFETCH
        )
        async for row in cursor:
            yield document_of(row, day)


async def find_asset(session: Session, word: str) -> UUID:
    """The asset of this id, start of an id, serial number, name or device id; raises `NotFound` and `WrongUsage`."""
    text = word.strip()
    rows = await session.connection.fetch(
        sql(PACKAGE, "assets_named"), session.account_id, text, normalise_serial(text), *id_range(text)
    )
    best = sorted({row["id"] for row in rows if row["rank"] == rows[0]["rank"]})
    if not best:
        gone = await session.connection.fetchrow(_GIVEN_UP, session.account_id, *id_range(text))
        if gone is not None:
            raise NotFound(
                f"asset {gone['asset_id']} is the same machine as asset {gone['kept_as']}, as a person said",
                f"see that one: lifecycle assets show {gone['kept_as']}; all edits are there",
            )
        raise NotFound(f"there is no asset {word!r}", f"look for it with: lifecycle assets list --search {text!r}")
    if len(best) > 1:
        raise WrongUsage(f"{word!r} means several assets: {', '.join(map(str, best))}", "give the id of one of them")
    found: UUID = best[0]
    return found


def id_range(word: str) -> tuple[UUID | None, UUID | None]:
    """The least and the greatest id that begin with this word; None twice where none does, or it is too short."""
    digits = word.lower().replace("-", "")
    if len(word) < SHORTEST_PREFIX or not _HEX.fullmatch(digits):
        return None, None
    low, high = UUID(digits.ljust(_ID_DIGITS, "0")), UUID(digits.ljust(_ID_DIGITS, "f"))
    return (low, high) if str(low).startswith(word.lower()) else (None, None)


async def read_asset(session: Session, asset_id: UUID) -> Document:
    """One asset with what the vendor sent, as it was sent."""
    row = await session.connection.fetchrow(sql(PACKAGE, "asset"), session.account_id, asset_id)
    if row is None:
        raise NotFound(f"there is no asset {asset_id}", "see them with: lifecycle assets list")
    vendors = await session.connection.fetch(
        "select integration_id, device_id, vendor from devices where asset_id = $1 order by id", asset_id
    )
    document = document_of(row, today())
    by_link = {(str(one["integration_id"]), one["device_id"]): one["vendor"] for one in vendors}
    devices = [
        {**link, "vendor": by_link.get((link["integration_id"], link["device_id"]))} for link in document["devices"]
    ]
    questions = await session.connection.fetch(
        sql(PACKAGE, "ambiguities"), session.account_id, asset_id, None, None, None
    )
    ambiguities = [dict(row) for row in questions]
    was_too = [dict(row) for row in await session.connection.fetch(_WAS_TOO, session.account_id, asset_id)]
    return {
        **document,
        "devices": devices,
        "ambiguities": ambiguities,
        "given_up": was_too,
        "dates": await _dates(session, asset_id),
    }


async def _dates(session: Session, asset_id: UUID) -> Document:
    """Of each date: what counts, why, what was outvoted or excluded, what an RMM contradicts, what is written where."""
    connection: Connection = session.connection
    said = await observations(connection, asset_id)
    rows = await connection.fetch(sql(PACKAGE, "asset_pushes"), asset_id)
    conflicts = await connection.fetch(sql(PACKAGE, "conflicts"), session.account_id, asset_id, None, None)
    found: Document = {}
    for field in FIELDS:
        resolution = resolve(field, said[field])
        losers = [{"source": one.source, "value": one.value, "why": one.why} for one in resolution.losers]
        pushes = [dict(row) for row in rows if row["field"] == field]
        found[field] = {
            "value": resolution.value,
            "origin": resolution.origin,
            "why": resolution.why,
            "rule": resolution.rule,
            "losers": losers,
            "excluded": [each.source for each in said[field] if each.excluded],
            "conflicts": [_conflict(row) for row in conflicts if row["field"] == field],
            "write_backs": pushes,
        }
    return found


def _conflict(row: asyncpg.Record) -> Document:
    names = ("conflict_id", "integration_id", "integration", "device_id", "ours", "theirs", "found_at")
    return {name: row[name] for name in names}


def document_of(row: asyncpg.Record, day: date) -> Document:
    """An asset with what is derived from its dates on `day`."""
    return {
        "id": row["id"],
        "asset_id": row["id"],
        "state": row["state"],
        "type": row["asset_type"],
        "company": row["company_name"],
        "site": row["site_name"],
        **{name: row[name] for name in PLAIN},
        "age": age(row["purchase_date"], day),
        "warranty_status": warranty_status(row["warranty_expiration_date"], day),
        "first_seen_at": row["first_seen_at"],
        "last_seen_at": row["last_seen_at"],
        "version": row["version"],
        "devices": [_link(link) for link in row["links"]],
    }


def _link(link: Document) -> Document:
    # Times inside JSON are text; everywhere else they are times.
    times = {name: datetime.fromisoformat(link[name]) for name in ("first_seen_at", "last_seen_at") if link[name]}
    return {**link, **times}
