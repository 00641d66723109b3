"""Asking the fetcher to try a key, and its answers: only the fetcher may talk to the RMM."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from lifecycle.data.naming import PACKAGE
from lifecycle.data.publishing import SOURCE
from lifecycle.data.saying import complain
from lifecycle.data.waiting import Waiting, wait_until
from lifecycle.exits import ExitCode
from lifecycle.output import Output
from lifecycle.session import Session
from shared import audit, outbox
from shared.audit import Author
from shared.events.envelope import new_event
from shared.events.integrations import ProbeDue
from shared.postgres import Connection, sql

FRESH_FOR: Final = timedelta(hours=24)
"""How long a preflight tells how things are."""

_ASK = "insert into probes (id, account_id, integration_id) values ($1, $2, $3)"
_ANSWER = "select result from probes where id = $1 and finished_at is not null"


async def request_probe(
    conn: Connection, author: Author, integration_id: UUID, *, create_definitions: bool = False
) -> tuple[UUID, outbox.Pending]:
    """A preflight that somebody waits for, in the caller's transaction. What it may create in the RMM is audited."""
    probe_id = uuid4()
    await conn.execute(_ASK, probe_id, author.account_id, integration_id)
    if create_definitions:
        after = {"probe_id": str(probe_id)}
        await audit.record(conn, author, "dates.definitions_wanted", "integration", integration_id, after=after)
    event = new_event(
        ProbeDue(integration_id=integration_id, probe_id=probe_id, create_definitions=create_definitions),
        source=SOURCE,
        account_id=author.account_id,
        subject=f"integrations/{integration_id}",
    )
    return probe_id, await outbox.add(conn, event)


async def await_probe(session: Session, out: Output, probe_id: UUID, waiting: Waiting) -> dict[str, Any] | None:
    """What was found; None where nobody answered in time."""

    async def ask(conn: Connection) -> dict[str, Any] | None:
        found: dict[str, Any] | None = await conn.fetchval(_ANSWER, probe_id)
        return found

    return await wait_until(session, out, ask, waiting, "the fetcher tries the key")


async def last_preflight(conn: Connection, integration_id: UUID) -> dict[str, Any] | None:
    """What the newest preflight found that is not older than `FRESH_FOR` and tells of this key; `finished_at` too."""
    row = await conn.fetchrow(sql(PACKAGE, "last_preflight"), integration_id, FRESH_FOR)
    return {"finished_at": row["finished_at"], **row["result"]} if row else None


def say_checks(out: Output, result: dict[str, Any] | None) -> ExitCode:
    """Each check with its mark and its fix on standard output for a person; the exit code."""
    if result is None:
        complain(out, "nobody answered in time: is a fetcher running?", "look with: lifecycle ps, or lifecycle status")
        return ExitCode.WAIT_RAN_OUT
    if not out.json_wanted:
        for check in result["checks"]:
            out.text(f"{'✓' if check['ok'] else '✗'} {check['check']}: {check['detail']}")
            if not check["ok"] and check["next_action"]:
                out.text(f"  {check['next_action']}")
    return ExitCode.DONE if result["ok"] else ExitCode.FAILED
