"""What becomes of each edit of an asset: a pure function of the set of edits, so no order of delivery can matter.

Edits are put in their own order (when they were made, then the event's id) and gone through from the first. The whole
set again for each new one, and not only the new one against the present value: an edit that changes nothing is a
no-op, and whether it changes nothing depends on what an edit that is still under way may say. With edits A = 1, C = 2,
B = 1 made in this order and delivered as A, B, C, a no-op decided once for B would let C win for ever.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from shared.dates.calendar import PURCHASE, WARRANTY, DateField, other_field
from shared.dates.resolving import Observation, Resolution, resolve
from shared.dates.sanity import Refusal, refuse_pair


@dataclass(frozen=True)
class Surroundings:
    """What else was known of an asset when an edit came in, kept with the edit so that its outcome stays what it was.

    `remote` is what the integrations said, by field: the best of them, because the best of the bests is the best of
    all. `excluded` are the (field, source) that a person had excluded.
    """

    remote: Mapping[DateField, Observation] = dataclasses.field(default_factory=dict[DateField, Observation])
    excluded: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Edit:
    """One edit as the ledger has it. `edited_at` is not after its receipt; `event_key` is the event's id and source."""

    id: UUID
    field: DateField
    source: str
    value: date | None
    edited_at: datetime
    event_key: tuple[str, str]
    around: Surroundings = dataclasses.field(default_factory=Surroundings)

    @property
    def order(self) -> tuple[datetime, tuple[str, str]]:
        """Its place among the edits of an asset."""
        return self.edited_at, self.event_key


OutcomeKind = Literal["standing", "recorded", "superseded", "unchanged", "refused"]


@dataclass(frozen=True)
class Outcome:
    """What became of an edit.

    standing: it made the value what it is. recorded: its source says so, and another date counts. superseded: a later
    edit took its place, `by`. unchanged: it said what was so already. refused: it contradicts the other field.
    """

    kind: OutcomeKind
    by: UUID | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Said:
    """What a source says after all edits, and by which of them."""

    value: date | None
    edit: Edit


@dataclass
class Replayed:
    """The outcome of each edit, what each source says in the end, and the standing edit of each field."""

    outcomes: dict[UUID, Outcome] = dataclasses.field(default_factory=dict[UUID, Outcome])
    said: dict[tuple[DateField, str], Said] = dataclasses.field(default_factory=dict[tuple[DateField, str], Said])
    standing: dict[DateField, Edit] = dataclasses.field(default_factory=dict[DateField, Edit])


def replay(edits: Iterable[Edit]) -> Replayed:
    """Go through the edits of one asset, both fields, in their own order."""
    done = Replayed()
    for edit in sorted(edits, key=lambda each: each.order):
        _take(done, edit)
    return done


def replay_with(edits: Iterable[Edit], new: Edit) -> tuple[Replayed, Replayed]:
    """Replay the edits of one asset, without a new one and with it; gone through once where the new one is the last.

    The new one may be among them, with a later moment than it has now.
    """
    others = sorted(edits, key=lambda each: each.order)
    before = replay(others)
    if others and new.order < others[-1].order:
        return before, replay([*(each for each in others if each.id != new.id), new])
    after = Replayed(dict(before.outcomes), dict(before.said), dict(before.standing))
    _take(after, new)
    return before, after


def _take(done: Replayed, edit: Edit) -> None:
    before = _resolution(done, edit, edit.field)
    key = (edit.field, edit.source)
    own = done.said.get(key)
    own_value = own.value if own else None
    if edit.value in (own_value, before.value if edit.value else own_value):
        # Nothing new, so most likely our own date on its way back through another system. It gets no vote: else the
        # mirror would speak for a date that its true source has given up.
        done.outcomes[edit.id] = Outcome("unchanged")
        if own_value is None or own_value == edit.value:
            return
    else:
        refusal = _contradiction(done, edit)
        done.outcomes[edit.id] = Outcome("refused", refusal=refusal) if refusal else Outcome("recorded")
        if refusal:
            return
    replaced = _say(done, key, edit, own)
    after = _resolution(done, edit, edit.field)
    if after.value != before.value or replaced == "standing":
        _stand(done, edit)


def _contradiction(done: Replayed, edit: Edit) -> Refusal | None:
    other = _resolution(done, edit, other_field(edit.field)).value
    purchase, warranty = (edit.value, other) if edit.field == PURCHASE else (other, edit.value)
    return refuse_pair(purchase, warranty, edit.field)


def _say(done: Replayed, key: tuple[DateField, str], edit: Edit, own: Said | None) -> OutcomeKind | None:
    """Let the source say what the edit says; gives what the edit was until now that it takes the place of."""
    done.said[key] = Said(edit.value, edit)
    if own is None:
        return None
    was = done.outcomes[own.edit.id].kind
    if was in {"recorded", "standing"}:
        done.outcomes[own.edit.id] = Outcome("superseded", by=edit.id)
    return was


def _stand(done: Replayed, edit: Edit) -> None:
    last = done.standing.get(edit.field)
    if last is not None and done.outcomes[last.id].kind == "standing":
        done.outcomes[last.id] = Outcome("superseded", by=edit.id)
    done.standing[edit.field] = edit
    done.outcomes[edit.id] = Outcome("standing")


def _resolution(done: Replayed, edit: Edit, of: DateField) -> Resolution:
    """What counts for a field at the moment of an edit."""
    around = edit.around
    observations = [
        Observation(source, said.value, excluded=(of, source) in around.excluded)
        for (said_of, source), said in done.said.items()
        if said_of == of
    ]
    remote = around.remote.get(of)
    return resolve(of, [*observations, remote] if remote else observations)


def surroundings(by_field: Mapping[DateField, Iterable[tuple[Observation, bool]]]) -> Surroundings:
    """Make the surroundings of an edit that comes in now, from all observations, each with whether an RMM's."""
    remote: dict[DateField, Observation] = {}
    excluded: set[tuple[str, str]] = set()
    for of in (PURCHASE, WARRANTY):
        some = list(by_field.get(of, ()))
        excluded |= {(of, each.source) for each, is_remote in some if each.excluded and not is_remote}
        best = resolve(of, [each for each, is_remote in some if is_remote])
        winner = next((each for each, is_remote in some if is_remote and each.source == best.origin), None)
        if winner is not None:
            remote[of] = replace(winner, excluded=False)
    return Surroundings(remote, frozenset(excluded))
