"""A database with integrations, runs and chunks as tests want them, and a bus that only listens."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from services.writer.store import PostgresAssets, Written
from shared.events import Event
from shared.events.bulk import NO_VENDOR, AssetPageNormalized, NormalizedAsset, Reject
from shared.outbox import Outbox
from shared.postgres import Pool, connection
from shared.runs.closing import close_if_done

STORY = "story"


class ListeningBus:
    """A bus without a broker: what is published is kept here, in order."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    async def __call__(self, event: Event[Any]) -> None:
        """Take an event."""
        await self.publish_body(event.type, event.model_dump_json().encode(), event.correlation_id)

    async def publish_body(self, routing_key: str, body: bytes, correlation_id: str) -> None:
        """Take a body."""
        event = json.loads(body)
        assert (event["type"], event["correlationid"]) == (routing_key, correlation_id)
        self.said.append(event)

    def of(self, *types: str) -> list[dict[str, Any]]:
        """The data of the events of these types, in order."""
        return [event["data"] for event in self.said if event["type"] in types]

    def types(self) -> list[str]:
        """The types of all events, in order."""
        return [event["type"] for event in self.said]


def device(
    device_id: str, *, serial: str | None = None, mac: str | None = None, vendor: Any = None, **asset: Any
) -> NormalizedAsset:
    """A normalised device. `serial` and `mac` are the keys as they come from the normalizer: never junk."""
    columns = {"name": device_id, **asset}
    if serial:
        columns |= {"serial_number": serial.partition("|")[0], "serial_normalised": serial.partition("|")[0]}
    if mac:
        columns["mac_addresses"] = mac.split(",")
    raw = msgspec.json.encode({name: value for name, value in columns.items() if value is not ...})
    sent = vendor if isinstance(vendor, bytes) else msgspec.json.encode(vendor or {"endpointID": device_id})
    return NormalizedAsset(
        device_id=device_id,
        content_hash=hashlib.md5(raw + b"|" + sent, usedforsecurity=False).hexdigest(),
        serial_key=serial,
        mac_key=mac,
        asset=msgspec.Raw(raw),
        vendor=msgspec.Raw(sent),
    )


def reject(device_id: str | None = None, vendor: bytes = NO_VENDOR) -> Reject:
    """A device that could not be mapped."""
    return Reject(reason_code="unreadable", detail="it is not an object", device_id=device_id, vendor=vendor)


@dataclass
class Tenant:
    """An integration and the run of it that goes."""

    id: UUID
    account_id: UUID
    run_id: UUID
    scope_id: UUID


@dataclass
class World:
    """One database."""

    pool: Pool
    account_id: UUID
    bus: ListeningBus = field(default_factory=ListeningBus)
    _seq: Any = field(default_factory=lambda: count(1))
    _names: Any = field(default_factory=lambda: count(1))

    @property
    def outbox(self) -> Outbox:
        """An outbox that publishes into `bus`."""
        return Outbox(self.pool, self.bus)  # type: ignore[arg-type]

    @property
    def assets(self) -> PostgresAssets:
        """The writer's store."""
        return PostgresAssets(self.pool, self.outbox)

    # -- rows ------------------------------------------------------------------------------------------------------

    async def account(self) -> UUID:
        """Another account."""
        account_id = uuid4()
        await self.execute("insert into accounts (id, name) values ($1, $2)", account_id, f"account {account_id}")
        return account_id

    async def integration(self, account_id: UUID | None = None, *, status: str = "active", **columns: Any) -> UUID:
        """An integration of the account, in whatever status."""
        integration_id = uuid4()
        row: dict[str, Any] = {
            "id": integration_id,
            "account_id": account_id or self.account_id,
            "name": f"tenant {next(self._names)}",
            "region": "na",
            "client_id": "client",
            "client_secret_sealed": "sealed",
            "status": status,
            **columns,
        }
        await self.insert("integrations", row)
        return integration_id

    async def run(self, integration_id: UUID, *, status: str = "running", kind: str = "full", **columns: Any) -> UUID:
        """A run of an integration."""
        run_id = uuid4()
        account_id = await self.value("select account_id from integrations where id = $1", integration_id)
        row: dict[str, Any] = {
            "id": run_id,
            "account_id": account_id,
            "integration_id": integration_id,
            "kind": kind,
            "started_by": "manual",
            "actor": "tester",
            "correlation_id": uuid4(),
            "status": status,
            **columns,
        }
        await self.insert("sync_runs", row)
        return run_id

    async def scope(
        self, run_id: UUID, *companies: str, status: str = "listing", position: int = 0, **columns: Any
    ) -> UUID:
        """A scope of a run."""
        scope_id = uuid4()
        row: dict[str, Any] = {
            "id": scope_id,
            "run_id": run_id,
            "position": position,
            "company_ids": list(companies or ["c1"]),
            "status": status,
            **columns,
        }
        await self.insert("sync_scopes", row)
        return scope_id

    async def tenant(self, account_id: UUID | None = None, **columns: Any) -> Tenant:
        """An integration with a full run that lists."""
        integration_id = await self.integration(account_id, **columns)
        return await self.next_run(integration_id)

    async def next_run(self, integration_id: UUID, *, kind: str = "full", **columns: Any) -> Tenant:
        """Another run of an integration, listing."""
        run_id = await self.run(integration_id, kind=kind, **columns)
        account_id = await self.value("select account_id from sync_runs where id = $1", run_id)
        return Tenant(integration_id, account_id, run_id, await self.scope(run_id))

    # -- chunks ----------------------------------------------------------------------------------------------------

    def chunk(
        self,
        tenant: Tenant,
        *devices: NormalizedAsset,
        rejects: Sequence[Reject] = (),
        fetch_id: UUID | None = None,
        chunk_no: int = 0,
        chunk_count: int = 1,
        seq: int | None = None,
    ) -> AssetPageNormalized:
        """A chunk of the tenant's run; observed after every earlier one unless `seq` says otherwise."""
        return AssetPageNormalized(
            run_id=str(tenant.run_id),
            integration_id=str(tenant.id),
            account_id=str(tenant.account_id),
            scope_id=str(tenant.scope_id),
            fetch_id=str(fetch_id or uuid4()),
            page_no=0,
            chunk_no=chunk_no,
            chunk_count=chunk_count,
            observed_seq=next(self._seq) if seq is None else seq,
            fetched_at="2026-11-24T10:00:00+00:00",
            assets=list(devices),
            rejects=list(rejects),
        )

    async def write(self, chunk: AssetPageNormalized) -> Written:
        """Write a chunk that is new."""
        written = await self.assets.write(chunk, STORY)
        assert written is not None
        return written

    async def see(self, tenant: Tenant, *devices: NormalizedAsset, rejects: Sequence[Reject] = ()) -> Written:
        """Write a chunk, and record its page as the fetcher does."""
        chunk = self.chunk(tenant, *devices, rejects=rejects)
        written = await self.write(chunk)
        await self.record(chunk)
        return written

    async def record(self, *chunks: AssetPageNormalized, devices: int | None = None) -> None:
        """Record the page of which these are all the chunks."""
        first = chunks[0]
        page_no = await self.value("select count(*) from sync_pages where scope_id = $1", UUID(first.scope_id))
        found = sum(len(chunk.assets) + len(chunk.rejects) for chunk in chunks)
        row = {
            "fetch_id": UUID(first.fetch_id),
            "run_id": UUID(first.run_id),
            "scope_id": UUID(first.scope_id),
            "page_no": page_no,
            "devices": found if devices is None else devices,
            "chunk_count": len(chunks),
        }
        await self.insert("sync_pages", row)

    async def close(self, tenant: Tenant) -> asyncpg.Record:
        """End the listing, close the run, and give its row."""
        await self.execute(
            "update sync_scopes set status = 'done' where run_id = $1 and status = 'listing'", tenant.run_id
        )
        await close_if_done(self.pool, self.outbox, tenant.run_id, source="test")
        return await self.row("select * from sync_runs where id = $1", tenant.run_id)

    async def synced(self, integration_id: UUID, *devices: NormalizedAsset) -> asyncpg.Record:
        """A whole full run that sees these devices."""
        tenant = await self.next_run(integration_id)
        if devices:
            await self.see(tenant, *devices)
        return await self.close(tenant)

    # -- looking ---------------------------------------------------------------------------------------------------

    async def insert(self, table: str, row: dict[str, Any]) -> None:
        """Insert one row."""
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self.execute(f"insert into {table} ({', '.join(row)}) values ({places})", *row.values())

    async def execute(self, statement: str, *arguments: Any) -> None:
        """Change the database."""
        async with connection(self.pool) as conn:
            await conn.execute(statement, *arguments)

    async def value(self, query: str, *arguments: Any) -> Any:
        """One value."""
        async with connection(self.pool) as conn:
            return await conn.fetchval(query, *arguments)

    async def row(self, query: str, *arguments: Any) -> asyncpg.Record:
        """One row, which must be there."""
        async with connection(self.pool) as conn:
            row = await conn.fetchrow(query, *arguments)
        assert row is not None
        return row

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows."""
        async with connection(self.pool) as conn:
            return await conn.fetch(query, *arguments)

    async def asset_of(self, tenant: Tenant | UUID, device_id: str) -> asyncpg.Record:
        """The asset that a device is linked to, with the link's `matched_by`."""
        integration_id = tenant.id if isinstance(tenant, Tenant) else tenant
        return await self.row(
            "select a.*, d.matched_by, d.state as device_state from assets a join devices d on d.asset_id = a.id"
            " where d.integration_id = $1 and d.device_id = $2",
            integration_id,
            device_id,
        )

    async def states(self, integration_id: UUID) -> dict[str, str]:
        """The state of each device."""
        rows = await self.rows("select device_id, state from devices where integration_id = $1", integration_id)
        return {row["device_id"]: row["state"] for row in rows}

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        found: int = await self.value(f"select count(*) from {table}")
        return found


def many(number: int, *, first: int = 0, **columns: Any) -> list[NormalizedAsset]:
    """Devices that nothing can be matched by."""
    return [device(f"d{each:04}", **columns) for each in range(first, first + number)]


def ids(devices: Iterable[NormalizedAsset]) -> set[str]:
    """Their device ids."""
    return {each.device_id for each in devices}
