"""Other systems hear which dates count now: one event for all that a transaction stored, through the outbox.

Whoever opens the transaction tells it once, at its end, of all the assets that it has locked (ADR 0020).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from shared import outbox
from shared.date_ledger.values import Asset, Cause, Stored
from shared.dates.calendar import FIELDS, DateField
from shared.dates.resolving import RULE
from shared.events.dates import AssetDatesChanged, DateChange
from shared.events.envelope import MAX_ID_LENGTH, Event, new_event
from shared.postgres import Connection

MOST_CHANGES: Final = 250
"""In one event: with ids and sources of edits as long as they may be, its body is still below 1 MiB."""


@dataclass(frozen=True)
class Change:
    """A date that counts now and did not before; `by` is what stored it last."""

    asset: Asset
    field: DateField
    before: date | None
    by: Stored

    @property
    def value(self) -> date | None:
        """The date that counts now."""
        return self.by.resolved[self.field].value


def changes(assets: Iterable[Asset]) -> list[Change]:
    """What differs now from what counted when the assets were locked first. A date that came back is no change.

    An asset may be locked several times in a transaction; its news are then in the order of the locks.
    """
    found: dict[tuple[UUID, DateField], Change] = {}
    for asset in assets:
        for news in asset.news:
            for field in FIELDS:
                known = found.get((asset.id, field))
                now = known.value if known else asset.stored[field][0]
                if news.resolved[field].value != now:
                    found[asset.id, field] = Change(asset, field, known.before if known else now, news)
    return [change for change in found.values() if change.value != change.before]


async def tell_changes(
    conn: Connection, assets: Iterable[Asset], *, source: str, correlation_id: str | None = None
) -> list[outbox.Pending]:
    """Put what changed into the outbox, in the transaction that stored it; nothing where nothing differs."""
    events = change_events(changes(assets), source=source, correlation_id=correlation_id)
    return await outbox.add_all(conn, events) if events else []


def change_events(
    some: Iterable[Change], *, source: str, correlation_id: str | None = None
) -> list[Event[AssetDatesChanged]]:
    """One event for each account, or more where they are more than MOST_CHANGES.

    What one edit did goes on with its story; of several, each change names its own, and the story is the caller's.
    """
    by_account: defaultdict[UUID, list[Change]] = defaultdict(list)
    for change in some:
        by_account[change.asset.account_id].append(change)
    return [
        _event(account_id, of_one[first : first + MOST_CHANGES], source, correlation_id)
        for account_id, of_one in by_account.items()
        for first in range(0, len(of_one), MOST_CHANGES)
    ]


def _event(
    account_id: UUID, some: Sequence[Change], source: str, correlation_id: str | None
) -> Event[AssetDatesChanged]:
    assets, causes = {change.asset.id for change in some}, {change.by.cause for change in some}
    cause = causes.pop() if len(causes) == 1 else None
    return new_event(
        AssetDatesChanged(account_id=account_id, rule=RULE, changes=list(map(_told, some))),
        source=source,
        account_id=account_id,
        subject=f"assets/{assets.pop()}" if len(assets) == 1 else None,
        correlation_id=cause.correlation_id if cause else correlation_id,
        causation_id=_causation_id(cause),
    )


def _causation_id(cause: Cause | None) -> str | None:
    # The edit that yields to an RMM is no event, and its id can be longer than an event's.
    return cause.event_id if cause and len(cause.event_id) <= MAX_ID_LENGTH else None


def _told(change: Change) -> DateChange:
    resolution, cause = change.by.resolved[change.field], change.by.cause
    return DateChange(
        asset_id=change.asset.id,
        field=change.field,
        value=resolution.value,
        before=change.before,
        origin=resolution.origin,
        reason=resolution.why,
        asset_version=change.by.version,
        edit_event_id=cause.event_id if cause else None,
        edit_source=cause.event_source if cause else None,
    )
