"""Asking for a sync and waiting for it."""

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from lifecycle.data import words
from lifecycle.data.naming import FoundIntegration
from lifecycle.data.publishing import SOURCE, SWEPT, change, publish
from lifecycle.data.runs import OPEN, Document, covers, exit_code, read_run
from lifecycle.data.saying import complain
from lifecycle.data.waiting import LINE_SECONDS, Waiting, wait_for_run
from lifecycle.exits import ExitCode, NotFound, Refused, WrongUsage
from lifecycle.output import Output
from lifecycle.session import Session
from shared import audit, outbox
from shared.audit import Author
from shared.events.envelope import new_event
from shared.events.syncs import SyncRequested
from shared.postgres import Connection
from shared.runs.requests import Kind, RunRequest, request_run

_WORKING: Final = ("never_synced", "active")
_STATUS: Final = "select status, reason, next_action from integrations where id = $1 for no key update"


@dataclass(frozen=True)
class Wanted:
    """What is to be read: everything, one company or one device."""

    kind: Kind = "full"
    target: str | None = None


async def what_is_wanted(
    session: Session, integration: FoundIntegration, company: str | None, device: str | None
) -> Wanted:
    """From the two options; a company may be named by its name. Raises `WrongUsage` and `NotFound`."""
    if company is not None and device is not None:
        raise WrongUsage("--company and --device cannot be given both", "give one of them")
    if company is not None:
        found = await session.connection.fetchval(
            "select company_id from companies where integration_id = $1 and (company_id = lower($2)"
            " or lower(name) = lower($2)) order by (company_id = lower($2)) desc limit 1",
            integration.id,
            company.strip(),
        )
        # One that we do not know may be new in the RMM; the fetcher ends the run where it is not.
        return Wanted("company", found or company.strip().lower())
    if device is None:
        return Wanted()
    known = await session.connection.fetchval(
        "select device_id from devices where integration_id = $1 and device_id = lower($2)",
        integration.id,
        device.strip(),
    )
    if known is None:
        raise NotFound(
            f"{integration.name} has no device {device!r}",
            f"a device that is new in the RMM comes with: lifecycle integrations sync {integration.shell_name}",
        )
    return Wanted("device", known)


async def request(session: Session, out: Output, integration: FoundIntegration, wanted: Wanted) -> RunRequest:
    """Queues a run, or joins the one that goes, and publishes it. Raises `Refused` where it may not be used now."""

    async def work(conn: Connection, author: Author) -> tuple[RunRequest, list[outbox.Pending]]:
        row = await conn.fetchrow(_STATUS, integration.id)
        if row is None or row["status"] not in _WORKING:
            raise _refused(integration, row["status"], row["reason"], row["next_action"]) if row else _gone(integration)
        request_id = uuid4()
        made = await request_run(
            conn,
            integration.id,
            request_id=request_id,
            started_by="manual",
            actor=author.actor,
            kind=wanted.kind,
            target=wanted.target,
        )
        if made.joined:
            return made, []
        after = {"run_id": made.run_id, "kind": wanted.kind, "target": wanted.target}
        await audit.record(conn, author, "sync.requested", "integration", integration.id, after=after)
        event = new_event(
            SyncRequested(integration_id=integration.id, run_id=made.run_id, kind=wanted.kind, target=wanted.target),
            source=SOURCE,
            account_id=session.account_id,
            subject=f"integrations/{integration.id}",
            event_id=request_id,
        )
        return made, [await outbox.add(conn, event)]

    made, pending = await change(session, work)
    if not await publish(session, pending):
        out.message(SWEPT)
    return made


async def sync(
    session: Session,
    out: Output,
    integration: FoundIntegration,
    wanted: Wanted,
    *,
    waiting: Waiting | None,
    line_seconds: float = LINE_SECONDS,
) -> tuple[Document, ExitCode]:
    """The run with `joined`, and the exit code; with `waiting` when it has ended."""
    while True:
        made = await request(session, out, integration, wanted)
        run = await read_run(session.connection, session.account_id, made.run_id)
        narrower = made.joined and run["status"] in OPEN and not covers(run, wanted.kind, wanted.target)
        if narrower:
            follows = "; a full one follows it" if wanted.kind == "full" else ""
            out.message(f"a sync of one {run['kind']} is going, which reads less than what was asked for{follows}")
        if waiting is None:
            return _at_once(out, run, made), ExitCode.DONE
        run = await wait_for_run(session, out, made.run_id, waiting=waiting, line_seconds=line_seconds)
        if not narrower or waiting.over():
            return {**run, "joined": made.joined}, exit_code(run)


def say_end(out: Output, run: Document, code: ExitCode) -> None:
    """The end of a run that was waited for: on standard output for a person, what went wrong on standard error."""
    if code is ExitCode.DONE:
        if not out.json_wanted:
            out.text(words.outcome(run))
        if run["balance"]["rejected"]:
            out.message(f"which devices, and why: lifecycle runs show {run['run_id']}")
    elif code is ExitCode.WAIT_RAN_OUT:
        so_far = f"the wait ran out and the sync goes on, {words.balance(run)} so far"
        complain(out, so_far, f"see: lifecycle runs show {run['run_id']}")
    else:
        complain(out, words.outcome(run), run["next_action"])


def _at_once(out: Output, run: Document, made: RunRequest) -> Document:
    what = f"joined the sync that is {run['status']}" if made.joined else "the sync is queued"
    out.message(f"{what}; see it with: lifecycle runs show {made.run_id}")
    # What became of the request; how the run itself stands is in `run_status`.
    return {**run, "status": "joined" if made.joined else "queued", "run_status": run["status"], "joined": made.joined}


def _refused(integration: FoundIntegration, status: str, reason: str | None, next_action: str | None) -> Refused:
    name = integration.shell_name
    if status == "disabled":
        return Refused(f"{integration.name} is disabled", f"switch it on with: lifecycle integrations enable {name}")
    if status == "paused_credentials":
        how = f"lifecycle integrations replace-credentials {name} --client-id … --client-secret-file …"
        return Refused(f"{integration.name} is paused: {reason}", f"{next_action}, then: {how}")
    return Refused(f"{integration.name} is {status}: {reason or 'no reason is known'}", next_action)


def _gone(integration: FoundIntegration) -> NotFound:
    return NotFound(f"integration {integration.name} was just removed", "see: lifecycle integrations list")
