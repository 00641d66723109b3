"""The ledger of date edits as people and scripts see it, and finding in it what became of one."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from lifecycle.data import words
from lifecycle.data.assets import find_asset
from lifecycle.data.naming import PACKAGE
from lifecycle.exits import NotFound
from lifecycle.output import Output
from lifecycle.session import Session
from shared.postgres import Connection, sql

Document = dict[str, Any]

COLUMNS: Final = ("received", "asset", "date", "value", "origin", "by", "status", "reason")
WHOLE: Final = frozenset({"received", "value", "status"})
LABELS: Final = {"purchase_date": "purchased", "warranty_expiration_date": "warranty ends"}


@dataclass(frozen=True)
class Chosen:
    """Which edits are meant; None takes all. `asked` is a name as it was sent, of an asset that nobody has."""

    asset_id: UUID | None = None
    asked: str | None = None
    status: str | None = None
    since: datetime | None = None
    actor: str | None = None
    event: str | None = None
    limit: int | None = None


async def choose(session: Session, asset: str | None, chosen: Chosen) -> Chosen:
    """Name the asset: one of the account, else what a sender wrote that no asset answers to."""
    if asset is None:
        return chosen
    try:
        return replace(chosen, asset_id=await find_asset(session, asset))
    except NotFound:
        return replace(chosen, asked=asset.strip())


async def list_edits(connection: Connection, account_id: UUID, chosen: Chosen) -> list[Document]:
    """The edits of an account, newest first, each with what became of it and why."""
    rows = await connection.fetch(
        sql(PACKAGE, "edits"),
        account_id,
        chosen.asset_id,
        chosen.asked,
        chosen.status,
        chosen.since,
        chosen.actor,
        chosen.event,
        chosen.limit,
    )
    return [dict(row) for row in rows]


def table_row(edit: Document) -> tuple[Any, ...]:
    """The row of the list."""
    return (
        words.ago(edit["received_at"]),
        asked_for(edit) if "line" in edit["asked"] else edit["asset"] or asked_for(edit),
        LABELS.get(edit["field"], edit["field"]),
        edit["value"] or edit["asked"].get("sent_value") or "cleared",
        edit["origin"],
        edit["actor"],
        edit["status"],
        edit["reason"],
    )


def asked_for(edit: Document) -> str:
    """The asset as the sender named it; of a row of a file that is no edit, its line and its serial."""
    if "line" in edit["asked"]:
        return f"line {edit['asked']['line']}: {edit['asked']['serial_number'] or 'no serial'}"
    return " ".join(str(value) for name, value in edit["asked"].items() if name != "sent_value") or str(
        edit["asset_id"] or "unknown"
    )


def say_next_actions(out: Output, edits: list[Document]) -> None:
    """What to do about those that need somebody, each action once."""
    said: dict[str, int] = {}
    for edit in edits:
        if edit["status"] in {"refused", "failed", "held"} and edit["next_action"]:
            said[edit["next_action"]] = said.get(edit["next_action"], 0) + 1
    for action, count in said.items():
        out.message(f"{count:,} to mend: {action}")
