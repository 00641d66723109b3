"""Making and dropping databases on any Postgres."""

import asyncpg

_SECONDS = 30.0


async def ensure_database(url: str, name: str) -> None:
    """Makes the database where it is not there; `url` is of another one on the same server."""
    connection = await asyncpg.connect(url, timeout=_SECONDS)
    try:
        if not await connection.fetchval("select true from pg_database where datname = $1", name):
            await connection.execute(f"create database {_quoted(name)}")
    finally:
        await connection.close()


async def create_database(url: str, name: str, template: str | None) -> None:
    """Makes an empty database, or a copy of a template; an old one of that name is dropped."""
    connection = await asyncpg.connect(url, timeout=_SECONDS)
    try:
        await connection.execute(f"drop database if exists {_quoted(name)} with (force)")
        source = f" template {_quoted(template)}" if template else ""
        await connection.execute(f"create database {_quoted(name)}{source}")
    finally:
        await connection.close()


async def drop_database(url: str, name: str) -> None:
    """Drops a database, and whoever is connected to it; nothing happens where there is none."""
    connection = await asyncpg.connect(url, timeout=_SECONDS)
    try:
        await connection.execute(f"drop database if exists {_quoted(name)} with (force)")
    finally:
        await connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
