"""A person's answer to an open question of identity: different machines, or one."""

from typing import Any, Final
from uuid import UUID

import asyncpg

from shared import audit, outbox
from shared.audit import Author
from shared.date_ledger.changes import tell_changes
from shared.date_ledger.joining import Lost, join_edits, replay_both
from shared.date_ledger.values import lock_assets
from shared.errors import Permanent, StoreConflict
from shared.postgres import Connection, sql

# Exclusive, as a removal has it: no writer of these integrations has asked which asset a device is and not written yet.
_ALONE: Final = "select pg_advisory_xact_lock(hashtextextended('integration:' || $1, 0))"
_SEEN_BY: Final = "select distinct integration_id from devices where asset_id = $1 order by integration_id"
_SETTLED: Final = "update identity_ambiguities set status = 'settled' where id = $1 and status = 'open' returning true"


class NothingToSettle(Permanent):
    """There is no such open question: it was settled, or what the devices show now has answered it."""

    code = "nothing_to_settle"
    next_action = "see what is open with: lifecycle assets ambiguities"


class NotYetTheSame(Permanent):
    """A person's decision about a date of one of the assets would be lost."""

    code = "not_yet_the_same"


async def settle_different(conn: Connection, author: Author, question_id: UUID) -> None:
    """Two machines: the devices stay apart, and are not asked about again while they claim the same.

    Raises NothingToSettle.
    """
    question = await _question(conn, author, question_id)
    if not await conn.fetchval(_SETTLED, question_id):
        raise _nothing(question_id)
    await _record(conn, author, question, "different")


async def settle_same(conn: Connection, author: Author, question_id: UUID) -> list[outbox.Pending]:
    """One machine: the devices of the asset in question go to the other one for good, and the asset is no more.

    What an RMM or a lookup says of its dates goes along, and so do its edits: together with those of the other one they
    are replayed, so it does not matter which was edited, nor what comes late. Hand the result to `Outbox.publish` after
    the commit.
    Raises NothingToSettle, NotYetTheSame, and StoreConflict where it is to be done again.
    """
    question = await _question(conn, author, question_id)
    given_up, stays = question["asset_id"], question["other_asset_id"]
    locked = [row["integration_id"] for row in await conn.fetch(_SEEN_BY, given_up)]
    for integration_id in locked:
        await conn.execute(_ALONE, str(integration_id))
    assets = await lock_assets(conn, [given_up, stays])
    still = await _question(conn, author, question_id)
    now = [row["integration_id"] for row in await conn.fetch(_SEEN_BY, given_up)]
    if (still["asset_id"], still["other_asset_id"], now) != (given_up, stays, locked):
        raise StoreConflict(f"the assets of question {question_id} were changed meanwhile")
    if len(assets) < len({given_up, stays}):
        raise _nothing(question_id)
    obstacle = await conn.fetchrow(sql(__package__, "obstacles"), given_up, stays)
    if obstacle is not None:
        raise _refused(obstacle, given_up, stays)
    joined = await replay_both(conn, given_up, stays)
    if joined.lost:
        raise _lost(joined.lost, given_up, stays)
    await conn.execute(sql(__package__, "join"), given_up, stays, author.account_id, author.actor)
    await _record(conn, author, question, "same")
    pending = await join_edits(conn, joined, assets[given_up], assets[stays], source=author.source)
    return [*pending, *await tell_changes(conn, [assets[stays]], source=author.source)]


async def _question(conn: Connection, author: Author, question_id: UUID) -> asyncpg.Record:
    row = await conn.fetchrow(sql(__package__, "question"), question_id, author.account_id)
    if row is None:
        raise _nothing(question_id)
    return row


def _nothing(question_id: UUID) -> NothingToSettle:
    return NothingToSettle(f"there is no open ambiguity {question_id}")


async def _record(conn: Connection, author: Author, question: asyncpg.Record, answer: str) -> None:
    after: dict[str, Any] = {
        "answer": answer,
        "rule": question["kind"],
        "key": question["key"],
        "integration_id": str(question["integration_id"]),
        "device_id": question["device_id"],
        "other_asset_id": str(question["other_asset_id"]),
    }
    await audit.record(conn, author, "identity.settled", "asset", question["asset_id"], after=after)


def _refused(obstacle: asyncpg.Record, given_up: UUID, stays: UUID) -> NotYetTheSame:
    field, source, value = obstacle["field"], obstacle["source"], obstacle["value"]
    match obstacle["what"]:
        case "differs":
            what = f"asset {given_up} has the {field} {value} by {source}, and asset {stays} has not"
            then = f"give it to the one that stays: lifecycle assets edit {stays} --field {field} --value {value}"
            if source == "manual":
                then += f"; or take it back: lifecycle assets clear {given_up} --field {field}"
            else:
                then = f"publish the same {field} of {source} for both"
        case "excluded":
            what = f"a person excluded {source} from the {field} of asset {given_up}, which goes"
            then = f"let it count again: lifecycle assets include {given_up} --field {field} --source {source}"
        case "conflict":
            what = f"asset {given_up}, which goes, has an open conflict about its {field}"
            then = f"settle that first: lifecycle assets settle {given_up} --field {field} --take ours|theirs"
        case _:
            what = f"the {field} of asset {given_up}, which goes, is on its way to an RMM"
            then = f"wait until it is written: lifecycle assets show {given_up}"
    return NotYetTheSame(what, next_action=then)


def _lost(lost: Lost, given_up: UUID, stays: UUID) -> NotYetTheSame:
    field, value = lost.field, lost.value
    if value is None:
        what = (
            f"nobody's {field} counts of asset {stays}, and by the edits of asset {given_up} it would be {lost.instead}"
        )
        return NotYetTheSame(
            what, next_action=f"take it back once more: lifecycle assets clear {stays} --field {field}"
        )
    because = lost.why.reason if lost.why else f"a later edit of asset {given_up} says {lost.instead or 'none'}"
    then = f"say it again: lifecycle assets edit {stays} --field {field} --value {value}"
    if lost.why:
        then = f"correct the other date of asset {stays}, and then {then}"
    return NotYetTheSame(f"the {field} {value} by a person of asset {stays} would be lost: {because}", next_action=then)
