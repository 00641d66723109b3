"""`integrations remove` and `restore`: what is said before and after, and finding what was removed."""

import sys
from datetime import timedelta
from typing import Any

from lifecycle.data.naming import FoundIntegration, find_integration, find_removed
from lifecycle.data.publishing import SWEPT, change, publish
from lifecycle.data.settings import removal_undo
from lifecycle.data.words import at, duration
from lifecycle.exits import NotFound, Refused
from lifecycle.output import Output
from lifecycle.session import Session
from shared.integrations import removal


async def remove(session: Session, out: Output, word: str, *, yes: bool, now: bool) -> None:
    """Removes it after a confirmation that shows what goes; with `now` its data goes at once."""
    undo_for = timedelta() if now else removal_undo()
    found = await _find(session, word, removed_too=now)
    counts = await removal.count_removal(session.connection, found.id)
    said = (
        f"removing {found.name} deletes {counts.devices:,} devices and {counts.assets:,} assets {_when(undo_for)}; "
        f"{counts.kept_seen_elsewhere:,} assets stay because others see them, {counts.kept_edited:,} because a person "
        "edited them"
    )
    if not yes:
        _confirm(out, found, said)
    if found.status == "removed":
        removed = await change(session, lambda conn, who: removal.forget_now(conn, who, found.id))
    else:
        removed = await change(session, lambda conn, who: removal.remove(conn, who, found.id, undo_for=undo_for))
    if not await publish(session, removed.pending):
        out.message(SWEPT)
    if out.json_wanted:
        out.document(_document(removed))
    out.message(_sentence(removed))


async def restore(session: Session, out: Output, word: str, *, name: str | None) -> None:
    """Brings back what was removed, where its data is still there; a catch-up sync follows."""
    found = await find_removed(session, word)
    if found is None:
        # It stands, or it never was: both are said by the search for one that stands.
        standing = await find_integration(session, word)
        raise Refused(f"{standing.name} was not removed: it is {standing.status}", None)
    changed = await change(session, lambda conn, who: removal.restore(conn, who, found.id, name=name))
    if not await publish(session, changed.pending):
        out.message(SWEPT)
    if out.json_wanted:
        out.document({"integration_id": changed.integration_id, "name": changed.name, "status": changed.status})
    follows = "a catch-up sync is queued" if changed.status in {"never_synced", "active"} else f"it is {changed.status}"
    out.message(f"{changed.name} is back as it was; {follows}")


async def _find(session: Session, word: str, *, removed_too: bool) -> FoundIntegration:
    try:
        return await find_integration(session, word)
    except NotFound:
        # Of one that was removed already, the data may go before its time.
        found = await find_removed(session, word) if removed_too else None
        if found is None:
            raise
        return found


def _document(removed: removal.Removed) -> dict[str, Any]:
    return {
        "integration_id": removed.integration_id,
        "name": removed.name,
        "status": "removed",
        "devices": removed.devices,
        "assets": removed.assets,
        "kept": removed.kept,
        "forget_at": removed.forget_at,
    }


def _sentence(removed: removal.Removed) -> str:
    what = f"{removed.devices:,} devices and {removed.assets:,} assets"
    if removed.forget_at is None:
        return f"removed {removed.name}: {what}; {removed.kept:,} stay"
    return (
        f"removed {removed.name}: nothing is read or written any more, and {what} are deleted at "
        f"{at(removed.forget_at)}; until then: lifecycle integrations restore {removed.integration_id}"
    )


def _when(undo_for: timedelta) -> str:
    return f"in {duration(undo_for.total_seconds())}" if undo_for else "at once, and there is no way back"


def _confirm(out: Output, integration: FoundIntegration, said: str) -> None:
    if not sys.stdin.isatty() or out.json_wanted:
        raise Refused(f"not confirmed: {said}", "confirm it with --yes")
    import typer  # noqa: PLC0415 - only for a prompt

    out.errors.print(said, markup=False, highlight=False)
    typed: str = typer.prompt(
        f"type the name {integration.name} to remove it", default="", show_default=False, err=True
    )
    if typed.strip() != integration.name:
        raise Refused("not confirmed: nothing was removed", "type the name as it is shown, or give --yes")
