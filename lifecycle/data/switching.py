"""`integrations replace-credentials`, `enable`, `disable` and `preflight`."""

from typing import Any
from uuid import UUID

from lifecycle.data.credentials import key_ring, read_credentials, warn_of_region
from lifecycle.data.naming import FoundIntegration
from lifecycle.data.probes import await_probe, request_probe, say_checks
from lifecycle.data.publishing import SWEPT, change, publish
from lifecycle.data.waiting import Waiting
from lifecycle.exits import ExitCode
from lifecycle.output import Output
from lifecycle.session import Session
from shared import outbox
from shared.audit import Author
from shared.integrations import changes
from shared.postgres import Connection


async def replace(
    session: Session,
    out: Output,
    integration: FoundIntegration,
    *,
    client_id: str,
    secret_file: str | None,
    waiting: Waiting | None,
) -> ExitCode:
    """Stores the new pair; with `waiting` it is tried before this returns."""
    keys = key_ring(session)
    credentials = read_credentials(client_id, secret_file)
    region: str = await session.connection.fetchval("select region from integrations where id = $1", integration.id)
    warn_of_region(out, region, client_id)

    async def work(conn: Connection, who: Author) -> tuple[changes.Changed, UUID | None]:
        changed = await changes.replace_credentials(conn, who, integration.id, credentials, keys)
        if waiting is None:
            return changed, None
        probe_id, pending = await request_probe(conn, who, integration.id)
        changed.pending.append(pending)
        return changed, probe_id

    changed, probe_id = await change(session, work)
    if not await publish(session, changed.pending):
        out.message(SWEPT)
    document = _document(changed)
    if waiting is None or probe_id is None:
        _say(out, document, f"{changed.name} has new credentials; {_what_follows(changed.status)}")
        return ExitCode.DONE
    result = await await_probe(session, out, probe_id, waiting)
    status = await session.connection.fetchval("select status from integrations where id = $1", integration.id)
    code = say_checks(out, result)
    follows = "; a catch-up sync follows" if changed.status == "paused_credentials" else ""
    works = {ExitCode.DONE: f"and they work{follows}", ExitCode.FAILED: "and the RMM does not take them"}
    said = works.get(code, "which nobody has tried yet")
    _say(out, {**document, "status": status, "probe": result}, f"{changed.name} has new credentials, {said}")
    return code


async def enable(session: Session, out: Output, integration: FoundIntegration) -> None:
    """Switches it on; a catch-up sync follows."""
    changed = await change(session, lambda conn, who: changes.enable(conn, who, integration.id))
    if not await publish(session, changed.pending):
        out.message(SWEPT)
    did = "is enabled; a catch-up sync is queued" if changed.changed else "was enabled already"
    _say(out, _document(changed), f"{changed.name} {did}")


async def disable(session: Session, out: Output, integration: FoundIntegration) -> None:
    """Switches it off; its data stays."""
    changed = await change(session, lambda conn, who: changes.disable(conn, who, integration.id))
    if not await publish(session, changed.pending):
        out.message(SWEPT)
    did = "is disabled; its data stays" if changed.changed else "was disabled already"
    _say(
        out,
        _document(changed),
        f"{changed.name} {did}; on again with: lifecycle integrations enable {integration.shell_name}",
    )


async def preflight(
    session: Session, out: Output, integration: FoundIntegration, waiting: Waiting, *, create_definitions: bool
) -> ExitCode:
    """Tries the stored key through the fetcher and prints what was found, and created where that is wanted."""

    async def work(conn: Connection, who: Author) -> tuple[UUID, outbox.Pending]:
        return await request_probe(conn, who, integration.id, create_definitions=create_definitions)

    probe_id, pending = await change(session, work)
    if not await publish(session, [pending]):
        out.message(SWEPT)
    result = await await_probe(session, out, probe_id, waiting)
    if out.json_wanted:
        checks: list[Any] = result["checks"] if result else []
        out.document(
            {
                "integration_id": integration.id,
                "probe_id": probe_id,
                "ok": result["ok"] if result else None,
                "checks": checks,
            }
        )
    return say_checks(out, result)


def _document(changed: changes.Changed) -> dict[str, Any]:
    return {
        "integration_id": changed.integration_id,
        "name": changed.name,
        "status": changed.status,
        "credentials_version": changed.credentials_version,
        "changed": changed.changed,
    }


def _say(out: Output, document: dict[str, Any], text: str) -> None:
    if out.json_wanted:
        out.document(document)
    out.message(text)


def _what_follows(status: str) -> str:
    if status == "paused_credentials":
        return "they are tried now, and it goes on by itself where they work"
    if status == "disabled":
        return "it stays disabled"
    return "its next request uses them"
