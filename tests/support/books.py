"""The closing of the books after a run: what the store holds against what the RMM holds, and nothing left over.

Every check adds what it finds to one list, so that a failing test shows all of it at once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from shared.assets.serials import is_junk_serial, normalise_serial
from shared.assets.texts import clean
from shared.postgres import connection
from simulator.fleet import Fleet
from tests.support import queues
from tests.support.rmm import TOKEN, Rmm
from tests.support.stage import Stage
from tests.support.waiting import until

_SHOWN = 5

_DEVICES = """
    select d.device_id, d.state, d.company_id, d.site_id, d.asset_id, a.name, a.serial_number, a.company_name,
        a.site_name, a.state as asset_state, a.company_id as asset_company_id, a.site_id as asset_site_id
    from devices d left join assets a on a.id = d.asset_id
    where d.integration_id = $1
"""
_OPEN_CHUNKS = """
    select r.id, p.chunks, c.settled, c.lost
    from sync_runs r
    left join lateral (select coalesce(sum(chunk_count), 0) as chunks from sync_pages where run_id = r.id) p on true
    left join lateral (
        select count(*) as settled, count(*) filter (where lost) as lost
        from sync_chunks join sync_pages using (fetch_id) where sync_chunks.run_id = r.id
    ) c on true
    where r.integration_id = $1 and r.status in ('succeeded', 'succeeded_with_rejects', 'partial', 'needs_review')
"""
# The same hardware twice: two assets of an account with one trusted serial, and nobody was told.
_TWINS = """
    select a.serial_key, count(*) from assets a
    where a.account_id = $1 and a.serial_key is not null
        and not exists (
            select from identity_ambiguities q where q.asset_id = a.id or q.other_asset_id = a.id
        )
    group by a.serial_key having count(*) > 1
"""
_GOING = "select count(*) from sync_runs where status in ('queued', 'running')"
_OUTBOX = "select count(*) from outbox"
# A turn for a device that somebody asked for is about to be announced, or on its way where the sweep reads nobody
# else. Of another sweep a turn is always on its way.
_READING = """
    select count(*) from detail_sweeps s join integrations i on i.id = s.integration_id
    where (s.announced_at is not null and s.fresh_for > interval '100 years') or (
        i.status in ('never_synced', 'active') and s.unreadable_until is null and s.not_before <= clock_timestamp()
        and exists (
            select from detail_reads r where r.integration_id = s.integration_id and r.line_at = '-infinity'
                and (r.leased_until is null or r.leased_until <= clock_timestamp())
        )
    )
"""
_ORPHANS = "select id from assets a where not exists (select from devices d where d.asset_id = a.id)"
_SHARED = """
    select asset_id, count(*) from devices where integration_id = $1 and state = 'active'
    group by asset_id having count(*) > 1
"""


@dataclass
class Books:
    """The checker of one stage. Services are to be stopped before, or idle: what they hold is not seen."""

    stage: Stage
    findings: list[str] = field(default_factory=list[str])

    async def quiet(self) -> None:
        """Return when every run and turn of the sweep has ended, and the outbox and every work queue are empty."""

        async def open_in_tables() -> dict[str, int]:
            counts = {
                "runs": await self._count(_GOING),
                "turns of the sweep": await self._count(_READING),
                "outbox": await self._count(_OUTBOX),
            }
            return {name: count for name, count in counts.items() if count}

        async def busy() -> dict[str, int]:
            # A look at all queues costs ten times what the tables do, and mostly these say enough.
            if found := await open_in_tables():
                return found
            # Queues first: what a handler holds is in none, and shows in the tables until it has ended.
            return await queues.depths(self.stage.amqp_url) | await open_in_tables()

        seen: dict[str, int] = {}

        async def ask() -> bool:
            seen.clear()
            seen.update(await busy())
            return not seen

        try:
            await until("nothing is left to do", ask)
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen}") from None

    async def check(
        self,
        rmm: Rmm,
        *integration_ids: UUID,
        category: str = "platform",
        parked: Mapping[tuple[str, str], int] | None = None,
        gone: Iterable[str] = (),
        whole: bool = True,
        logs: Mapping[str, str] | None = None,
    ) -> None:
        """Compare everything; fails with all that was found.

        `parked` counts messages by queue and reason code; `gone` are ids that vanished from the RMM and stay in the
        store; `whole` is False where some devices could not be read.
        """
        held = await rmm.devices(category)
        fleet = await rmm.fleet()
        for integration_id in integration_ids:
            await self._devices(integration_id, held, fleet, set(gone), whole=whole)
            await self._runs(integration_id)
        await self._assets()
        await self._left_over(parked or {})
        await self.secrets(rmm, logs or {})
        self.close()

    def close(self) -> None:
        """Fail with what was found, if anything was."""
        assert not self.findings, "the books do not close:\n  " + "\n  ".join(self.findings)

    # -- devices and assets ----------------------------------------------------------------------------------------

    async def _devices(
        self, integration_id: UUID, held: dict[str, dict[str, Any]], fleet: Fleet, gone: set[str], *, whole: bool
    ) -> None:
        rows = await self._fetch(_DEVICES, integration_id)
        stored = {row["device_id"]: row for row in rows}
        self._expect(len(stored) == len(rows), f"{len(rows) - len(stored)} devices are stored twice")
        if whole:
            self._none("devices are not in the store", held.keys() - stored.keys())
        self._none("devices are in the store and not in the RMM", stored.keys() - held.keys() - gone)
        names = _Names(fleet)
        for device_id in stored.keys() & held.keys():
            row, facts = stored[device_id], held[device_id]
            if row["state"] == "active":
                self._same(row, facts, names)
            elif whole:
                self.findings.append(f"device {device_id} is {row['state']} and still in the RMM")
        for device_id in stored.keys() & gone - held.keys():
            self._expect(stored[device_id]["state"] != "active", f"device {device_id} is gone and still active")
        shared = await self._fetch(_SHARED, integration_id)
        self._none("assets have several devices of one integration", (str(row["asset_id"]) for row in shared))

    def _same(self, row: asyncpg.Record, facts: dict[str, Any], names: "_Names") -> None:
        expected = {
            "company_id": facts["company_id"],
            "site_id": facts["site_id"],
            "asset_company_id": facts["company_id"],
            "asset_site_id": facts["site_id"],
            "company_name": names.company(facts["company_id"]),
            "site_name": names.site(facts["site_id"]),
            "name": clean(facts["name"]),
            "asset_state": "active",
        }
        serial = facts["serial_number"]
        # In place of a placeholder the serial of another part may stand.
        if not is_junk_serial(normalise_serial(serial)):
            expected["serial_number"] = serial
        for column, value in expected.items():
            if row[column] != value:
                self.findings.append(f"device {row['device_id']}: {column} is {row[column]!r}, in the RMM {value!r}")

    async def _assets(self) -> None:
        self._none("assets have no device", (str(row["id"]) for row in await self._fetch(_ORPHANS)))
        twins = await self._fetch(_TWINS, self.stage.account_id)
        self._none("serials have several assets and no open question", (row["serial_key"] for row in twins))

    # -- runs ------------------------------------------------------------------------------------------------------

    async def _runs(self, integration_id: UUID) -> None:
        for run in await self._fetch("select * from sync_runs where integration_id = $1", integration_id):
            self._expect(run["status"] not in {"queued", "running"}, f"run {run['id']} has not ended: {run['status']}")
            parts = ("created", "updated", "unchanged", "rejected", "repeated")
            total = sum(run[part] for part in parts)
            if run["status"] in {"succeeded", "succeeded_with_rejects", "needs_review"}:
                sheet = ", ".join(f"{part} {run[part]}" for part in parts)
                self._expect(run["seen"] == total, f"run {run['id']} does not balance: seen {run['seen']}, {sheet}")
        for row in await self._fetch(_OPEN_CHUNKS, integration_id):
            self._expect(
                row["chunks"] == row["settled"],
                f"run {row['id']}: {row['chunks']} chunks are recorded, {row['settled']} settled",
            )

    # -- what is left over -----------------------------------------------------------------------------------------

    async def _left_over(self, parked: Mapping[tuple[str, str], int]) -> None:
        self._expect(not (left := await self._count(_OUTBOX)), f"{left} events are left in the outbox")
        depths = await queues.depths(self.stage.amqp_url)
        self._expect(not depths, f"messages are left in queues: {depths}")
        rows = await self._fetch("select queue, reason_code, reason from parked_messages where status = 'parked'")
        found = Counter((row["queue"], row["reason_code"]) for row in rows)
        reasons = {row["reason"] for row in rows}
        self._expect(
            found == Counter(parked), f"parked are {dict(found)}, expected {dict(parked)}: {sorted(reasons)[:_SHOWN]}"
        )

    # -- secrets ---------------------------------------------------------------------------------------------------

    async def secrets(self, rmm: Rmm, logs: Mapping[str, str]) -> None:
        """Look for every client secret and every access token in the tables, the journals, the queues and the logs."""
        pattern = "|".join([*sorted(rmm.secrets), TOKEN.pattern, self._private_key()])
        for table in await self._fetch("select tablename from pg_tables where schemaname = 'public'"):
            await self._search_table(table["tablename"], pattern)
        needles = [secret.encode() for secret in (*rmm.secrets, self._private_key())]
        for said in await queues.journal(self.stage.amqp_url):
            text = said.body + repr(said.headers).encode()
            if any(needle in text for needle in needles) or TOKEN.search(text.decode(errors="replace")):
                self.findings.append(f"a secret is in the journal, in a message {said.routing_key}")
        for name, text in logs.items():
            if any(needle.decode() in text for needle in needles) or TOKEN.search(text):
                self.findings.append(f"a secret is in the log of {name}")

    def _private_key(self) -> str:
        # The key itself, less its prefix and id: those may be shown.
        return self.stage.keys.private_text.get_secret_value().rpartition(".")[2]

    async def _search_table(self, table: str, pattern: str) -> None:
        # A bytea shows as hex in a row's text, so bodies are searched by themselves.
        body = "or encode(t.body, 'escape') ~ $1" if table == "parked_messages" else ""
        rows = await self._fetch(f'select count(*) as count from "{table}" t where t::text ~ $1 {body}', pattern)
        self._expect(not rows[0]["count"], f"a secret is in {rows[0]['count']} rows of {table}")

    # -- small change ----------------------------------------------------------------------------------------------

    async def _count(self, query: str) -> int:
        return int((await self._fetch(query))[0]["count"])

    async def _fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        async with connection(self.stage.pool) as conn:
            return await conn.fetch(query, *arguments)

    def _expect(self, holds: object, finding: str) -> None:
        if not holds:
            self.findings.append(finding)

    def _none(self, what: str, found: Iterable[str]) -> None:
        some = sorted(found)
        self._expect(not some, f"{len(some)} {what}: {', '.join(some[:_SHOWN])}")


class _Names:
    """Names of companies and sites as they are to be stored."""

    def __init__(self, fleet: Fleet) -> None:
        self._companies = {company.id: clean(company.name) for company in fleet.companies}
        self._sites = {site.id: clean(site.name) for site in fleet.sites}

    def company(self, company_id: str) -> str | None:
        return self._companies[company_id]

    def site(self, site_id: str) -> str | None:
        return self._sites[site_id]


async def tables_as_text(stage: Stage, *tables: str) -> dict[str, str]:
    """A hash of each table's rows, whatever their order: the same exactly while nothing changed."""
    found: dict[str, str] = {}
    async with connection(stage.pool) as conn:
        for table in tables:
            query = f"select coalesce(md5(string_agg(t::text, e'\\n' order by t::text)), '') from \"{table}\" t"
            found[table] = await conn.fetchval(query)
    return found
