"""`parked retry` and `parked discard`, as the command carries them out."""

from collections.abc import Sequence
from uuid import UUID

from lifecycle.data import redriving
from lifecycle.data.naming import find_parked
from lifecycle.data.parked import Chosen, Document, list_parked
from lifecycle.data.saying import complain
from lifecycle.exits import ExitCode, Refused, WrongUsage
from lifecycle.output import Output
from lifecycle.session import Session


async def retry(
    session: Session, out: Output, words: Sequence[str], chosen: Chosen, *, everything: bool, apply: bool
) -> ExitCode:
    """Named ones at once; all that fit the filters only with `apply`, else what would be done."""
    messages = await _meant(session, words, chosen, everything=everything, verb="retry")
    ids: list[UUID] = [one["parked_id"] for one in messages]
    for line in redriving.preview(messages) if messages else []:
        out.message(line)
    if everything and not apply:
        if out.json_wanted:
            out.document({"applied": False, "matching": len(ids), "parked_ids": ids, "notes": _notes(messages)})
        out.message("nothing was done; do it with --yes" if ids else "nothing that fits is parked")
        return ExitCode.DONE
    result = await redriving.retry(session, ids) if ids else redriving.Redriven()
    if out.json_wanted:
        failed = [{"parked_id": one, "reason": reason} for one, reason in result.failed.items()]
        out.document({"applied": True, "matching": len(ids), "retried": result.retried, "failed": failed})
    out.message(f"retried {len(result.retried):,}; one that is parked again comes back as a new message")
    for parked_id, reason in list(result.failed.items())[:5]:
        complain(out, f"{parked_id} stays parked: {reason}")
    if not result.failed:
        return ExitCode.DONE
    return ExitCode.PARTIAL if result.retried else ExitCode.UNREACHABLE


async def discard(session: Session, out: Output, words: Sequence[str], reason: str, *, yes: bool) -> None:
    """The named ones, with a reason that is kept."""
    if not reason.strip():
        raise WrongUsage("a reason is missing", "say with --reason why they are not needed")
    messages = await _meant(session, words, Chosen(), everything=False, verb="discard")
    redriving.confirm_discard(out, messages, yes=yes)
    done = await redriving.discard(session, [one["parked_id"] for one in messages], reason.strip())
    if out.json_wanted:
        out.document({"discarded": done})
    out.message(f"discarded {len(done):,}")


async def _meant(
    session: Session, words: Sequence[str], chosen: Chosen, *, everything: bool, verb: str
) -> list[Document]:
    """The messages that are meant. Raises `Refused` where one was decided already."""
    if bool(words) == everything:
        raise WrongUsage("name messages, or all that fit with --all", f"like: lifecycle parked {verb} ID")
    if everything:
        return await list_parked(session, chosen)
    ids = tuple([await find_parked(session, word) for word in words])
    messages = await list_parked(session, Chosen(status=None, ids=ids))
    for one in messages:
        if one["status"] != "parked":
            raise Refused(
                f"{one['parked_id']} was {one['status']} already by {one['decided_by']}",
                f"see it with: lifecycle parked show {one['parked_id']}",
            )
    return messages


def _notes(messages: Sequence[Document]) -> list[str]:
    return redriving.preview(messages)[1:] if messages else []
