"""Custom fields: the published way to read and write the two dates (API notes 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal

import msgspec

from shared.errors import DeviceGone, RmmRefused
from shared.rmm.connection import Answer, Call
from shared.rmm.rates import Priority
from shared.rmm.reading import decode, decode_list, path
from shared.rmm.refusals import Purpose
from shared.rmm.scopes import ScopeSet
from shared.rmm.session import Session, is_unknown_path

__all__ = ["FieldDefinition", "FieldValue", "create_definition", "definitions", "put_values", "values"]

Version = Literal["v2", "v1"]

_DEFINITIONS: Final = ("api", "platform", "v1", "custom-field", "definitions")
# The documents say device, clients send endpoint: both occur (API notes 3.1).
_OTHER_ENTITY: Final[dict[str, Literal["device", "endpoint"]]] = {"device": "endpoint", "endpoint": "device"}


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A custom field of devices. `kind` is its lower-case type, such as string or datetime; empty where unknown."""

    definition_id: str
    name: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A custom field's value on one device; None or empty where it is not set. `name` only where the vendor gave it."""

    attribute_id: str
    value: str | None
    name: str | None = None


class _Definition(msgspec.Struct, rename="camel"):
    id: str
    name: str = ""
    entity_type: str | None = None
    attribute_type: str | None = None
    type: str | None = None


class _Value(msgspec.Struct):
    upper: str | None = msgspec.field(default=None, name="attributeID")
    camel: str | None = msgspec.field(default=None, name="attributeId")
    name: str | None = None
    value: str | int | float | bool | None = None

    def read(self) -> FieldValue | None:
        attribute_id = self.camel or self.upper
        if not attribute_id:
            return None
        value = self.value if isinstance(self.value, str) or self.value is None else str(self.value)
        return FieldValue(attribute_id.lower(), value, self.name)


async def definitions(session: Session) -> list[FieldDefinition]:
    """List the custom fields of devices; the promise stands at RmmClient.custom_field_definitions."""
    purpose = Purpose("list_custom_fields", session.integration_id, pauses="dates")
    quirks = session.quirks
    for entity in (quirks.definition_entity, _OTHER_ENTITY[quirks.definition_entity]):
        call = Call(purpose, "GET", path(*_DEFINITIONS), (("entityType", entity),), priority=Priority.DETAIL)
        answer = await session.send(call, ScopeSet.DATES)
        if answer.status == HTTPStatus.BAD_REQUEST and entity == quirks.definition_entity:
            continue
        if not answer.ok:
            raise answer.error(purpose)
        rows = [row for row in decode_list(answer, list[_Definition], purpose) if _of_devices(row)]
        if rows:
            if entity != quirks.definition_entity:
                quirks.definition_entity = "endpoint" if entity == "endpoint" else "device"
            return [
                FieldDefinition(row.id.lower(), row.name, (row.attribute_type or row.type or "").lower())
                for row in rows
            ]
    return []


def _of_devices(row: _Definition) -> bool:
    return (row.entity_type or "device").lower() in _OTHER_ENTITY


async def create_definition(session: Session, name: str, *, kind: str, description: str) -> FieldDefinition:
    """Create a custom field of devices; the promise stands at RmmClient.create_definition."""
    purpose = Purpose("create_custom_field", session.integration_id, repr(name), writes=True)
    answer = None
    for entity in ("endpoint", "device"):
        body = {"entityType": entity, "name": name, "description": description, "attributeType": kind}
        call = Call(
            purpose,
            "POST",
            path(*_DEFINITIONS),
            body=msgspec.json.encode(body),
            priority=Priority.WRITE,
            repeatable=False,
        )
        answer = await session.send(call, ScopeSet.DEFINE)
        if answer.status != HTTPStatus.BAD_REQUEST:
            break
    assert answer is not None
    if not answer.ok:
        raise answer.error(purpose)
    row = decode(answer, _Definition, purpose)
    return FieldDefinition(row.id.lower(), row.name or name, (row.attribute_type or row.type or kind).lower())


async def values(
    session: Session, device_id: str, *, attribute_ids: Sequence[str], priority: Priority
) -> list[FieldValue]:
    """Read the custom fields of one device; the promise stands at RmmClient.custom_field_values."""
    purpose = Purpose(
        "read_custom_fields", session.integration_id, f"device {device_id}", device_id=device_id, pauses="dates"
    )
    query = (("attributeIDs", ",".join(attribute_ids)),) if attribute_ids else ()
    query = (*query, ("withDefaults", "true"))
    quirks = session.quirks
    versions = _versions(quirks.values_version, known=quirks.values_known)
    calls = tuple(
        Call(purpose, "GET", _values_path(version, device_id), query, priority=priority) for version in versions
    )
    place, answer = await session.first_that_exists(calls, ScopeSet.DATES)
    if not answer.ok:
        raise _values_error(answer, purpose)
    if versions[place] != quirks.values_version or not quirks.values_known:
        quirks.values_version, quirks.values_known = versions[place], True
    rows = decode_list(answer, list[_Value], purpose)
    return [value for row in rows if (value := row.read()) is not None]


async def put_values(session: Session, device_id: str, new: Sequence[tuple[str, str | None]]) -> None:
    """Write custom fields of one device; the promise stands at RmmClient.put_custom_fields."""
    purpose = Purpose(
        "write_custom_fields", session.integration_id, f"device {device_id}", device_id=device_id, writes=True
    )
    quirks = session.quirks
    first_refusal: Answer | None = None
    for version, clear_with in _writings(session, clears=any(value is None for _, value in new)):
        call = Call(
            purpose,
            "PUT",
            _values_path(version, device_id),
            body=_put_body(version, device_id, new, clear_with),
            priority=Priority.WRITE,
            repeatable=False,
        )
        answer = await session.send(call, ScopeSet.WRITE)
        if answer.ok:
            if quirks.write_version != version or not quirks.write_known:
                quirks.write_version, quirks.write_known = version, True
            if quirks.clear_with != clear_with:
                quirks.clear_with = clear_with
            return
        first_refusal = first_refusal or answer
        if answer.status != HTTPStatus.BAD_REQUEST and not is_unknown_path(answer):
            raise answer.error(purpose)
    assert first_refusal is not None
    raise _values_error(first_refusal, purpose)


def _writings(session: Session, *, clears: bool) -> list[tuple[Version, Literal["empty", "null"]]]:
    """Give the ways to write, likeliest first, three at most: a 400 may mean the shape, and must not loop (K8)."""
    quirks = session.quirks
    ways: list[tuple[Version, Literal["empty", "null"]]] = [
        (version, quirks.clear_with) for version in _versions(quirks.write_version, known=quirks.write_known)
    ]
    if clears:
        ways.append((ways[0][0], "null" if quirks.clear_with == "empty" else "empty"))
    return ways


def _put_body(
    version: Version, device_id: str, new: Sequence[tuple[str, str | None]], clear_with: Literal["empty", "null"]
) -> bytes:
    cleared = "" if clear_with == "empty" else None
    pairs = [(attribute_id, cleared if value is None else value) for attribute_id, value in new]
    if version == "v1":
        return msgspec.json.encode([{"attributeID": key, "value": value} for key, value in pairs])
    return msgspec.json.encode([{"entityId": device_id, "attributeId": key, "value": value} for key, value in pairs])


def _versions(likely: Version, *, known: bool) -> tuple[Version, ...]:
    if known:
        return (likely,)
    return ("v2", "v1") if likely == "v2" else ("v1", "v2")


def _values_path(version: Version, device_id: str) -> str:
    return path("api", "platform", version, "device", "endpoints", device_id, "custom-fields")


def _values_error(answer: Answer, purpose: Purpose) -> Exception:
    """Make the error; a 404 may also mean that the field is gone, and then the device is not (API notes 3.2)."""
    error = answer.error(purpose)
    wording = answer.wording()
    if isinstance(error, DeviceGone) and wording.names("attribute", "definition"):
        return RmmRefused(
            f"the rmm does not know a custom field: {purpose.said(answer.request_id)}: {wording}",
            status=answer.status,
            words=str(wording),
            reason_code="custom_field_unknown",
        )
    return error
