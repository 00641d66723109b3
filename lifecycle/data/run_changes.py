"""What people do to a run: cancel it, or accept one that waits for review."""

from typing import Any
from uuid import UUID

from lifecycle.data.publishing import SOURCE, SWEPT, author, change, connected, publish
from lifecycle.data.runs import OPEN, Document, read_run
from lifecycle.exits import Refused
from lifecycle.output import Output
from lifecycle.session import Session
from shared import audit, outbox
from shared.audit import Author
from shared.outbox import Outbox
from shared.postgres import Connection
from shared.runs.closing import accept_review
from shared.runs.scopes import fail_run


async def cancel(session: Session, out: Output, run_id: UUID) -> Document:
    """Ends a run that goes. What it has written stays. Raises `Refused` where it has ended."""

    async def work(conn: Connection, who: Author) -> list[outbox.Pending]:
        pending = await fail_run(
            conn,
            run_id,
            status="cancelled",
            reason_code="cancelled_by_person",
            reason=f"cancelled by {who.actor}",
            next_action="what was read is in, and nothing was judged missing; sync again when it suits",
            source=SOURCE,
        )
        if pending:
            await audit.record(conn, who, "run.cancelled", "run", run_id, after={"status": "cancelled"})
        return pending

    pending = await change(session, work)
    run = await read_run(session.connection, session.account_id, run_id)
    if not pending:
        raise Refused(f"the run has ended already: {run['status']}", f"see it with: lifecycle runs show {run_id}")
    if not await publish(session, pending):
        out.message(SWEPT)
    return run


async def accept(session: Session, run_id: UUID) -> Document:
    """Takes a run that waits for review as true: its vanished devices are judged now. Raises `Refused`."""
    before: Document = await read_run(session.connection, session.account_id, run_id)
    if before["status"] != "needs_review":
        going = before["status"] in OPEN
        raise Refused(
            f"the run does not wait for review: {before['status']}",
            "wait until it has ended" if going else f"see it with: lifecycle runs show {run_id}",
        )
    async with connected(session) as (pool, bus):
        status: Any = await accept_review(pool, Outbox(pool, bus), run_id, source=SOURCE)
    if status is None:
        raise Refused("somebody else has just decided about the run", f"see it with: lifecycle runs show {run_id}")
    was = {"status": before["status"], "reason": before["reason"]}
    await audit.record(
        session.connection, author(session), "run.accepted", "run", run_id, before=was, after={"status": status}
    )
    return await read_run(session.connection, session.account_id, run_id)
