"""Finding the thing that a person named: by id, by the start of an id, or by a name."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from lifecycle.exits import NotFound, WrongUsage
from lifecycle.session import Session
from shared.postgres import sql

PACKAGE: Final = "lifecycle.data.sql"
SHORTEST_PREFIX: Final = 6


@dataclass(frozen=True)
class FoundIntegration:
    """An integration that was named."""

    id: UUID
    name: str
    status: str
    reason: str | None
    next_action: str | None

    @property
    def shell_name(self) -> str:
        """The name as it is typed into a command line."""
        import shlex  # noqa: PLC0415 - a word at the end of a command

        return shlex.quote(self.name)


async def find_integration(session: Session, word: str) -> FoundIntegration:
    """The integration of this name, id or start of an id (six characters or more).

    Raises `NotFound` with what comes near, and `WrongUsage` where several fit.
    """
    rows = await session.connection.fetch(
        sql(PACKAGE, "integration_named"), session.account_id, word.strip(), SHORTEST_PREFIX
    )
    best = [row for row in rows if row["rank"] == rows[0]["rank"]]
    if len(best) > 1:
        raise WrongUsage(f"{word!r} is the start of several ids: {_ids(best)}", "give more of the id, or the name")
    if best:
        row = best[0]
        return FoundIntegration(row["id"], row["name"], row["status"], row["reason"], row["next_action"])
    await _tell_removed(session, word)
    names = await session.connection.fetch(
        "select name from integrations where account_id = $1 and status <> 'removed' order by name", session.account_id
    )
    raise NotFound(f"there is no integration {word!r}", _suggestion(word, [row["name"] for row in names]))


async def find_removed(session: Session, word: str) -> FoundIntegration | None:
    """The removed integration that a word means, the one removed last of several by a name; None where there is none.

    One whose data has gone is found too, where no other is.
    """
    rows = await session.connection.fetch(
        sql(PACKAGE, "removed_named"), session.account_id, word.strip(), SHORTEST_PREFIX
    )
    if not rows:
        return None
    row = rows[0]
    return FoundIntegration(row["id"], row["name"], row["status"], None, None)


async def find_optional(session: Session, word: str | None) -> UUID | None:
    """The id of the integration that an option names, None where the option was not given."""
    return None if word is None else (await find_integration(session, word)).id


async def find_run(session: Session, word: str) -> UUID:
    """The run of this id or start of an id; raises `NotFound` and `WrongUsage`."""
    return await _by_id(session, word, "run", "sync_runs", "lifecycle runs list")


async def find_parked(session: Session, word: str) -> UUID:
    """The parked message of this id or start of an id, nobody's included; raises `NotFound` and `WrongUsage`."""
    return await _by_id(session, word, "parked message", "parked_messages", "lifecycle parked list")


async def _tell_removed(session: Session, word: str) -> None:
    """Raises `NotFound` with the way back, where a word means an integration whose data is still there."""
    rows = await session.connection.fetch(
        sql(PACKAGE, "removed_named"), session.account_id, word.strip(), SHORTEST_PREFIX
    )
    if rows and rows[0]["forgotten_at"] is None:
        raise NotFound(
            f"integration {rows[0]['name']} was removed",
            f"bring it back with: lifecycle integrations restore {rows[0]['id']}",
        )


async def _by_id(session: Session, word: str, kind: str, table: str, lister: str) -> UUID:
    text = word.strip().lower()
    rows = await session.connection.fetch(
        # As lists have it: what belongs to no account that we know is everybody's.
        f"select id from {table} t"  # noqa: S608 - names are ours
        " where (account_id = $1 or account_id is null"
        " or not exists (select from accounts a where a.id = t.account_id))"
        " and (id::text = $2 or (length($2) >= $3 and starts_with(id::text, $2))) order by id limit 6",
        session.account_id,
        text,
        SHORTEST_PREFIX,
    )
    if len(rows) > 1:
        raise WrongUsage(f"{word!r} is the start of several ids: {_ids(rows)}", "give more of the id")
    if not rows:
        raise NotFound(f"there is no {kind} {word!r}", f"see them with: {lister}")
    found: UUID = rows[0]["id"]
    return found


def _ids(rows: Sequence[Any]) -> str:
    return ", ".join(str(row["id"]) for row in rows)


def _suggestion(word: str, names: list[str]) -> str:
    if not names:
        return "there is none yet; add one with: lifecycle integrations add"
    near = difflib.get_close_matches(word.lower(), [name.lower() for name in names], n=1)
    meant = next((name for name in names if near and name.lower() == near[0]), None)
    return f"did you mean {meant!r}?" if meant else f"integrations: {', '.join(names[:10])}"
