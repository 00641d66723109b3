"""The envelope of every event: CloudEvents 1.0, structured JSON, with our three extensions.

The envelope is the same for all types; `data` is the model of the type. Unknown members are ignored, so an
old consumer survives a new publisher; a type that we know in a version that we do not is refused, kept and shown.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar, cast
from uuid import UUID, uuid4

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from shared.errors import BadMessage, UnknownEventVersion

CONTENT_TYPE = "application/cloudevents+json"
MAX_ID_LENGTH: Final = 200
_ESCAPED_NUL: Final = b"\\u0000"
ACCEPTED_CONTENT_TYPES = frozenset({CONTENT_TYPE, "application/json", "", None})


class EventData(BaseModel):
    """The data of one event type. Frozen; ignores unknown members; never repeats its input in an error."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    event_type: ClassVar[str]
    version: ClassVar[int] = 1


D = TypeVar("D", bound=EventData)


class Event(BaseModel, Generic[D]):
    """One event. The id is the event's own; the AMQP message id is another one for each publish."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    specversion: Literal["1.0"] = Field(default="1.0", description="version of CloudEvents")
    id: str = Field(
        min_length=1, max_length=MAX_ID_LENGTH, description="unique with `source`; the same for every delivery"
    )
    source: str = Field(min_length=1, max_length=500, description="who published it, such as `/lifecycle/fetcher`")
    type: str = Field(description="event type, and routing key on the exchange")
    subject: str | None = Field(default=None, max_length=500, description="the thing that it is about")
    time: AwareDatetime = Field(description="when it happened, RFC 3339 with offset")
    datacontenttype: str | None = Field(default="application/json", description="always JSON")
    dataversion: int = Field(default=1, description="version of `data`; another one than ours is refused and kept")
    correlationid: str | None = Field(
        default=None, max_length=MAX_ID_LENGTH, description="from the first event to the last row"
    )
    causationid: str | None = Field(
        default=None, max_length=MAX_ID_LENGTH, description="id of the event that led to this one"
    )
    accountid: UUID | None = Field(default=None, description="account that the event belongs to")
    data: D = Field(description="what happened")

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # An attribute of CloudEvents is there or not; the SDKs refuse one that is null. Members of data may be null.
        return {name: value for name, value in handler(self).items() if value is not None}

    @property
    def correlation_id(self) -> str:
        """The correlation id; an event that began a story is its own."""
        return self.correlationid or self.id


def source_of(part: str) -> str:
    """The `source` of the events that a part of ours publishes."""
    return f"/lifecycle/{part}"


def new_event(
    data: D,
    *,
    source: str,
    account_id: UUID | None,
    subject: str | None = None,
    cause: Event[EventData] | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    event_id: UUID | None = None,
) -> Event[D]:
    """Wrap `data` in its envelope; `cause`, or the two ids of an event that is not at hand, carry the story on."""
    own_id = str(event_id or uuid4())
    return Event[D](
        id=own_id,
        source=source_of(source),
        type=data.event_type,
        subject=subject,
        time=datetime.now(UTC),
        dataversion=data.version,
        correlationid=correlation_id or (cause.correlation_id if cause else own_id),
        causationid=causation_id or (cause.id if cause else None),
        accountid=account_id,
        data=data,
    )


def parse_event(body: bytes, data_type: type[D]) -> Event[D]:
    """Read one event of `data_type` from a message body.

    Raises BadMessage for anything that is not such an event, and UnknownEventVersion for another version of it.
    """
    try:
        event = Event[data_type].model_validate_json(body)  # type: ignore[valid-type]
    except ValidationError as error:
        _raise_if_other_version(body, data_type, error)
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadMessage(f"not a {data_type.event_type} event: {where}: {first['msg'].lower()}") from None
    if event.type != data_type.event_type:
        raise BadMessage(f"expected a {data_type.event_type} event, the body says type {event.type[:80]!r}")
    if event.dataversion != data_type.version:
        raise UnknownEventVersion(data_type.event_type, event.dataversion, data_type.version)
    # Looked for in the bytes first: walking every event would cost more than reading it.
    if _ESCAPED_NUL in body and (found := _find_nul(event.model_dump(), ())) is not None:
        raise BadMessage(f"not a {data_type.event_type} event: {found}: has a NUL character, which can't be stored")
    return event


def _find_nul(value: object, where: tuple[str, ...]) -> str | None:
    """Where in an event a text has a NUL, which Postgres refuses in text; None where none has."""
    if isinstance(value, str):
        return ".".join(where) if "\0" in value else None
    if isinstance(value, dict):
        members = [(str(name), each) for name, each in cast("dict[object, object]", value).items()]
    elif isinstance(value, list | tuple):
        members = [(str(place), each) for place, each in enumerate(cast("list[object]", value))]
    else:
        return None
    return next((found for name, each in members if (found := _find_nul(each, (*where, name))) is not None), None)


class _VersionOnly(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    dataversion: int = 1


def _raise_if_other_version(body: bytes, data_type: type[EventData], error: ValidationError) -> None:
    """Another version may have another shape: say so instead of naming a member that is missing."""
    try:
        found = _VersionOnly.model_validate_json(body).dataversion
    except ValidationError:
        return
    if found != data_type.version:
        raise UnknownEventVersion(data_type.event_type, found, data_type.version) from error
