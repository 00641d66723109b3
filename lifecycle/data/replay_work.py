"""`replay`, as the command carries it out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lifecycle.data import replaying, replays
from lifecycle.data.moments import read_moment
from lifecycle.data.naming import find_optional
from lifecycle.data.replay_choosing import Wanted
from lifecycle.data.replaying import Preview, may_write, resume_line
from lifecycle.data.replays import Replay
from lifecycle.data.saying import warn
from lifecycle.exits import ExitCode, Refused, WrongUsage
from lifecycle.output import Output
from lifecycle.session import Session
from shared import topology
from shared.assets.device_ids import normalise_id

RATE: Final = 50.0


@dataclass(frozen=True)
class Order:
    """What was typed."""

    since: str | None
    until: str
    types: tuple[str, ...]
    account: str | None
    integration: str | None
    device: str | None
    into: str | None
    rate: float | None
    apply: bool
    allow_write_back: bool
    resume: str | None

    def check(self) -> None:
        """Raises `WrongUsage` for what cannot be meant, before anything is connected to."""
        if self.resume:
            if self.since or self.into or self.types or self.integration or self.device:
                raise WrongUsage("--resume goes on with what was asked for then", "leave the other options away")
            return
        if not self.since or not self.into:
            raise WrongUsage("--from and --into are missing", "like: lifecycle replay --from 2h --into writer.pages")

    def queue(self) -> topology.WorkQueue:
        """The queue that is meant. Raises `WrongUsage` where there is none of that name."""
        found = next((one for one in topology.WORK_QUEUES if one.name == self.into), None)
        if found is None:
            names = ", ".join(one.name for one in topology.WORK_QUEUES)
            raise WrongUsage(f"{self.into!r} is no queue of a service", f"give one of: {names}")
        return found


async def replay(session: Session, out: Output, order: Order) -> ExitCode:
    """Preview, or send. Raises `Refused` for a queue of write-back that was not allowed."""
    meant = await _meant(session, order)
    if not order.apply:
        _show(out, meant, await replaying.preview(session, out, meant))
        return ExitCode.DONE
    if may_write(meant.queue) and not order.allow_write_back:
        raise Refused(
            f"{meant.queue} may write to an RMM: edits that are not recorded yet, and those that wait",
            "if that is what you want, say --allow-write-back as well",
        )
    if not order.resume:
        await replays.begin(session, meant)
    out.message(f"replay {meant.id}; when it is stopped, go on with: {resume_line(meant)}")
    await replaying.send(session, out, meant)
    if out.json_wanted:
        out.document({"applied": True, **meant.document()})
    _warn_of_unreadable(out, meant.unreadable)
    out.message(f"sent {meant.sent:,} of {meant.read:,} events to {meant.queue}; see: lifecycle status")
    return ExitCode.DONE


async def _meant(session: Session, order: Order) -> Replay:
    if order.resume:
        return await replays.find(session, order.resume, order.rate)
    queue = order.queue()
    strange = [one for one in order.types if one not in queue.event_types]
    if strange:
        raise WrongUsage(
            f"{queue.name} takes no {strange[0]}", f"it takes {', '.join(queue.event_types)}: choose among them"
        )
    since, until = read_moment("--from", order.since or ""), read_moment("--to", order.until)
    if since >= until:
        raise WrongUsage("--from is not before --to", "give the earlier time first")
    found = await find_optional(session, order.integration)
    wanted = Wanted(
        types=order.types or queue.event_types,
        since=since,
        until=until,
        account_id=session.account_id if order.account else None,
        integration_id=found,
        device_id=normalise_id(order.device),
    )
    return replaying.new_replay(queue, wanted, order.rate or RATE)


def _show(out: Output, meant: Replay, found: Preview) -> None:
    writes = may_write(meant.queue)
    if out.json_wanted:
        out.document(
            {
                "applied": False,
                "into": meant.queue,
                "journal": meant.journal,
                **meant.wanted.plain(),
                "matching": found.matching,
                "by_type": found.by_type,
                "first": found.first,
                "last": found.last,
                "oldest_kept": found.oldest_kept,
                "read": found.read,
                "unreadable": found.unreadable,
                "writes_to_rmm": writes,
            }
        )
    _warn_of_unreadable(out, found.unreadable)
    if found.oldest_kept and found.oldest_kept > meant.wanted.since:
        warn(out, f"{meant.journal} keeps nothing that is older than {_utc(found.oldest_kept)}")
    if not found.matching:
        out.message("nothing of it is meant: see with --json what was read")
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(found.by_type.items()))
    out.message(f"{found.matching:,} events for {meant.queue}: {counts}")
    out.message(f"made from {_utc(found.first)} to {_utc(found.last)}")
    out.message(f"writes to an RMM: {'may, so it asks for --allow-write-back' if writes else 'no'}")
    takes = _duration(found.matching / meant.rate)
    out.message(f"nothing was sent; send it with --apply: {takes} or more at {meant.rate:g} a second")


def _utc(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "never"


def _duration(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"  # noqa: PLR2004 - two minutes


def _warn_of_unreadable(out: Output, count: int) -> None:
    if count:
        warn(out, f"{count:,} messages of these types are no events of ours, and are left out")
