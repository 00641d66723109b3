"""An integration as the command adds it, its syncs, and what the store says of them."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from pydantic import SecretStr

from bench.stack import Rmm, Servers
from lifecycle.exits import Failure
from shared.audit import Author
from shared.bus import Bus, publisher_broker
from shared.integrations.changes import Credentials, NewIntegration, add_integration
from shared.integrations.status import queue_sync
from shared.outbox import Outbox, Pending
from shared.postgres import Pool, open_pool, transaction
from shared.rmm.regions import Region
from shared.secrets import PublicKeyRing

_POLL_SECONDS = 0.1
_LINED_UP = "select seeded_at is not null from detail_sweeps where integration_id = $1"
_GOOD = ("succeeded", "succeeded_with_rejects")


@dataclass(frozen=True)
class RunTimes:
    """How a run ended. `seconds` is from the request to the end, by the database's clock."""

    run_id: UUID
    status: str
    seconds: float
    balance: dict[str, int]


class Store:
    """A client of one stack's tables and events, as the command is one."""

    def __init__(self, servers: Servers, pool: Pool, outbox: Outbox, account_id: UUID) -> None:
        self.pool = pool
        self._servers = servers
        self.outbox = outbox
        self._author = Author(account_id=account_id, actor="bench", source="bench")

    async def add(self, name: str, rmm: Rmm) -> tuple[UUID, UUID]:
        """Add an integration and announce it; returns it with its first run, which that starts."""
        keys = PublicKeyRing.from_text(self._servers.layout.sealing_key_file.read_text())
        new = NewIntegration(name, Region.NA, Credentials(rmm.client_id, SecretStr(rmm.client_secret)))
        async with transaction(self.pool) as conn:
            added = await add_integration(conn, self._author, new, keys)
        assert added.run_id is not None
        await self.outbox.publish(*added.pending)
        return added.integration_id, added.run_id

    async def sync(self, integration_id: UUID) -> UUID:
        """Request a full sync; returns its run."""
        async with transaction(self.pool) as conn:
            pending: list[Pending] = await queue_sync(
                conn, integration_id, self._author.account_id, started_by="manual", actor="bench", source="bench"
            )
            run_id: UUID = await conn.fetchval(
                "select id from sync_runs where integration_id = $1 and status = 'queued'", integration_id
            )
        await self.outbox.publish(*pending)
        return run_id

    async def lined_up(self, integration_id: UUID, *, within: float = 60.0) -> None:
        """Return when the slow sweep knows every device of the first run: no load has to wait for that."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if await self.pool.fetchval(_LINED_UP, integration_id):
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise Failure("the devices of a first load were not put in line for the sweep", "read the scheduler's log")

    async def in_another_account(self) -> "Store":
        """A second customer, whose assets are never matched with the first one's."""
        account_id = uuid4()
        await self.pool.execute("insert into accounts (id, name) values ($1, $2)", account_id, str(account_id))
        return Store(self._servers, self.pool, self.outbox, account_id)

    async def ended(self, run_id: UUID, *, within: float = 600.0) -> RunTimes:
        """Wait for the end of a run. Raises Failure where it did not succeed, or takes too long."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            row = await self.pool.fetchrow(_RUN, run_id)
            if row is not None and row["status"] not in {"queued", "running"}:
                return _times(row)
            await asyncio.sleep(_POLL_SECONDS)
        raise Failure(f"the run did not end within {within:.0f} s", "read the logs of the services")

    async def wal(self) -> int:
        """Bytes of write-ahead log so far."""
        return int(await self.pool.fetchval("select pg_current_wal_lsn() - '0/0'::pg_lsn"))

    async def settle(self) -> None:
        """Do now what autovacuum would do within minutes after a load, and write a checkpoint.

        So both loads start alike, and neither pays for the other's leftovers.
        """
        await self.pool.execute("vacuum (analyze)")
        await self.pool.execute("checkpoint")


_RUN = """
    select r.*, extract(epoch from r.finished_at - r.requested_at)::float8 as seconds
    from sync_runs r where r.id = $1
"""
_BALANCE = ("seen", "created", "updated", "unchanged", "rejected", "repeated", "missing")


def _times(row: Any) -> RunTimes:
    if row["status"] not in _GOOD:
        raise Failure(f"the run ended as {row['status']}: {row['reason']}", "read the logs of the services")
    balance = {name: row[name] for name in _BALANCE}
    return RunTimes(row["id"], row["status"], row["seconds"], balance)


@asynccontextmanager
async def open_store(servers: Servers, database_url: str) -> AsyncGenerator[Store]:
    """Connect to the stack's database and broker."""
    pool = await open_pool(database_url, service="bench", size=4)
    publisher = publisher_broker(servers.amqp_url, "bench")
    try:
        await publisher.start()
        try:
            account_id: UUID = await pool.fetchval("select id from accounts order by created_at limit 1")
            yield Store(servers, pool, Outbox(pool, Bus(publisher)), account_id)
        finally:
            await publisher.stop()
    finally:
        await pool.close()


async def settle(database_url: str) -> None:
    """What `Store.settle` does, for a database that no stack of ours is connected to."""
    connection = await connect(database_url)
    try:
        await connection.execute("vacuum (analyze)")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


async def connect(database_url: str) -> "asyncpg.Connection[Any]":
    """A plain connection."""
    return await asyncpg.connect(database_url, timeout=10)
