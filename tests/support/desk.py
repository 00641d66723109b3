"""What a person does with an integration, by the same functions as command and console, and what they see of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
from pydantic import SecretStr

from shared import outbox
from shared.audit import Author
from shared.events.envelope import new_event
from shared.events.syncs import SyncRequested
from shared.integrations import changes, removal
from shared.integrations.changes import Credentials, NewIntegration
from shared.postgres import Connection, connection, transaction
from shared.rmm.regions import Region
from shared.runs.closing import accept_review
from shared.runs.requests import Kind, RunRequest, request_run
from tests.support.rmm import Rmm
from tests.support.stage import Stage
from tests.support.waiting import PATIENCE_SECONDS, until

T = TypeVar("T")
Run = asyncpg.Record

NO_TIME = timedelta()
ENDED = ("succeeded", "succeeded_with_rejects", "partial", "needs_review", "failed", "cancelled")


@dataclass(frozen=True)
class Added:
    """An integration and its first run."""

    id: UUID
    run_id: UUID


@dataclass(frozen=True)
class Desk:
    """A person at one stage. `account_id` is another account than the stage's where one is tested against it."""

    stage: Stage
    account_id: UUID | None = None

    @property
    def author(self) -> Author:
        """In whose name things are changed."""
        return Author(self.account_id or self.stage.account_id, "tester", "test")

    async def change(self, work: Callable[[Connection], Awaitable[tuple[T, Sequence[outbox.Pending]]]]) -> T:
        """One transaction, and its events published after the commit."""
        async with transaction(self.stage.pool) as conn:
            result, pending = await work(conn)
        await self.stage.outbox.publish(*pending)
        return result

    async def add_integration(self, rmm: Rmm, *, name: str = "tenant", key: str = "first") -> Added:
        """Add an integration with a key of this RMM; its first full sync is queued and announced."""
        credentials = await _credentials(rmm, key)
        new = NewIntegration(name, Region.NA, credentials)

        async def work(conn: Connection) -> tuple[changes.Added, Sequence[outbox.Pending]]:
            added = await changes.add_integration(conn, self.author, new, self.stage.keys.public)
            return added, added.pending

        added = await self.change(work)
        assert added.run_id is not None
        return Added(added.integration_id, added.run_id)

    async def sync(self, integration_id: UUID, *, kind: Kind = "full", target: str | None = None) -> RunRequest:
        """Ask for a run; one that goes already is joined."""
        request_id = uuid4()

        async def work(conn: Connection) -> tuple[RunRequest, Sequence[outbox.Pending]]:
            made = await request_run(
                conn,
                integration_id,
                request_id=request_id,
                started_by="manual",
                actor="tester",
                kind=kind,
                target=target,
            )
            if made.joined:
                return made, []
            data = SyncRequested(integration_id=integration_id, run_id=made.run_id, kind=kind, target=target)
            event = new_event(data, source="test", account_id=self.author.account_id, event_id=request_id)
            return made, [await outbox.add(conn, event)]

        return await self.change(work)

    async def replace_credentials(self, integration_id: UUID, rmm: Rmm, *, key: str = "first") -> None:
        """Enter the key that the RMM has now."""
        credentials = await _credentials(rmm, key)

        async def work(conn: Connection) -> tuple[None, Sequence[outbox.Pending]]:
            changed = await changes.replace_credentials(
                conn, self.author, integration_id, credentials, self.stage.keys.public
            )
            return None, changed.pending

        await self.change(work)

    async def disable(self, integration_id: UUID) -> None:
        """Switch it off."""

        async def work(conn: Connection) -> tuple[None, Sequence[outbox.Pending]]:
            return None, (await changes.disable(conn, self.author, integration_id)).pending

        await self.change(work)

    async def enable(self, integration_id: UUID) -> None:
        """Switch it on again."""

        async def work(conn: Connection) -> tuple[None, Sequence[outbox.Pending]]:
            return None, (await changes.enable(conn, self.author, integration_id)).pending

        await self.change(work)

    async def remove(self, integration_id: UUID, *, undo_for: timedelta = NO_TIME) -> None:
        """Remove it; its data goes at once, or when `undo_for` is over."""

        async def work(conn: Connection) -> tuple[None, Sequence[outbox.Pending]]:
            return None, (await removal.remove(conn, self.author, integration_id, undo_for=undo_for)).pending

        await self.change(work)

    async def restore(self, integration_id: UUID, *, name: str | None = None) -> None:
        """Bring back what was removed."""

        async def work(conn: Connection) -> tuple[None, Sequence[outbox.Pending]]:
            return None, (await removal.restore(conn, self.author, integration_id, name=name)).pending

        await self.change(work)

    async def accept(self, run_id: UUID) -> str | None:
        """Accept a run that waits for review."""
        return await accept_review(self.stage.pool, self.stage.outbox, run_id, source="test")

    # -- looking ---------------------------------------------------------------------------------------------------

    async def row(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        """One row of the database."""
        async with connection(self.stage.pool) as conn:
            return await conn.fetchrow(query, *arguments)

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of the database."""
        async with connection(self.stage.pool) as conn:
            return await conn.fetch(query, *arguments)

    async def value(self, query: str, *arguments: Any) -> Any:
        """One value of the database."""
        async with connection(self.stage.pool) as conn:
            return await conn.fetchval(query, *arguments)

    async def execute(self, statement: str, *arguments: Any) -> None:
        """Change the database behind everybody's back."""
        async with connection(self.stage.pool) as conn:
            await conn.execute(statement, *arguments)

    async def run(self, run_id: UUID) -> Run:
        """A run as it stands."""
        run = await self.row("select * from sync_runs where id = $1", run_id)
        assert run is not None
        return run

    async def ended(self, run_id: UUID, *, within: float = PATIENCE_SECONDS) -> Run:
        """The run, when it has ended one way or another."""

        async def ask() -> Run | None:
            run = await self.run(run_id)
            return run if run["status"] in ENDED else None

        return await until(f"run {run_id} ends", ask, within=within)

    async def synced(self, integration_id: UUID) -> Run:
        """Ask for a full run and wait for its end."""
        return await self.ended((await self.sync(integration_id)).run_id)

    async def pages_read(self, run_id: UUID, count: int) -> None:
        """Return when that many pages of the run are recorded, or it has ended."""

        async def ask() -> bool:
            pages = await self.value("select count(*) from sync_pages where run_id = $1", run_id)
            return bool(pages >= count or (await self.run(run_id))["status"] in ENDED)

        await until(f"{count} pages of run {run_id} are read", ask)

    async def integration(self, integration_id: UUID) -> asyncpg.Record:
        """An integration as it stands."""
        row = await self.row("select * from integrations where id = $1", integration_id)
        assert row is not None
        return row

    async def states(self, integration_id: UUID) -> dict[str, int]:
        """How many devices are in each state."""
        rows = await self.rows(
            "select state, count(*) as count from devices where integration_id = $1 group by state", integration_id
        )
        return {row["state"]: row["count"] for row in rows}

    async def parked(self) -> list[asyncpg.Record]:
        """The parked messages that are open."""
        return await self.rows("select * from parked_messages where status = 'parked' order by parked_at")


async def _credentials(rmm: Rmm, key: str) -> Credentials:
    pair = await rmm.key(key)
    return Credentials(pair["client_id"], SecretStr(pair["client_secret"]))
