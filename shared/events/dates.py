"""Events of the two dates. `DateEdited` is a public contract: any AMQP client may publish it (docs/events.md)."""

from datetime import date
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, WithJsonSchema

from shared.dates.calendar import DateField, read_date
from shared.events.envelope import EventData


def _text(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        # Else a number would be taken for seconds since 1970.
        raise ValueError("a date and a time are written as text")  # noqa: TRY004 - pydantic wants a ValueError
    return value


def _cut(value: Any) -> Any:
    return read_date(value) if isinstance(value, str) else _text(value)


CalendarDate = Annotated[
    date,
    BeforeValidator(_cut),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2027-03-01"]}),
]
"""A calendar date as `2027-03-01`. A date-time is cut after its day before any zone is looked at."""

Moment = Annotated[AwareDatetime, BeforeValidator(_text)]
"""RFC 3339 with offset."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class AssetById(_Part):
    """An asset by our id."""

    id: UUID = Field(description="id of the asset")


class AssetByDevice(_Part):
    """An asset by a device that is linked to it."""

    integration_id: UUID = Field(description="an integration of the account")
    device_id: str = Field(min_length=1, max_length=200, description="id of the device in that RMM, in any case")


class AssetBySerial(_Part):
    """An asset by its serial number, which one asset of the account must have."""

    serial_number: str = Field(min_length=1, max_length=512, description="in any case, with or without dashes")


class DateEdited(EventData):
    """A date was edited or looked up. It is recorded, counted by the rule, and written to the RMM where that is on."""

    event_type: ClassVar[str] = "date.edited"
    account_id: UUID = Field(description="the account that the asset belongs to")
    asset: AssetById | AssetByDevice | AssetBySerial = Field(description="the asset, named in one of three ways")
    field: DateField = Field(description="which of the two dates")
    value: CalendarDate | None = Field(description="the date; null takes back what this origin said before")
    origin: Literal["manual", "lookup"] = Field(description="`manual`: a person's; `lookup`: found in a catalogue")
    lookup: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="name of the lookup, such as `dell`; the actor where it is left out. Each has one say",
    )
    actor: str = Field(min_length=1, max_length=200, description="who or what made the edit")
    edited_at: Moment = Field(description="when it was made; of two edits the later made wins, not the later sent")
    if_version: Annotated[StrictInt, Field(ge=1)] | None = Field(
        default=None, description="the asset's version that the editor saw; where it is not current the edit is refused"
    )


class DateChange(_Part):
    """One date of one asset that is another one now."""

    asset_id: UUID
    field: DateField
    value: date | None = Field(description="the date that counts now; null where none does")
    before: date | None = Field(description="the date that counted before")
    origin: str | None = Field(
        description="who says the date that counts: `manual`, `lookup:<name>` or `integration:<id>`; null for none"
    )
    reason: str = Field(description="why it counts, in words")
    asset_version: int = Field(description="version of the asset with it; of two changes the one with the higher wins")
    edit_event_id: str | None = Field(default=None, description="id of the edit that did it, where it was an edit")
    edit_source: str | None = Field(default=None, description="source of that edit")


class AssetDatesChanged(EventData):
    """Other dates of assets count now, by an edit, a reading, a person's decision, or an integration's removal."""

    event_type: ClassVar[str] = "asset.dates_changed"
    account_id: UUID = Field(description="the account that the assets belong to")
    rule: str = Field(description="name and version of the rule that says which date counts")
    changes: list[DateChange] = Field(description="at most 250; what counts as before is not among them")


class PushDue(EventData):
    """Dates of an integration are to be written to its RMM. Which ones, the store knows; none left is nothing."""

    event_type: ClassVar[str] = "date.push_due"
    integration_id: UUID


class DateWrittenBack(EventData):
    """A date stands in the RMM as we want it, and was read there."""

    event_type: ClassVar[str] = "date.written_back"
    account_id: UUID
    integration_id: UUID
    device_id: str = Field(description="id of the device in the RMM")
    asset_id: UUID
    field: DateField
    value: date | None = Field(description="what stands there now; null for empty")
    before: date | None = Field(description="what stood there before")
    written: bool = Field(description="false where it stood there already, and nothing was written")
    edit_id: UUID | None = Field(default=None, description="the ledger's id of the edit")
    edit_event_id: str | None = Field(default=None, description="id of the DateEdited event")
    edit_source: str | None = Field(default=None, description="source of the DateEdited event")


class DateWriteBackFailed(EventData):
    """An edit was refused, or its date could not be written to an RMM; with the reason and what to do."""

    event_type: ClassVar[str] = "date.write_back_failed"
    account_id: UUID
    status: Literal["refused", "failed"] = Field(description="`refused`: not taken at all; `failed`: not in the RMM")
    reason_code: str
    reason: str
    next_action: str
    asset_id: UUID | None = Field(default=None, description="null where the asset was not found")
    integration_id: UUID | None = Field(default=None, description="null where the edit was refused before any RMM")
    device_id: str | None = None
    field: str | None = Field(default=None, description="as sent, where it is none of the two")
    value: date | None = None
    edit_id: UUID | None = None
    edit_event_id: str | None = None
    edit_source: str | None = None
