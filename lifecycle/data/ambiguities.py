"""Open questions of identity as people see and answer them: devices that may be the hardware of another asset."""

import sys
from typing import Any, Final, Literal
from uuid import UUID

from lifecycle.data import words
from lifecycle.data.asset_pages import CLAIMS
from lifecycle.data.assets import id_range
from lifecycle.data.naming import PACKAGE
from lifecycle.data.publishing import SWEPT, change, publish
from lifecycle.exits import NotFound, Refused, WrongUsage
from lifecycle.output import Output
from lifecycle.session import Session
from shared import outbox
from shared.audit import Author
from shared.identity.settling import NothingToSettle, NotYetTheSame, settle_different, settle_same
from shared.postgres import Connection, sql

Document = dict[str, Any]
Answer = Literal["same", "different"]

COLUMNS: Final = ("asset", "device", "integration", "may be", "both claim", "found", "ambiguity id")


async def list_ambiguities(
    session: Session,
    *,
    asset_id: UUID | None = None,
    integration_id: UUID | None = None,
    ids: tuple[UUID | None, UUID | None] = (None, None),
) -> list[Document]:
    """The open questions, newest first; `asset_id` may be either side, `ids` are the first and the last one."""
    rows = await session.connection.fetch(
        sql(PACKAGE, "ambiguities"), session.account_id, asset_id, integration_id, *ids
    )
    return [dict(row) for row in rows]


def table_row(one: Document) -> tuple[Any, ...]:
    """The row of the list."""
    other = ", ".join(filter(None, (one["other_asset"], one["other_serial_number"]))) or one["other_asset_id"]
    return (
        one["asset"] or one["asset_id"],
        one["device_id"],
        one["integration"],
        other,
        CLAIMS[one["rule"]],
        words.ago(one["found_at"]),
        one["ambiguity_id"],
    )


async def settle(session: Session, out: Output, word: str, answer: Answer, *, yes: bool) -> None:
    """Answers one question; `same` after a confirmation, for the asset that is given up does not come back."""
    one = await _find(session, word)
    if answer == "same":
        _confirm(out, one, yes=yes)
    question_id: UUID = one["ambiguity_id"]

    async def work(conn: Connection, who: Author) -> list[outbox.Pending]:
        if answer == "same":
            return await settle_same(conn, who, question_id)
        await settle_different(conn, who, question_id)
        return []

    try:
        pending = await change(session, work)
    except NothingToSettle as error:
        raise NotFound(str(error), error.next_action) from error
    except NotYetTheSame as error:
        raise Refused(str(error), error.next_action) from error
    if not await publish(session, pending):
        out.message(SWEPT)
    stays, given_up = (one["other_asset_id"], one["asset_id"]) if answer == "same" else (one["asset_id"], None)
    if out.json_wanted:
        out.document({"ambiguity_id": question_id, "answer": answer, "asset_id": stays, "given_up": given_up})
    if answer == "same":
        out.message(f"they are one asset: {stays}; see it with: lifecycle assets show {stays}")
    else:
        out.message(f"{_name(one)} and {_other(one)} stay apart and are not asked about again")


async def _find(session: Session, word: str) -> Document:
    """The open question of this id, or start of it. Raises `NotFound`, `WrongUsage`."""
    ids = id_range(word.strip())
    found = await list_ambiguities(session, ids=ids) if ids[0] else []
    if not found:
        raise NotFound(f"there is no open ambiguity {word!r}", "see: lifecycle assets ambiguities")
    if len(found) > 1:
        raise WrongUsage(f"{word!r} means several ambiguities", "give more of the id")
    return found[0]


def _confirm(out: Output, one: Document, *, yes: bool) -> None:
    said = (
        f"{_name(one)} becomes {_other(one)}: its devices go there for good, and asset {one['asset_id']} is no more; "
        "nothing parts them again"
    )
    if yes:
        return
    if not sys.stdin.isatty() or out.json_wanted:
        raise Refused(f"not confirmed: {said}", "confirm it with --yes; nothing was changed")
    import typer  # noqa: PLC0415 - only for a prompt

    if not typer.confirm(f"{said}. Go on?", default=False, err=True):
        raise Refused("not confirmed: nothing was changed")


def _name(one: Document) -> str:
    return f"{one['asset'] or one['asset_id']} (device {one['device_id']} in {one['integration']})"


def _other(one: Document) -> str:
    return f"{one['other_asset'] or 'asset'} ({one['other_asset_id']})"
