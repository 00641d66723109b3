"""How dates of an integration go into its RMM: the switch of each field, the policy, and a pause of writing alone."""

from typing import Any, Final
from uuid import UUID

from lifecycle.data.naming import PACKAGE
from lifecycle.data.runs import Document
from shared.dates.calendar import FIELDS, PURCHASE, WARRANTY
from shared.postgres import Connection, sql

FIELD_WORDS: Final = {PURCHASE: "purchase dates", WARRANTY: "warranty expiration dates"}


async def read_two_way(connection: Connection, integration_id: UUID) -> Document:
    """The switches by field, `conflict_policy`, and `writing`, whose reason is None where it is not paused."""
    rows = await connection.fetch(sql(PACKAGE, "two_way"), integration_id, list(FIELDS))
    row = await connection.fetchrow(sql(PACKAGE, "writing"), integration_id)
    assert row is not None
    paused: bool = row["paused"]
    names = ("paused_at", "reason_code", "reason", "next_action")
    writing: dict[str, Any] = {"paused": paused, **{name: row[name] if paused else None for name in names}}
    fields = {row["field"]: {name: value for name, value in row.items() if name != "field"} for row in rows}
    return {"fields": fields, "conflict_policy": row["conflict_policy"], "writing": writing}


def switches_text(two_way: Document) -> str:
    """`purchase dates on, warranty expiration dates off`."""
    return ", ".join(
        f"{FIELD_WORDS[field]} {'on' if two_way['fields'][field]['enabled'] else 'off'}" for field in FIELDS
    )


def pause_text(two_way: Document, shell_name: str) -> str | None:
    """Why nothing is written although reading goes on, and how to resume; None where writing is not paused."""
    writing = two_way["writing"]
    if not writing["paused"]:
        return None
    return (
        f"paused, reading goes on: {writing['reason']}; {writing['next_action']}; then: lifecycle integrations"
        f" two-way {shell_name} --resume-writing, or for another key: lifecycle integrations replace-credentials"
        f" {shell_name} --client-id ID --client-secret-file FILE"
    )
