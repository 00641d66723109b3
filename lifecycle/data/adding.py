"""`integrations add`: store it, queue its first sync, and wait for that where it is wished."""

from typing import Any

from lifecycle.data.credentials import key_ring, read_credentials, warn_of_region
from lifecycle.data.publishing import SWEPT, change, publish
from lifecycle.data.runs import exit_code
from lifecycle.data.syncing import say_end
from lifecycle.data.waiting import LINE_SECONDS, Waiting, wait_for_run
from lifecycle.exits import ExitCode, WrongUsage
from lifecycle.output import Output
from lifecycle.session import Session
from shared.audit import Author
from shared.integrations.changes import Added, BadInput, NewIntegration, add_integration
from shared.postgres import Connection
from shared.rmm.regions import Region


async def add_one(
    session: Session,
    out: Output,
    *,
    name: str,
    region: str,
    client_id: str,
    secret_file: str | None,
    sync: bool,
    waiting: Waiting | None,
    line_seconds: float = LINE_SECONDS,
) -> ExitCode:
    """Adds it and prints the result."""
    keys = key_ring(session)
    credentials = read_credentials(client_id, secret_file)
    warn_of_region(out, region, client_id)
    try:
        new = NewIntegration(name, Region(region), credentials, sync=sync)
    except BadInput as error:
        raise WrongUsage(str(error), error.next_action) from None

    async def work(conn: Connection, who: Author) -> Added:
        return await add_integration(conn, who, new, keys)

    added = await change(session, work)
    published = await publish(session, added.pending)
    status = "queued" if added.run_id else "never_synced"
    document: dict[str, Any] = {"integration_id": added.integration_id, "run_id": added.run_id, "status": status}
    if added.run_id is not None and waiting is not None:
        return await _await_first_run(session, out, new.name, document, waiting, line_seconds)
    _say_added(out, new.name, document)
    if not published:
        out.message(SWEPT)
    return ExitCode.DONE


async def _await_first_run(
    session: Session, out: Output, name: str, document: dict[str, Any], waiting: Waiting, line_seconds: float
) -> ExitCode:
    out.message(f"added {name}; the first sync is queued")
    run = await wait_for_run(session, out, document["run_id"], waiting=waiting, line_seconds=line_seconds)
    code = exit_code(run)
    if out.json_wanted:
        reasons = {word: run[word] for word in ("reason_code", "reason", "next_action")}
        out.document({**document, "status": run["status"], **reasons, "run": run})
    say_end(out, run, code)
    return code


def _say_added(out: Output, name: str, document: dict[str, Any]) -> None:
    if out.json_wanted:
        out.document(document)
    else:
        out.text(str(document["integration_id"]))
    if document["run_id"] is None:
        out.message(f"added {name}; nothing is read before: lifecycle integrations sync {document['integration_id']}")
    else:
        out.message(f"added {name}; the first sync is queued, see it with: lifecycle runs show {document['run_id']}")
