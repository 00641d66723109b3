"""The roles of a deployment: each can run every statement that its program has, and nothing else."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from lifecycle.accounts import ensure_first_account
from lifecycle.data.naming import PACKAGE
from lifecycle.exits import Refused
from lifecycle.rights.database import PARTS, grant, role_of, verifier
from shared.migrations import check_current, migrate
from shared.postgres import sql
from tests.support.servers import PrivateServers
from tests.support.statements import Symbol, functions_of, statements

PASSWORDS: Final = {part: f"the secret of {part}" for part in PARTS}
VERIFIERS: Final = {role_of(part): verifier(password) for part, password in PASSWORDS.items()}
SERVICES: Final = PARTS[:5]

MIGRATING: Final = (("shared.migrations", "migrate"), ("shared.migrations", "pending"))
# The clock, the normalizer and the writer meet no integration that cannot be used: nothing there raises `Paused`.
PAUSING: Final = ("shared.integrations.status", "PausingIntegrations")
NEVER: Final[Mapping[str, Sequence[Symbol]]] = {
    # Which would store an event only where it paused one.
    "normalizer": (PAUSING, ("shared.outbox", "Outbox")),
    "writer": (PAUSING,),
    "scheduler": (PAUSING,),
}
# Commands of a stack on one machine, of the owner, and of the keys.
NOT_OF_THE_COMMAND: Final = ("migrate", "demo", "stack", "secrets", "doctor")
SESSION: Final = ("lifecycle.session", "connect")
ENTRIES: Final[Mapping[str, Sequence[Symbol]]] = {
    **{part: [(f"services.{part}.app", "create_app"), ("shared.runtime", "main")] for part in SERVICES},
    "cli": [*functions_of("lifecycle.commands", but=NOT_OF_THE_COMMAND), SESSION],
    "keys": [("lifecycle.rotation", "begun"), ("lifecycle.rotation", "reseal"), ("lifecycle.session", "database")],
}
# What the driver copies in, and what stands within a function: neither is seen in a statement.
UNSEEN: Final = {
    *(("writer", "INSERT", table) for table in ("assets", "devices")),
    *((part, right, "request_grants") for part in ("fetcher", "writeback") for right in ("INSERT", "DELETE")),
}
_GRANTS: Final = """
    select p.privilege_type as right, c.relname as table, null as column
    from pg_class c cross join aclexplode(c.relacl) p
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and p.grantee = $1::regrole
    union all
    select p.privilege_type, a.attrelid::regclass::text, a.attname
    from pg_attribute a cross join aclexplode(a.attacl) p
    where p.grantee = $1::regrole
    order by 1, 2, 3
"""


@dataclass(frozen=True)
class Granted:
    """A right that a role has."""

    right: str
    table: str
    column: str | None

    def words(self) -> str:
        return f"{self.right} ({self.column}) on {self.table}" if self.column else f"{self.right} on {self.table}"


@pytest.fixture(scope="module")
def owner_url(private_servers: PrivateServers) -> Iterator[str]:
    """A database with all roles and grants. Roles are the whole server's: nobody else's tests are on this one."""
    name = f"rights_{uuid4().hex[:8]}"

    async def make() -> str:
        url = await private_servers.database.create_database(name)
        await migrate(url)
        await ensure_first_account(url)
        await grant(url, VERIFIERS)
        return url

    yield asyncio.run(make())
    asyncio.run(private_servers.database.drop_database(name))


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(owner_url)
    yield connection
    await connection.close()


def address(owner_url: str, part: str, password: str | None = None) -> str:
    parts = urlsplit(owner_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role_of(part)}:{quote(password or PASSWORDS[part])}@{host}"))


@asynccontextmanager
async def logged_in(owner_url: str, part: str) -> AsyncGenerator["asyncpg.Connection[Any]"]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(address(owner_url, part))
    try:
        yield connection
    finally:
        await connection.close()


class Programs:
    """Plans every statement of a program as its role: Postgres looks at the rights before it would run it."""

    def __init__(self, connection: "asyncpg.Connection[Any]", part: str) -> None:
        self._connection = connection
        self._calls: dict[str, str] = {}
        self._part = part

    async def prepare(self) -> None:
        await self._connection.execute("set plan_cache_mode = force_generic_plan")
        if self._part == "cli":
            await self._connection.execute(sql(PACKAGE, "import_tables"))
            await self._connection.execute(f"grant all on import_entries, import_judged to {role_of(self._part)}")
        never = frozenset((*MIGRATING, *NEVER.get(self._part, ())))
        found = statements(ENTRIES[self._part], never=never)
        assert found
        for number, statement in enumerate(found):
            await self._connection.execute(f"prepare s{number} as {statement}")
            count = await self._connection.fetchval(
                "select cardinality(parameter_types) from pg_prepared_statements where name = $1", f"s{number}"
            )
            values = f"({', '.join(['null'] * count)})" if count else ""
            self._calls[statement] = f"explain execute s{number}{values}"

    async def refused(self, table: str | None = None, *, first: bool = False) -> list[str]:
        """The statements that are refused, of those that name a table; with `first` the first of them is enough."""
        found: list[str] = []
        for statement, call in self._calls.items():
            if table is not None and not re.search(rf"\b{table}\b", statement):
                continue
            try:
                async with self._connection.transaction():
                    await self._connection.execute(f"set local role {role_of(self._part)}")
                    await self._connection.execute(call)
            except asyncpg.InsufficientPrivilegeError as error:
                found.append(f"{error}: {' '.join(statement.split())[:200]}")
                if first:
                    break
        return found


@pytest.mark.parametrize("part", PARTS)
async def test_a_role_can_run_every_statement_of_its_program(owner: "asyncpg.Connection[Any]", part: str) -> None:
    programs = Programs(owner, part)
    await programs.prepare()
    assert await programs.refused() == []


@pytest.mark.parametrize("part", PARTS)
async def test_a_role_has_no_right_that_none_of_its_statements_needs(
    owner: "asyncpg.Connection[Any]", part: str
) -> None:
    programs = Programs(owner, part)
    await programs.prepare()
    rows = await owner.fetch(_GRANTS, role_of(part))
    needless: list[str] = []
    for each in [Granted(row["right"], row["table"], row["column"]) for row in rows]:
        if (part, each.right, each.table) in UNSEEN:
            continue
        trial = owner.transaction()
        await trial.start()
        await owner.execute(f"revoke {each.words()} from {role_of(part)}")
        if not await programs.refused(each.table, first=True):
            needless.append(each.words())
        await trial.rollback()
    assert needless == []


async def test_whoever_talks_to_the_rmm_takes_requests_and_no_one_else(owner_url: str) -> None:
    take = "select seq from take_request($1, 1::smallint, 10, '5 minutes', 1, '1 second')"
    for part in PARTS:
        async with logged_in(owner_url, part) as connection:
            if part in {"fetcher", "writeback"}:
                assert await connection.fetchval(take, uuid4()) > 0
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetchval(take, uuid4())


async def test_who_closes_runs_has_the_tables_analysed_without_owning_them(
    owner_url: str, owner: "asyncpg.Connection[Any]"
) -> None:
    looked = "select count(*) from pg_statistic where starelid = 'assets'::regclass"
    await owner.execute("insert into assets (id, account_id, observed_seq) values (gen_random_uuid(), $1, 1)", uuid4())
    for part in ("fetcher", "writer", "scheduler"):
        await owner.execute("delete from pg_statistic where starelid = 'assets'::regclass")
        async with logged_in(owner_url, part) as connection:
            # What it calls `assets` is not what is looked at in the owner's name.
            await connection.execute("create temporary table assets (trap text)")
            await connection.execute("select analyze_fleet()")
        assert await owner.fetchval(looked), part
    async with logged_in(owner_url, "normalizer") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("select analyze_fleet()")


async def test_the_writer_copies_in_with_the_numbers_that_it_took(owner_url: str) -> None:
    async with logged_in(owner_url, "writer") as connection:
        number = await connection.fetchval("select nextval('devices_id_seq')")
        row = (number, uuid4(), "d", uuid4(), uuid4(), "new", uuid4(), 1, "{}")
        columns = ("id", "integration_id", "device_id", "account_id", "asset_id", "matched_by", "content_hash")
        copied = await connection.copy_records_to_table(
            "devices", records=[row], columns=[*columns, "observed_seq", "vendor"]
        )
        assert copied == "COPY 1"


async def test_an_import_has_its_temporary_tables(owner_url: str) -> None:
    async with logged_in(owner_url, "cli") as connection:
        await connection.execute(sql(PACKAGE, "import_tables"))
        await connection.execute("analyze import_entries")
        await connection.execute(sql(PACKAGE, "import_judge"), uuid4())


MAY_NOT: Final = (
    *((part, "select client_secret_sealed from integrations") for part in ("writer", "scheduler", "cli")),
    *((part, "select * from integrations") for part in ("normalizer", "writer", "scheduler", "cli", "keys")),
    *((part, "select token_sealed from rmm_tokens") for part in ("normalizer", "writer", "scheduler", "cli")),
    *((part, "update integrations set client_secret_sealed = ''") for part in ("fetcher", "writer", "writeback")),
    *((part, "update rmm_tokens set token_sealed = ''") for part in ("writer", "scheduler", "cli")),
    *(("normalizer", f"select from {table}") for table in ("integrations", "assets", "devices", "outbox", "sync_runs")),
    *(("keys", f"select from {table}") for table in ("assets", "devices", "outbox", "accounts", "date_edits")),
    ("fetcher", "insert into assets (id, account_id, observed_seq) values (gen_random_uuid(), gen_random_uuid(), 1)"),
    ("fetcher", "update assets set name = ''"),
    ("fetcher", "delete from assets"),
    ("fetcher", "update devices set vendor = '{}'"),
    ("writer", "delete from assets"),
    ("writer", "select from parked_messages"),
    ("writeback", "update assets set state = 'archived'"),
    ("writeback", "insert into integrations (id) values (gen_random_uuid())"),
    ("scheduler", "insert into assets (id, account_id, observed_seq) values (gen_random_uuid(), gen_random_uuid(), 1)"),
    ("scheduler", "delete from audit_log"),
    ("cli", "delete from audit_log"),
    ("cli", "update audit_log set actor = ''"),
    ("cli", "insert into accounts (id, name) values (gen_random_uuid(), 'other')"),
    *((part, "create table public.mine (id int)") for part in PARTS),
    *((part, "insert into schema_migrations (name, sha256) values ('9999_mine.sql', '')") for part in PARTS),
    *((part, "truncate sync_chunks") for part in PARTS),
)


@pytest.mark.parametrize(("part", "statement"), MAY_NOT)
async def test_what_a_role_may_not_do_is_refused(owner_url: str, part: str, statement: str) -> None:
    async with logged_in(owner_url, part) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


@pytest.mark.parametrize("part", PARTS)
async def test_every_role_logs_in_with_its_password_and_sees_whether_the_database_is_migrated(
    owner_url: str, part: str
) -> None:
    async with logged_in(owner_url, part) as connection:
        await check_current(connection)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(address(owner_url, part, "another"))


async def test_granting_again_mends_what_was_changed_and_takes_what_is_not_listed(
    owner_url: str, owner: "asyncpg.Connection[Any]"
) -> None:
    before = {part: await owner.fetch(_GRANTS, role_of(part)) for part in PARTS}
    await owner.execute("revoke select on assets from lifecycle_writer; grant delete on assets to lifecycle_writer")
    await owner.execute("grant select (client_secret_sealed) on integrations to lifecycle_cli")
    await owner.execute("alter role lifecycle_keys password 'changed'")
    await asyncio.gather(*(grant(owner_url, VERIFIERS) for _ in range(3)))
    assert {part: await owner.fetch(_GRANTS, role_of(part)) for part in PARTS} == before
    async with logged_in(owner_url, "keys"):
        pass


async def test_who_may_not_make_roles_is_told_what_to_do(owner_url: str) -> None:
    with pytest.raises(Refused) as refused:
        await grant(address(owner_url, "writer"), VERIFIERS)
    assert "createrole" in str(refused.value.next_step)
