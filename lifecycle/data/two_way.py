"""`integrations two-way`: see, preview and switch the writing of dates to an RMM."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

from lifecycle.data import words
from lifecycle.data.naming import FoundIntegration
from lifecycle.data.probes import FRESH_FOR, last_preflight
from lifecycle.data.publishing import SWEPT, change, publish
from lifecycle.data.runs import Document
from lifecycle.data.saying import warn
from lifecycle.data.two_way_state import FIELD_WORDS, pause_text, read_two_way
from lifecycle.exits import Refused, WrongUsage
from lifecycle.output import Output
from lifecycle.session import Session
from shared import outbox
from shared.audit import Author
from shared.date_ledger.switches import (
    Policy,
    preview_history,
    resume_writing,
    set_conflict_policy,
    switch_two_way,
)
from shared.dates.calendar import DateField
from shared.postgres import Connection

_SHOWN: Final = 10
_RESUMED: Final = "writing goes on, what was held first; where the key still lacks the right, it pauses again"
_COLUMNS: Final = ("dates", "two-way", "waiting", "changed", "by")
_PREVIEW_COLUMNS: Final = ("device", "in the RMM", "would become", "from", "asset")


@dataclass(frozen=True)
class Wish:
    """What a person asked for. `enabled` and `policy` of None change nothing."""

    fields: Sequence[DateField]
    enabled: bool | None
    preview: bool
    write_history: bool
    policy: Policy | None
    resume_writing: bool

    def check(self) -> None:
        """Raises `WrongUsage` where the parts contradict each other."""
        if self.write_history and not self.enabled:
            raise WrongUsage("--write-history goes with --on only", "to see what it would write: --preview")
        if self.preview and self.enabled is False:
            raise WrongUsage("--off writes nothing, so there is nothing to preview", "leave --preview or --off away")
        if self.preview and (self.policy is not None or self.resume_writing):
            option = "--policy" if self.policy is not None else "--resume-writing"
            raise WrongUsage(f"--preview changes nothing, {option} does", f"leave --preview or {option} away")

    @property
    def changes(self) -> bool:
        """Whether anything is to be changed."""
        return not self.preview and (self.enabled is not None or self.policy is not None or self.resume_writing)


async def two_way(session: Session, out: Output, integration: FoundIntegration, wish: Wish, *, yes: bool) -> None:
    """Shows what stands, previews, switches. What stands already is written only with history, and then asked first."""
    wish.check()
    previews = await _previews(session, integration, wish) if wish.enabled or wish.preview else {}
    if previews and not out.json_wanted:
        _show_previews(out, previews)
    if not wish.preview:
        if wish.write_history and not yes:
            _confirm(out, integration, sum(preview["count"] for preview in previews.values()))
        await _carry_out(session, out, integration, wish)
    preflight = await last_preflight(session.connection, integration.id)
    state = await read_two_way(session.connection, integration.id)
    if out.json_wanted:
        head = {"integration_id": integration.id, "name": integration.name, "changed": wish.changes}
        out.document({**head, **state, "preview": previews or None, "preflight": preflight})
    elif not wish.preview:
        _show_state(out, state)
    _say_what_follows(out, integration, wish, state)
    if wish.enabled and not wish.preview:
        _say_preflight(out, integration, wish, preflight)


async def _previews(session: Session, integration: FoundIntegration, wish: Wish) -> dict[DateField, Document]:
    found: dict[DateField, Document] = {}
    for field in wish.fields:
        count, first = await preview_history(session.connection, integration.id, field)
        found[field] = {"count": count, "first": [asdict(one) for one in first]}
    return found


async def _carry_out(session: Session, out: Output, integration: FoundIntegration, wish: Wish) -> None:
    enabled, policy = wish.enabled, wish.policy

    async def work(conn: Connection, who: Author) -> tuple[bool, list[outbox.Pending]]:
        resumed = await resume_writing(conn, who, integration.id) if wish.resume_writing else None
        pending = list(resumed or [])
        if policy is not None:
            await set_conflict_policy(conn, who, integration.id, policy)
        if enabled is not None:
            for field in wish.fields:
                pending += await switch_two_way(
                    conn, who, integration.id, field, enabled=enabled, write_history=wish.write_history
                )
        return resumed is not None, pending

    if not wish.changes:
        return
    resumed, pending = await change(session, work)
    if not await publish(session, pending):
        out.message(SWEPT)
    if wish.resume_writing:
        out.message(_RESUMED if resumed else "writing was not paused")


def _show_previews(out: Output, previews: dict[DateField, Document]) -> None:
    for field, preview in previews.items():
        out.text(f"{FIELD_WORDS[field]} that writing history would write: {preview['count']:,}")
        rows = [
            (
                one["device_id"],
                (one["there"] or "none") if one["there_known"] else "not read yet",
                one["value"],
                one["origin"],
                one["asset_id"],
            )
            for one in preview["first"][:_SHOWN]
        ]
        if rows:
            out.table(_PREVIEW_COLUMNS, rows)
        if preview["count"] > len(rows):
            out.text(f"and {preview['count'] - len(rows):,} more")


def _show_state(out: Output, state: Document) -> None:
    rows = [
        (
            FIELD_WORDS[field],
            "on" if one["enabled"] else "off",
            one["waiting"],
            words.ago(one["changed_at"]),
            one["changed_by"],
        )
        for field, one in state["fields"].items()
    ]
    out.table(_COLUMNS, rows)
    out.text(f"in conflicts: {state['conflict_policy']}")


def _confirm(out: Output, integration: FoundIntegration, count: int) -> None:
    said = f"writing history writes {count:,} dates to the RMM of {integration.name}"
    if not sys.stdin.isatty() or out.json_wanted:
        raise Refused(f"not confirmed: {said}", "confirm it with --yes; nothing was changed")
    import typer  # noqa: PLC0415 - only for a prompt

    if not typer.confirm(f"{said}; go on?", default=False, err=True):
        raise Refused("not confirmed: nothing was changed", "answer y, or leave --write-history away")


def _say_what_follows(out: Output, integration: FoundIntegration, wish: Wish, state: Document) -> None:
    if pause := pause_text(state, integration.shell_name):
        warn(out, f"writing of dates is {pause}")
    if wish.preview or not wish.enabled:
        return
    if wish.write_history:
        out.message("on; the dates above are being written, see them with: lifecycle assets edits")
    else:
        out.message("on; dates that are edited from now on are written, those that stand already are not")


def _say_preflight(out: Output, integration: FoundIntegration, wish: Wish, preflight: Document | None) -> None:
    """What the last preflight found against these dates, or that there is none."""
    again = f"lifecycle integrations preflight {integration.shell_name}"
    show = f"lifecycle integrations show {integration.shell_name}"
    if preflight is None:
        out.message(f"the first write shows whether the key may; see: {show}")
        hours = FRESH_FOR // timedelta(hours=1)
        out.message(
            f"whether the key can read and write them was not looked at in the last {hours} hours; run: {again}"
        )
        return
    checks = [check for check in preflight["checks"] if check["field"] in wish.fields]
    # A preflight of an older version did not look.
    rights = {check.get("may_write") for check in checks}
    if rights == {True}:
        out.message(f"the key may write; whether the RMM keeps it shows at the first write, see: {show}")
    elif False not in rights:
        out.message(f"the first write shows whether the key may; see: {show}")
    for check in checks:
        if not check["ok"]:
            warn(out, f"{FIELD_WORDS[check['field']]}, {words.ago(preflight['finished_at'])}: {check['detail']}")
            out.message(f"{check['next_action']}; then: {again}")
