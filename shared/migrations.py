"""Brings a database to the version that this code needs: plain SQL files, in order, forward only.

`migrations/NNNN_name.sql`, numbered without a gap from 0001. Each runs once, in a transaction of its own together
with its entry in `schema_migrations`, so a crash leaves it applied or not, never half. A file that begins with
`-- no-transaction` runs statement by statement (a line that ends in `;` ends one) for what Postgres refuses inside
one, such as `create index concurrently`; a crash can leave it half done, so its statements must be repeatable.

An applied file never changes: its SHA-256 is kept, and a difference is refused. Any number of runners may start at
once; one of them works, the others wait and find nothing left to do.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

FOLDER = Path(__file__).resolve().parent.parent / "migrations"
NO_TRANSACTION = "-- no-transaction"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 0x6C696665  # any number that no other program on the database uses
_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 10.0
_TABLE = """
create table if not exists schema_migrations (
    name text primary key,
    sha256 text not null,
    applied_at timestamptz not null default now()
)
"""


class MigrationError(Exception):
    """The files and the database do not fit; the message says which and what to do."""


@dataclass(frozen=True)
class Migration:
    """One file."""

    name: str
    sql: str
    sha256: str

    @property
    def transactional(self) -> bool:
        """Whether the whole file runs in one transaction."""
        return not self.sql.startswith(NO_TRANSACTION)

    def statements(self) -> list[str]:
        """The statements of a file without transaction."""
        return [part for part in re.split(r"(?<=;)[ \t]*\n", self.sql) if re.sub(r"--[^\n]*", "", part).strip()]


def load(folder: Path = FOLDER) -> list[Migration]:
    """The files of the folder in order; raises `MigrationError` where a name or the numbering is wrong."""
    found: list[Migration] = []
    for number, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is not named like 0001_what_it_does.sql: rename it")
        if int(match.group(1)) != number:
            raise MigrationError(
                f"{path.name} should have the number {number:04d}: migrations are numbered without a gap or a double"
            )
        content = path.read_bytes()
        found.append(Migration(path.name, content.decode(), hashlib.sha256(content).hexdigest()))
    if not found:
        raise MigrationError(f"there are no migrations in {folder}: the installation is incomplete")
    return found


async def migrate(database_url: str, folder: Path = FOLDER) -> list[str]:
    """Applies what is missing and returns its names; twice is harmless, and so is doing it in several places at once.

    Raises `MigrationError` where an applied file was edited, where one was put before an applied one, and where the
    database was migrated by a newer version.
    """
    migrations = load(folder)
    async with _locked(database_url) as connection:
        await connection.execute(_TABLE)
        missing = _missing(migrations, await _applied(connection))
        for migration in missing:
            await _apply(connection, migration)
        return [migration.name for migration in missing]


async def pending(database_url: str, folder: Path = FOLDER) -> list[str]:
    """The names of what `migrate` would apply now; raises as it does, and changes nothing."""
    connection = await asyncpg.connect(database_url, timeout=_CONNECT_SECONDS)
    try:
        return [migration.name for migration in _missing(load(folder), await _applied(connection))]
    finally:
        await connection.close()


async def check_current(connection: "Connection", folder: Path = FOLDER) -> None:
    """Raises `MigrationError` where the database is older than this code; a service calls it at its start.

    A database that is *newer* is taken: during an upgrade the services of the last version still start, so a
    migration must leave what they use.
    """
    applied = await _applied(connection)
    migrations = load(folder)
    missing = [migration.name for migration in migrations if migration.name not in applied]
    if missing:
        raise MigrationError(
            f"the database lacks {missing[0]} and so is older than this program: run lifecycle migrate"
        )
    for migration in migrations:
        _check_unedited(migration, applied[migration.name])


@asynccontextmanager
async def _locked(database_url: str) -> AsyncGenerator["asyncpg.Connection[Any]"]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url, timeout=_CONNECT_SECONDS)
    try:
        # Asked again and again: a session that *waits* for the lock holds a snapshot, for whose end
        # `create index concurrently` of the session that has it would wait in turn, for ever.
        while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110 - not ours to set
            await asyncio.sleep(_POLL_SECONDS)
        yield connection
    finally:
        await connection.close()


async def _applied(connection: "Connection") -> dict[str, str]:
    if await connection.fetchval("select to_regclass('schema_migrations')") is None:
        return {}
    rows = await connection.fetch("select name, sha256 from schema_migrations")
    return {row["name"]: row["sha256"] for row in rows}


def _missing(migrations: Sequence[Migration], applied: Mapping[str, str]) -> list[Migration]:
    """What is to be applied, after all that may be wrong was looked for."""
    unknown = sorted(applied.keys() - {migration.name for migration in migrations})
    if unknown:
        raise MigrationError(
            f"the database has {unknown[-1]}, which this version does not know: install the version that applied it"
        )
    missing: list[Migration] = []
    for migration in migrations:
        if migration.name not in applied:
            missing.append(migration)
        elif missing:
            raise MigrationError(
                f"{missing[0].name} is not applied but the later {migration.name} is: give it the next free number"
            )
        else:
            _check_unedited(migration, applied[migration.name])
    return missing


def _check_unedited(migration: Migration, sha256: str) -> None:
    if migration.sha256 != sha256:
        raise MigrationError(
            f"{migration.name} was edited after it was applied: "
            "restore the file as it was and put the change into a new migration"
        )


async def _apply(connection: "asyncpg.Connection[Any]", migration: Migration) -> None:
    record = "insert into schema_migrations (name, sha256) values ($1, $2)"
    try:
        if migration.transactional:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(record, migration.name, migration.sha256)
        else:
            for statement in migration.statements():
                await connection.execute(statement)
            await connection.execute(record, migration.name, migration.sha256)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name} failed and was not recorded: {error}") from error
    # A file sets its own lock_timeout; the next one starts from the session's.
    await connection.execute("reset all")
