"""Assets in Postgres: one chunk, one transaction. What is known is asked first; only what differs is written."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
from asyncpg.pgproto import pgproto

from services.writer import copying, rows
from services.writer.asset_ids import new_asset_ids
from services.writer.matching import Apart, Candidate, Match, decide
from services.writer.pulled_dates import pulled_dates
from services.writer.rows import Row
from shared import outbox
from shared.date_ledger.remote import observe_remote
from shared.date_ledger.returning import wish_for_returned
from shared.errors import BadMessage, StoreConflict
from shared.events.bulk import AssetPageNormalized, NormalizedAsset
from shared.events.envelope import new_event
from shared.events.syncs import AssetsChanged
from shared.postgres import Connection, Pool, again_on_conflict, array_text, sql, transaction
from shared.runs.closing import close_if_done

SOURCE: Final = "writer"
_SQL: Final = "services.writer.sql"
_ARCHIVED: Final = """
    select device_id, changed_at from devices
    where integration_id = $1 and device_id = any($2::text[]) and state = 'archived'
"""
_LOCK: Final = "select pg_advisory_xact_lock_shared(hashtextextended('integration:' || $1, 0))"
# A claim can be refused, found free again and refused again only while others write the same hardware.
CLAIM_ROUNDS: Final = 4
# A quarter of a page.
LIGHT_DEVICES: Final = 125

_is_hash: Final = re.compile("[0-9a-f]{32}").fullmatch
_INTEGER_END: Final = 1 << 31
_BIGINT_END: Final = 1 << 63

CREATED: Final = "c"
UPDATED: Final = "u"
SAME: Final = "s"


@dataclass
class Written:
    """What became of the devices of one chunk. keys and outcomes go together, one letter a device."""

    keys: list[int] = field(default_factory=list[int])
    outcomes: list[str] = field(default_factory=list[str])
    created: list[UUID] = field(default_factory=list[UUID])
    updated: list[UUID] = field(default_factory=list[UUID])
    rejected: int = 0
    repeated: int = 0

    @property
    def unchanged(self) -> int:
        """How many devices were as they stood."""
        return self.outcomes.count(SAME)

    def add(self, key: int, outcome: str) -> None:
        """Count one device."""
        self.keys.append(key)
        self.outcomes.append(outcome)

    def add_all(self, keys: Sequence[int], outcome: str) -> None:
        """Count devices that all came to the same."""
        self.keys += keys
        self.outcomes += outcome * len(keys)


@dataclass(frozen=True)
class Page:
    """The chunk being written, with its ids as Postgres takes them."""

    account_id: UUID
    integration_id: UUID
    run_id: UUID
    fetch_id: UUID
    chunk_no: int
    observed_seq: int

    @classmethod
    def of(cls, chunk: AssetPageNormalized) -> "Page":
        """From the header of a chunk. Raises BadMessage: the event's ids are text, and anybody may publish one."""
        if not (0 <= chunk.chunk_no < _INTEGER_END and 0 <= chunk.observed_seq < _BIGINT_END):
            raise BadMessage(f"not an {chunk.event_type} event: chunk_no or observed_seq is out of range")
        return cls(
            _uuid("account_id", chunk.account_id),
            _uuid("integration_id", chunk.integration_id),
            _uuid("run_id", chunk.run_id),
            _uuid("fetch_id", chunk.fetch_id),
            chunk.chunk_no,
            chunk.observed_seq,
        )


def _uuid(member: str, text: str) -> UUID:
    try:
        return pgproto.UUID(text)  # sent with every row, in a third of the time of Python's own
    except ValueError:
        raise BadMessage(f"not an {AssetPageNormalized.event_type} event: {member} is no uuid") from None


def _hash(text: str) -> str:
    # As text, which the driver takes: to build a UUID of each takes four times as long as to look at it.
    if not _is_hash(text):
        raise BadMessage(f"not an {AssetPageNormalized.event_type} event: content_hash is not 32 hex characters")
    return text


class PostgresAssets:
    """The port that the handler uses: `at_once` chunks are being written, and any number are committed, at a time.

    As many light ones are written beside them.
    """

    def __init__(self, pool: Pool, events: outbox.Outbox, *, at_once: int = 1) -> None:
        self._pool = pool
        self._events = events
        self._places = asyncio.Semaphore(at_once)
        self._light_places = asyncio.Semaphore(at_once)

    async def write(self, chunk: AssetPageNormalized, correlation_id: str) -> Written | None:
        """Write a chunk once; None when it was written already, or its integration is removed.

        Raises StoreUnavailable; the transaction either happened or did not, and doing it again is safe.
        """
        return await again_on_conflict(lambda: self._write(chunk, correlation_id))

    async def close_if_done(self, run_id: UUID) -> None:
        """Close the run when this was its last chunk."""
        await close_if_done(self._pool, self._events, run_id, source=SOURCE)

    async def _write(self, chunk: AssetPageNormalized, correlation_id: str) -> Written | None:
        page = Page.of(chunk)
        sent, repeated = rows.fold(chunk.assets)
        written = Written(rejected=len(chunk.rejects), repeated=repeated)
        places = self._light_places if len(sent) <= LIGHT_DEVICES else self._places
        # The place is free again before the commit: the next chunk is written while this one goes to disk.
        async with transaction(self._pool) as conn, places:
            pending = await self._write_rows(conn, page, chunk, sent, written, correlation_id)
        if pending is None:
            return None
        await self._events.publish(*pending)
        return written

    async def _write_rows(
        self,
        conn: Connection,
        page: Page,
        chunk: AssetPageNormalized,
        sent: Sequence[NormalizedAsset],
        written: Written,
        correlation_id: str,
    ) -> list[outbox.Pending] | None:
        if not await self._claim(conn, page):
            return None
        new, changed = await self._ask(conn, page, sent, written)
        returned = await self._returned(conn, page, changed)
        await self._update(conn, page, changed)
        await self._insert(conn, page, new, written)
        await self._keep_rejects(conn, page, chunk)
        pending = await self._tell(conn, page, written, correlation_id)
        dates = pulled_dates([*new, *changed], page.observed_seq)
        if dates:
            pending += await observe_remote(
                conn, page.integration_id, dates, source=SOURCE, correlation_id=correlation_id
            )
        if returned:
            pending += await wish_for_returned(conn, page.integration_id, returned, source=SOURCE)
        await self._finish(conn, page, written)
        return pending

    async def _claim(self, conn: Connection, page: Page) -> bool:
        # Shared with other writers, exclusive to a removal: no row of a removed integration is made anew.
        await conn.execute(_LOCK, str(page.integration_id))
        claimed = await conn.fetchval(
            sql(_SQL, "claim_chunk"),
            page.fetch_id,
            page.chunk_no,
            page.run_id,
            page.integration_id,
            page.observed_seq,
        )
        return claimed is not None

    async def _ask(
        self, conn: Connection, page: Page, sent: Sequence[NormalizedAsset], written: Written
    ) -> tuple[list[Row], list[Row]]:
        answer = await conn.fetchrow(
            sql(_SQL, "ask"),
            page.integration_id,
            [asset.device_id for asset in sent],
            [_hash(asset.content_hash) for asset in sent],
            page.observed_seq,
        )
        assert answer is not None
        written.add_all(answer["standing"], SAME)
        written.add_all(answer["changed_ids"], UPDATED)
        written.updated += answer["changed_assets"]
        new: list[int] = answer["new"]
        known: list[tuple[int, UUID]] = sorted(zip(answer["changed"], answer["changed_assets"], strict=True))
        # In the order of the ids, so that two writers do not wait for each other.
        changed = [Row(sent[place - 1], asset_id) for place, asset_id in known]
        made = map(pgproto.UUID, new_asset_ids(len(new)))
        return [Row(sent[place - 1], asset_id) for place, asset_id in zip(new, made, strict=True)], changed

    async def _returned(self, conn: Connection, page: Page, changed: Sequence[Row]) -> dict[str, datetime]:
        """Which of the devices that differ were archived, and since when."""
        if not changed:
            return {}
        rows = await conn.fetch(_ARCHIVED, page.integration_id, [row.sent.device_id for row in changed])
        return {row["device_id"]: row["changed_at"] for row in rows}

    async def _update(self, conn: Connection, page: Page, changed: Sequence[Row]) -> None:
        if not changed:
            return
        doubtful = await self._run(conn, "update_known", page, changed)
        await self._settle_claims(conn, page, changed)
        if doubtful:
            await conn.execute(
                sql(_SQL, "ambiguity_of_known"),
                page.account_id,
                page.integration_id,
                [row["device_id"] for row in doubtful],
                [row["asset_id"] for row in doubtful],
            )

    async def _settle_claims(self, conn: Connection, page: Page, changed: Sequence[Row]) -> None:
        try:
            await conn.execute(sql(_SQL, "settle_claims"), page.account_id, list({row.asset_id for row in changed}))
        except asyncpg.UniqueViolationError as error:
            raise StoreConflict(f"a claim of a device of run {page.run_id} was taken meanwhile") from error

    async def _insert(self, conn: Connection, page: Page, new: Sequence[Row], written: Written) -> None:
        """Insert new devices; those whose claim stands already are matched or kept apart."""
        left = await self._copy(conn, page, new, written) if new else []
        for _ in range(CLAIM_ROUNDS):
            if not left:
                return
            made = {row["device_id"]: row for row in await self._run(conn, "insert_new", page, left)}
            for row in made.values():
                written.add(row["id"], CREATED)
                written.created.append(row["asset_id"])
            refused = [row for row in left if row.sent.device_id not in made]
            left = await self._settle(conn, page, refused, written) if refused else []
        raise StoreConflict(f"claims of devices of run {page.run_id} kept changing")

    async def _copy(self, conn: Connection, page: Page, new: Sequence[Row], written: Written) -> list[Row]:
        """Copy in those whose claims nobody has; returns the others."""
        standing = await conn.fetchrow(
            sql(_SQL, "before_copy"),
            page.account_id,
            array_text([row.sent.serial_key for row in new if row.sent.serial_key]),
            array_text([row.sent.mac_key for row in new if row.sent.mac_key]),
            len(new),
        )
        assert standing is not None
        free, others = copying.split(new, set(standing["serials"]), set(standing["macs"]))
        # In the order of the claims, so that two writers do not wait for each other.
        free.sort(key=lambda row: (row.sent.serial_key or "", row.sent.mac_key or ""))
        keys: list[int] = standing["ids"][: len(free)]
        bodies = copying.bodies(
            zip(free, keys, strict=True),
            account_id=page.account_id,
            integration_id=page.integration_id,
            observed_seq=page.observed_seq,
        )
        try:
            for table, body, columns in (
                ("assets", bodies.assets, copying.ASSET_COLUMNS),
                ("devices", bodies.devices, copying.DEVICE_COLUMNS),
            ):
                # A buffer, which the driver takes and its type stubs do not know; it would take bytes for a path.
                buffer = cast("Any", memoryview(body))
                await conn.copy_to_table(table, source=buffer, columns=columns, format="binary")
        except asyncpg.UniqueViolationError as error:
            raise StoreConflict(f"a device of run {page.run_id}, or a claim of one, was written meanwhile") from error
        written.add_all(keys, CREATED)
        written.created += [row.asset_id for row in free]
        return others

    async def _settle(self, conn: Connection, page: Page, refused: Sequence[Row], written: Written) -> list[Row]:
        """Link what matches; return what is to be inserted with fewer claims."""
        # Locked before they are looked at: of two writers that find the same asset free, the second waits, and then
        # sees the link of the first.
        await conn.execute(
            sql(_SQL, "lock_candidates"),
            page.account_id,
            [row.sent.serial_key for row in refused if row.claims_serial and row.sent.serial_key],
            [row.sent.mac_key for row in refused if row.claims_mac and row.sent.mac_key],
        )
        answers = await conn.fetch(
            sql(_SQL, "candidates"),
            page.account_id,
            page.integration_id,
            [row.sent.serial_key if row.claims_serial else None for row in refused],
            [row.sent.mac_key if row.claims_mac else None for row in refused],
        )
        matched: list[Row] = []
        apart: list[Row] = []
        ambiguous: list[tuple[Row, Apart]] = []
        taken: set[UUID] = set()
        for row, answer in zip(refused, answers, strict=True):
            candidate = _candidate(answer, taken)
            match decide(row.sent.serial_key, candidate):
                case Match(asset_id, rule):
                    taken.add(asset_id)
                    matched.append(row.matched(asset_id, rule))
                case Apart() as decision:
                    kept = row.with_claims(
                        serial=row.claims_serial and decision.claims_serial,
                        mac=row.claims_mac and decision.claims_mac,
                    )
                    apart.append(kept)
                    if decision.ambiguous_with:
                        ambiguous.append((kept, decision))
        await self._link(conn, page, matched, written)
        await self._keep_ambiguities(conn, page, ambiguous)
        return apart

    async def _link(self, conn: Connection, page: Page, matched: Sequence[Row], written: Written) -> None:
        if not matched:
            return
        for row in await self._run(conn, "link_matched", page, matched):
            written.add(row["id"], UPDATED)
            written.updated.append(row["asset_id"])

    async def _run(self, conn: Connection, statement: str, page: Page, some: Sequence[Row]) -> list[asyncpg.Record]:
        try:
            return await conn.fetch(
                sql(_SQL, statement),
                rows.as_json(some),
                rows.vendors(some),
                page.account_id,
                page.integration_id,
                page.observed_seq,
            )
        except asyncpg.UniqueViolationError as error:
            # Another writer linked one of these devices, or took a claim, since this transaction asked.
            raise StoreConflict(f"a device of run {page.run_id} was written meanwhile") from error

    async def _keep_ambiguities(self, conn: Connection, page: Page, ambiguous: Sequence[tuple[Row, Apart]]) -> None:
        if not ambiguous:
            return
        await conn.execute(
            sql(_SQL, "ambiguity"),
            page.account_id,
            page.integration_id,
            [decision.rule for _, decision in ambiguous],
            [
                (row.sent.serial_key if decision.rule == "serial" else row.sent.mac_key) or ""
                for row, decision in ambiguous
            ],
            [row.sent.device_id for row, _ in ambiguous],
            [row.asset_id for row, _ in ambiguous],
            [decision.ambiguous_with for _, decision in ambiguous],
        )

    async def _keep_rejects(self, conn: Connection, page: Page, chunk: AssetPageNormalized) -> None:
        if not chunk.rejects:
            return
        await conn.execute(
            sql(_SQL, "rejects"),
            page.run_id,
            page.integration_id,
            page.fetch_id,
            page.chunk_no,
            [reject.device_id for reject in chunk.rejects],
            [reject.reason_code for reject in chunk.rejects],
            [reject.detail for reject in chunk.rejects],
            [bytes(reject.vendor).decode() if reject.vendor else None for reject in chunk.rejects],
        )

    async def _tell(self, conn: Connection, page: Page, written: Written, correlation_id: str) -> list[outbox.Pending]:
        if not written.created and not written.updated:
            return []
        event = new_event(
            AssetsChanged(
                integration_id=page.integration_id,
                run_id=page.run_id,
                created=written.created,
                updated=written.updated,
            ),
            source=SOURCE,
            account_id=page.account_id,
            subject=f"integrations/{page.integration_id}",
            correlation_id=correlation_id,
        )
        return [await outbox.add(conn, event)]

    async def _finish(self, conn: Connection, page: Page, written: Written) -> None:
        letters = "".join(written.outcomes)
        await conn.execute(
            sql(_SQL, "finish_chunk"),
            page.fetch_id,
            page.chunk_no,
            # As text: the driver asks of each number of an array whether it is an array itself.
            f"{{{','.join(map(str, written.keys))}}}",
            letters,
            letters.count(CREATED),
            letters.count(UPDATED),
            letters.count(SAME),
            written.rejected,
            written.repeated,
        )


def _candidate(answer: Any, taken: set[UUID]) -> Candidate:
    """What stands, with what this very chunk has linked since."""
    return Candidate(
        serial_asset=answer["serial_asset"],
        serial_taken=bool(answer["serial_taken"]) or answer["serial_asset"] in taken,
        mac_asset=answer["mac_asset"],
        mac_taken=bool(answer["mac_taken"]) or answer["mac_asset"] in taken,
        mac_asset_serial_key=answer["mac_asset_serial_key"],
    )
