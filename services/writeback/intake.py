"""From a message body to an edit, or to the reason why it is none. Pure.

A publisher that we did not write must be able to look up what became of each of its edits, so a wrong one is recorded
as refused wherever it tells whose it is; only what tells nothing at all is a bad message, and parked.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import from_json

from shared.assets.device_ids import normalise_id
from shared.date_ledger.edits import NewEdit, edit_id
from shared.dates.sanity import Refusal
from shared.dates.sources import edit_source
from shared.errors import BadMessage
from shared.events.dates import AssetByDevice, AssetById, DateEdited
from shared.events.envelope import Event, parse_event

_LONGEST: Final = 200
_CODES: Final[Mapping[str, tuple[str, str]]] = {
    "field": ("unknown_field", "name purchase_date or warranty_expiration_date"),
    "value": ("not_a_date", "send YYYY-MM-DD, or null to clear"),
    "edited_at": ("bad_edited_at", "send RFC 3339 with an offset, such as 2026-11-24T13:39:32Z"),
    "asset": ("bad_asset", "name the asset by id, by integration_id and device_id, or by serial_number"),
}


@dataclass(frozen=True)
class ByDevice:
    """An asset named by a device that is linked to it."""

    integration_id: UUID
    device_id: str


@dataclass(frozen=True)
class BySerial:
    """An asset named by its serial number."""

    serial_number: str


AssetName = UUID | ByDevice | BySerial


@dataclass(frozen=True)
class EditOrder:
    """An edit, and the asset that it names; or the reason why it cannot be one, and then `asset` is None."""

    edit: NewEdit
    asset: AssetName | None
    refusal: Refusal | None = None


class EditOfAnotherAccount(NewEdit):
    """An edit whose source and id an edit of another account had first: its ledger id is made with its account.

    Senders choose both, so one account must not be able to take an edit away from another by using its id.
    """

    @classmethod
    def of(cls, edit: NewEdit) -> "EditOfAnotherAccount":
        """The same edit, by its own id."""
        return cls(**{field.name: getattr(edit, field.name) for field in dataclasses.fields(edit)})

    @cached_property
    def id(self) -> UUID:
        """The ledger's id: the same for every delivery of it."""
        return edit_id(f"{self.account_id}\n{self.event_source}", self.event_id)


def read_edit(body: bytes) -> EditOrder:
    """Read a DateEdited event. Raises BadMessage where it does not even tell whose edit it is, UnknownEventVersion."""
    try:
        return _order(parse_event(body, DateEdited))
    except BadMessage as error:
        refused = _refused(body, str(error))
        if refused is None:
            raise
        return refused


def _order(event: Event[DateEdited]) -> EditOrder:
    data = event.data
    edit = NewEdit(
        event_source=_plain(event.source),
        event_id=_plain(event.id),
        correlation_id=_plain(event.correlation_id),
        account_id=data.account_id,
        field=data.field,
        value=data.value,
        source=edit_source(data.origin, _plain(data.lookup or data.actor)),
        actor=_plain(data.actor),
        edited_at=data.edited_at,
        if_version=data.if_version,
        asked={name: _plain(str(value)) for name, value in data.asset.model_dump(mode="json").items()},
    )
    return EditOrder(edit, _asset(data))


def _asset(data: DateEdited) -> AssetName:
    if isinstance(data.asset, AssetById):
        return data.asset.id
    if isinstance(data.asset, AssetByDevice):
        return ByDevice(data.asset.integration_id, normalise_id(data.asset.device_id) or "")
    return BySerial(_plain(data.asset.serial_number))


def _refused(body: bytes, reason: str) -> EditOrder | None:
    """The ledger's row of a body that is no edit; None where it does not tell its id, its source and its account."""
    try:
        sent: Any = from_json(body)
        data: Any = sent["data"]
        account_id = UUID(data["account_id"])
        event_id, event_source = sent["id"], sent["source"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if sent.get("type") != DateEdited.event_type or not (_is_text(event_id) and _is_text(event_source)):
        return None
    code, next_action = _CODES.get(_wrong_member(body), ("bad_edit", "see the contract of date.edited"))
    edit = NewEdit(
        event_source=_plain(event_source),
        event_id=_plain(event_id),
        correlation_id=_plain(str(sent.get("correlationid") or event_id)),
        account_id=account_id,
        field=_plain(str(data.get("field"))),
        value=None,
        source="lookup:unnamed" if data.get("origin") == "lookup" else "manual",
        actor=_plain(str(data.get("actor") or "unknown")),
        edited_at=datetime.now(UTC),
        asked={"sent_value": _plain(str(data.get("value"))), "sent_asset": _plain(str(data.get("asset")))},
    )
    return EditOrder(edit, None, Refusal(code, reason, next_action))


def _wrong_member(body: bytes) -> str:
    """The member of data that is wrong first."""
    try:
        Event[DateEdited].model_validate_json(body)
    except ValidationError as error:
        places = [problem["loc"] for problem in error.errors(include_url=False, include_input=False)]
        return next((str(place[1]) for place in places if len(place) > 1 and place[0] == "data"), "")
    return ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 500  # noqa: PLR2004 - the envelope's own limit


def _plain(text: str) -> str:
    """Text that Postgres takes, clipped."""
    return text.replace("\0", "")[: _LONGEST + 300]
