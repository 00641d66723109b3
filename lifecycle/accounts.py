"""Accounts as the command knows them: by name or by id, and a first one for a new stack."""

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg

from lifecycle.exits import NotFound, Refused

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]

FIRST_ACCOUNT = "default"


async def ensure_first_account(database_url: str) -> UUID:
    """Makes the account `default` where there is none at all, and returns the oldest; twice is harmless."""
    connection: Connection = await asyncpg.connect(database_url, timeout=10)
    try:
        await connection.execute(
            "insert into accounts (id, name) select $1, $2 where not exists (select from accounts)"
            " on conflict (name) do nothing",
            uuid4(),
            FIRST_ACCOUNT,
        )
        oldest: UUID = await connection.fetchval("select id from accounts order by created_at, id limit 1")
        return oldest
    finally:
        await connection.close()


async def resolve_account(connection: "Connection", name_or_id: str | None) -> tuple[UUID, str]:
    """Id and name of the account meant: the named one, else the only one, else `default`.

    Raises `NotFound`, and `Refused` where several are there and none was named.
    """
    rows = await connection.fetch("select id, name from accounts order by name")
    known = {str(row["id"]): (row["id"], row["name"]) for row in rows}
    by_name = {row["name"]: (row["id"], row["name"]) for row in rows}
    names = ", ".join(by_name) or "none"
    if name_or_id is not None:
        found = known.get(name_or_id.lower()) or by_name.get(name_or_id)
        if found is None:
            raise NotFound(f"there is no account {name_or_id!r}", f"accounts: {names}")
        return found
    if len(by_name) == 1:
        return next(iter(by_name.values()))
    if FIRST_ACCOUNT in by_name:
        return by_name[FIRST_ACCOUNT]
    if not by_name:
        raise NotFound("there is no account yet", "run: lifecycle up")
    raise Refused("there are several accounts", f"name one with --account: {names}")
