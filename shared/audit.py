"""The audit log: who changed what, in the transaction of the change itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.postgres import Connection, as_json

_ADD: Final = """
    insert into audit_log (account_id, actor, action, object_kind, object_id, before, after)
    values ($1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb)
"""


@dataclass(frozen=True)
class Author:
    """In whose name a change is made: the account, the person or script, and the program they used."""

    account_id: UUID
    actor: str
    source: str


async def record(
    conn: Connection,
    author: Author,
    action: str,
    object_kind: str,
    object_id: UUID | str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Keep one change in the caller's transaction. `before` and `after` never hold a secret, sealed or not."""
    await conn.execute(
        _ADD,
        author.account_id,
        author.actor,
        action,
        object_kind,
        str(object_id),
        None if before is None else as_json(before),
        None if after is None else as_json(after),
    )
