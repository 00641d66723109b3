"""The two-way switch of an integration and field, off until chosen, with a preview; its policy; a pause's end."""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal
from uuid import UUID

from shared import audit, outbox
from shared.audit import Author
from shared.date_ledger.wishes import tell_edits, wake
from shared.dates.calendar import DateField
from shared.integrations.changes import lock_integration, try_key_anew
from shared.postgres import Connection, sql

Policy = Literal["keep_manual", "remote_wins"]

_SWITCH: Final = """
    insert into two_way (integration_id, field, account_id, enabled, write_history, changed_by)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (integration_id, field) do update
    set enabled = excluded.enabled, write_history = excluded.write_history, changed_by = excluded.changed_by,
        changed_at = now()
"""
_POLICY: Final = """
    insert into date_settings (integration_id, conflict_policy) values ($1, $2)
    on conflict (integration_id) do update set conflict_policy = excluded.conflict_policy
"""
_PAUSED: Final = """
    select s.writing_reason as reason, s.writing_reason_code as reason_code
    from date_settings s
    join integrations i on i.id = s.integration_id and i.credentials_version = s.writing_paused_for
    where s.integration_id = $1
"""


@dataclass(frozen=True)
class WouldWrite:
    """One date that switching on with history would write; `there` is what the RMM was last seen to hold."""

    device_id: str
    asset_id: UUID
    value: date
    origin: str
    there: date | None
    there_known: bool


async def preview_history(
    conn: Connection, integration_id: UUID, field: DateField, *, limit: int = 100
) -> tuple[int, list[WouldWrite]]:
    """How many dates writing history would write, and the first of them. What the RMM is known to hold is left out."""
    rows = await conn.fetch(sql(__package__, "preview_history"), integration_id, field, limit)
    total: int = rows[0]["total"] if rows else 0
    return total, [
        WouldWrite(row["device_id"], row["asset_id"], row["value"], row["origin"], row["there"], row["there_known"])
        for row in rows
    ]


async def switch_two_way(
    conn: Connection,
    author: Author,
    integration_id: UUID,
    field: DateField,
    *,
    enabled: bool,
    write_history: bool = False,
) -> list[outbox.Pending]:
    """Turn writing of one field on or off. Dates that stand already are written only where `write_history` says so.

    Off ends what waits to be written: it stays recorded here. Raises UnknownIntegration.
    """
    await lock_integration(conn, author, integration_id)
    before = await conn.fetchval(
        "select enabled from two_way where integration_id = $1 and field = $2", integration_id, field
    )
    await conn.execute(
        _SWITCH, integration_id, field, author.account_id, enabled, enabled and write_history, author.actor
    )
    await audit.record(
        conn,
        author,
        "dates.two_way_switched",
        "integration",
        integration_id,
        before={"field": field, "enabled": bool(before)},
        after={"field": field, "enabled": enabled, "write_history": enabled and write_history},
    )
    if not enabled:
        await conn.execute(sql(__package__, "switch_off"), integration_id, field)
        return []
    if not write_history:
        return []
    edits = await conn.fetch(sql(__package__, "write_history"), integration_id, field)
    await tell_edits(conn, [row["edit_id"] for row in edits])
    return await wake(conn, {integration_id} if edits else set(), source=author.source)


async def set_conflict_policy(conn: Connection, author: Author, integration_id: UUID, policy: Policy) -> None:
    """Say who is right where somebody changes a manual date in the RMM. Raises UnknownIntegration."""
    await lock_integration(conn, author, integration_id)
    await conn.execute(_POLICY, integration_id, policy)
    await audit.record(
        conn, author, "dates.policy_set", "integration", integration_id, after={"conflict_policy": policy}
    )


async def resume_writing(conn: Connection, author: Author, integration_id: UUID) -> list[outbox.Pending] | None:
    """The key has got the right that it lacked: what is held is written. None where writing is not paused.

    Where the right is still missing the first write pauses it again. Raises UnknownIntegration.
    """
    before = await lock_integration(conn, author, integration_id)
    paused = await conn.fetchrow(_PAUSED, integration_id)
    if paused is None:
        return None
    changed = await try_key_anew(conn, author, integration_id)
    await audit.record(
        conn,
        author,
        "dates.writing_resumed",
        "integration",
        integration_id,
        before={**dict(paused), "credentials_version": before["credentials_version"]},
        after={"credentials_version": changed.credentials_version},
    )
    return changed.pending
