"""What a preflight found, in words for a person. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.dates.calendar import DateField
from shared.errors import PipelineError
from shared.rmm.custom_fields import FieldDefinition

Adapter = Literal["auto", "patch", "custom_fields"]


@dataclass(frozen=True)
class Finding:
    """One thing that was tried."""

    check: str
    ok: bool
    detail: str
    next_action: str | None = None
    field: DateField | None = None
    """The date that it is about: a key without a right to dates still reads lists, so it fails no preflight."""
    adapter: Adapter | None = None
    """How that date is read and written; `auto` where the first write will tell."""
    may_read: bool = False
    may_write: bool | None = None
    """Whether the key signs in for writing; None where that is not about it, or nobody knows."""


@dataclass(frozen=True)
class WriteRight:
    """What the sign-in for writing came to: taken, or refused with this, or not answered and nobody knows."""

    refused: PipelineError | None = None
    unknown: PipelineError | None = None

    @property
    def may_write(self) -> bool | None:
        """Whether the key may write; None where nobody knows."""
        return None if self.unknown else self.refused is None

    def words(self, place: "DatePlace") -> str:
        """What is known of writing a date."""
        if self.refused:
            return f"not writable: {self.refused}"
        if self.unknown:
            return f"whether the key may write it is known at the first write ({self.unknown})"
        if place.remembered:
            return "the key may write it, and a write was kept this way before"
        return "the key may write it; whether the RMM keeps it shows at the first write"


@dataclass(frozen=True)
class DatePlace:
    """Where a date stands in a tenant: `name` of the custom field, `member` of the device, and which of them is used.

    `remembered`: a write was seen to be kept this way; else it is configured, or nobody knows yet.
    """

    field: DateField
    name: str
    member: str
    adapter: Adapter
    remembered: bool

    def finding(self, right: WriteRight, *, reads: bool, detail: str, next_action: str | None = None) -> Finding:
        """What is said of this date: `detail` of reading it, and what is known of writing it."""
        todo = [next_action, right.refused.next_action if right.refused else None]
        return Finding(
            check=self.field,
            ok=reads and right.refused is None,
            detail=f"{detail}; {right.words(self)}" if reads or right.refused else detail,
            next_action="; and ".join(filter(None, todo)) or None,
            field=self.field,
            adapter=self.adapter,
            may_read=reads,
            may_write=right.may_write,
        )

    def definition(self, definitions: Sequence[FieldDefinition]) -> FieldDefinition | None:
        """The custom field of this date; its name is in any case."""
        wanted = self.name.strip().casefold()
        return next((each for each in definitions if each.name.strip().casefold() == wanted), None)


def patched(place: DatePlace, right: WriteRight) -> Finding:
    """Say that a date is a member of the device, so no custom field is asked for."""
    return place.finding(right, reads=True, detail=f"member {place.member!r} of the device, by PATCH")


def in_custom_field(place: DatePlace, right: WriteRight, definitions: Sequence[FieldDefinition]) -> Finding:
    """Say whether the custom field of a date is there, and what is known of writing it."""
    found = place.definition(definitions)
    if found is None:
        return place.finding(
            right,
            reads=False,
            detail=f"the RMM has no custom field {place.name!r} for devices{_first(place)}",
            next_action="create it with --create-definitions or in the RMM, or set the name that it has there",
        )
    kind = found.kind or "unknown type"
    return place.finding(right, reads=True, detail=f"custom field {found.name!r} ({kind}){_first(place)}")


def unreadable(place: DatePlace, right: WriteRight, error: PipelineError) -> Finding:
    """Say why the custom fields cannot be listed."""
    # One key is to be made, with all that this one lacks: the same advice is given once.
    same = right.refused is not None and right.refused.next_action == error.next_action
    return place.finding(right, reads=False, detail=str(error), next_action=None if same else error.next_action)


def created(definitions: Sequence[FieldDefinition]) -> Finding:
    """Say which custom fields were created; none where all were there."""
    said = ", ".join(f"{each.name!r} ({each.kind})" for each in definitions)
    return Finding("create_definitions", ok=True, detail=f"created {said}" if said else "nothing to create")


def not_created(name: str, error: PipelineError) -> Finding:
    """Say why a custom field was not created."""
    return Finding("create_definitions", ok=False, detail=f"{name!r}: {error}", next_action=error.next_action)


def result_of(findings: Sequence[Finding]) -> dict[str, Any]:
    """The answer as it is stored."""
    return {
        "ok": all(finding.ok for finding in findings if finding.field is None),
        "checks": [
            {
                "check": finding.check,
                "ok": finding.ok,
                "detail": finding.detail,
                "next_action": finding.next_action,
                "field": finding.field,
                "adapter": finding.adapter,
                "may_write": finding.may_write,
            }
            for finding in findings
        ],
    }


def _first(place: DatePlace) -> str:
    return f"; a PATCH of member {place.member!r} is tried before it" if place.adapter == "auto" else ""
