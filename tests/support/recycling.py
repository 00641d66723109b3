"""A test's database made as new: what was written is deleted, where it is certain that nothing else was changed.

To copy the template takes up to half a second of the kernel's time, for each page of its files is written anew; to
delete a few hundred rows takes some milliseconds. Where anything is not as in the template, the database is not used
again.
"""

from dataclasses import dataclass
from typing import Any

import asyncpg

from shared.postgres import Connection
from tests.support.waiting import until

MOST_ROWS = 2_000
"""A table with more of them would leave its dead rows to the next tests, and its statistics."""

_ALONE = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
"""
_OTHERS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
_SCHEMA = """
    select md5(string_agg(line, E'\\n' order by line)) from (
        select concat_ws(' ', c.relname, c.relkind, c.reloptions::text, a.attname, a.atttypid::regtype, a.attnotnull,
            a.attcompression, pg_get_expr(d.adbin, d.adrelid)) as line
        from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relnamespace = 'public'::regnamespace
        union all select pg_get_indexdef(indexrelid) from pg_index where indrelid in (
            select oid from pg_class where relnamespace = 'public'::regnamespace
        )
        union all select concat(pg_get_triggerdef(oid), tgenabled) from pg_trigger where not tgisinternal
        union all select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
        union all select concat(conname, pg_get_constraintdef(oid)) from pg_constraint
            where connamespace = 'public'::regnamespace
        union all select nspname::text from pg_namespace where nspname not like 'pg\\_%'
        union all select extname::text from pg_extension
        union all select setconfig::text from pg_db_role_setting
            where setdatabase = (select oid from pg_database where datname = current_database())
        union all select concat(datconnlimit, datallowconn) from pg_database where datname = current_database()
    ) as lines
"""
_TABLES = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname"
_SEQUENCES = "select sequencename, start_value, last_value from pg_sequences where schemaname = 'public' order by 1"
_LOOKED_AT = """
    select exists (
        select from pg_stat_user_tables
        where coalesce(last_analyze, last_autoanalyze, last_vacuum, last_autovacuum) is not null
    )
"""


@dataclass(frozen=True)
class AsNew:
    """What a database of the template is: its schema, the rows of the few tables that have any, and its sequences."""

    schema: str
    rows: dict[str, str]
    sequences: list[tuple[Any, ...]]

    @classmethod
    async def read(cls, url: str) -> "AsNew":
        """Read it from the template itself."""
        conn = await asyncpg.connect(url)
        try:
            filled = {name for name, count in (await _counts(conn)).items() if count}
            return cls(
                await conn.fetchval(_SCHEMA),
                {name: await _content(conn, name) for name in sorted(filled)},
                [tuple(row) for row in await conn.fetch(_SEQUENCES)],
            )
        finally:
            await conn.close()

    async def restore(self, url: str) -> bool:
        """Make a used database as new; False where it is not certain that it is."""
        try:
            conn = await asyncpg.connect(url)
        except (OSError, asyncpg.PostgresError):
            return False
        try:
            return await self._restore(conn)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, AssertionError):
            return False  # somebody comes again and again, or it went away
        finally:
            await conn.close()

    async def _restore(self, conn: Connection) -> bool:
        await conn.execute(_ALONE)
        await until("everybody has left", lambda: _is_alone(conn), within=5.0)
        if await conn.fetchval(_LOOKED_AT) or await conn.fetchval(_SCHEMA) != self.schema:
            return False
        counts = await _counts(conn)
        used = {name for name, count in counts.items() if count} - self.rows.keys()
        if any(counts[name] > MOST_ROWS for name in used):
            return False
        for name, content in self.rows.items():
            if await _content(conn, name) != content:
                return False
        # What refers to another row goes as well; only a superuser may leave that unchecked.
        await conn.execute("set session_replication_role = replica")
        for name in sorted(used):
            await conn.execute(f'delete from "{name}"')
        for name, start, last in self.sequences:
            await conn.execute("select setval($1::text::regclass, $2, $3)", name, last or start, last is not None)
        return True


async def _is_alone(conn: Connection) -> bool:
    return not await conn.fetchval(_OTHERS)


async def _counts(conn: Connection) -> dict[str, int]:
    """How many rows each table has, at most one more than may be deleted."""
    names = [row["relname"] for row in await conn.fetch(_TABLES)]
    each = [f'(select count(*) from (select from "{name}" limit {MOST_ROWS + 1}) as limited)' for name in names]
    row = await conn.fetchrow(f"select {', '.join(each)}")
    assert row is not None
    return dict(zip(names, row, strict=True))


async def _content(conn: Connection, name: str) -> str:
    content: str = await conn.fetchval(
        f"select md5(coalesce(string_agg(t::text, E'\\n' order by t::text), '')) from \"{name}\" t"
    )
    return content
