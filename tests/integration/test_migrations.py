"""Migrations against a real Postgres: once, in order, all or nothing, whoever else tries at the same time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from lifecycle.settings import CommandSettings
from lifecycle.stack.choice import choose_database
from lifecycle.stack.control import purge
from lifecycle.stack.layout import Layout
from lifecycle.stack.servers import Database
from shared import migrations
from tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A Postgres of this module."""
    layout = Layout(tmp_path_factory.mktemp("migrations"))
    layout.create()
    database = asyncio.run(choose_database(layout, CommandSettings(), print, throwaway=True))
    asyncio.run(database.start())
    yield database
    asyncio.run(database.kill())
    purge(layout)


@pytest.fixture
async def url(server: Database) -> AsyncIterator[str]:
    """An empty database."""
    name = f"migrations_{uuid4().hex[:12]}"
    yield await server.create_database(name)
    await server.drop_database(name)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name[1:]}.sql").write_text(text)
    return folder


async def value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_all_of_ours_apply_and_a_second_run_finds_nothing_to_do(url: str) -> None:
    ours = [migration.name for migration in migrations.load()]

    assert await migrations.pending(url) == ours
    assert await migrations.migrate(url) == ours
    assert await migrations.migrate(url) == []
    assert await migrations.pending(url) == []


async def test_of_several_runners_one_applies_and_none_fails(url: str, tmp_path: Path) -> None:
    folder = write(tmp_path, _0001_a="create table a (x int); select pg_sleep(0.3)", _0002_b="create table b (x int)")

    applied = await asyncio.gather(*(migrations.migrate(url, folder) for _ in range(5)))

    assert sorted(applied, key=len) == [[], [], [], [], ["0001_a.sql", "0002_b.sql"]]


async def test_a_failing_file_leaves_nothing_and_is_named(url: str, tmp_path: Path) -> None:
    folder = write(tmp_path, _0001_a="create table a (x int)", _0002_b="create table b (x int); select 1/0")

    with pytest.raises(migrations.MigrationError, match=r"0002_b\.sql failed .*division by zero"):
        await migrations.migrate(url, folder)

    assert await value(url, "select to_regclass('b')") is None
    assert await migrations.pending(url, folder) == ["0002_b.sql"]


async def test_an_edited_applied_file_is_refused_by_everybody(url: str, tmp_path: Path) -> None:
    folder = write(tmp_path, _0001_a="create table a (x int)")
    await migrations.migrate(url, folder)
    write(tmp_path, _0001_a="create table a (x int, y int)")

    with pytest.raises(migrations.MigrationError, match=r"0001_a\.sql was edited .* new migration"):
        await migrations.migrate(url, folder)
    connection = await asyncpg.connect(url)
    with pytest.raises(migrations.MigrationError, match="was edited"):
        await migrations.check_current(connection, folder)
    await connection.close()


async def test_a_file_put_before_an_applied_one_is_refused(url: str, tmp_path: Path) -> None:
    folder = write(tmp_path, _0001_a="select 1", _0002_b="select 1")
    await migrations.migrate(url, folder)
    (folder / "0002_b.sql").rename(folder / "0003_b.sql")
    write(tmp_path, _0002_c="select 1")

    with pytest.raises(migrations.MigrationError, match=r"has 0002_b\.sql, which this version does not know"):
        await migrations.migrate(url, folder)


async def test_a_newer_database_is_refused_by_migrate_and_taken_by_services(url: str, tmp_path: Path) -> None:
    folder = write(tmp_path, _0001_a="select 1", _0002_b="select 1")
    await migrations.migrate(url, folder)
    (folder / "0002_b.sql").unlink()

    with pytest.raises(migrations.MigrationError, match="does not know"):
        await migrations.migrate(url, folder)
    connection = await asyncpg.connect(url)
    await migrations.check_current(connection, folder)
    await connection.close()


async def test_a_service_refuses_an_older_database_and_says_what_to_do(url: str, tmp_path: Path) -> None:
    folder = write(tmp_path, _0001_a="select 1")
    connection = await asyncpg.connect(url)
    with pytest.raises(migrations.MigrationError, match="run lifecycle migrate"):
        await migrations.check_current(connection, folder)
    await connection.close()


async def test_an_index_can_be_built_while_others_wait_for_their_turn(url: str, tmp_path: Path) -> None:
    # A waiter that holds a snapshot would block the build, which it waits for itself: a deadlock.
    folder = write(
        tmp_path,
        _0001_a="create table a (x int)",
        _0002_b="-- no-transaction\nselect pg_sleep(0.5);\ncreate index concurrently if not exists a_x on a (x);\n",
    )

    applied = await asyncio.wait_for(
        asyncio.gather(*(migrations.migrate(url, folder) for _ in range(3))), PATIENCE_SECONDS
    )

    assert max(applied, key=len) == ["0001_a.sql", "0002_b.sql"]
    assert await value(url, "select indisvalid from pg_index where indexrelid = 'a_x'::regclass")


async def test_what_a_file_sets_for_itself_does_not_reach_the_next(url: str, tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        _0001_a="set lock_timeout = '5s'",
        _0002_b="create table seen as select current_setting('lock_timeout') as value",
    )

    await migrations.migrate(url, folder)

    assert await value(url, "select value from seen") == "0"
