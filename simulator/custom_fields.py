"""Custom field definitions and values of devices, in the spellings of v1 and v2."""

from typing import Any

import msgspec

from simulator.details import device_index, record_write
from simulator.errors import Refused, bad_request
from simulator.records import Definition, calendar_date
from simulator.simulation import Simulation
from simulator.wire import Request, Response, as_json

_TYPES = ("string", "boolean", "integer", "datetime", "enum")
_MAX_FIELDS = 200
_SPELLINGS = ("attributeId", "attributeID")


def list_definitions(sim: Simulation, request: Request) -> Response:
    """Answer the definitions; both words for a device are taken."""
    entity, origin = request.query.get("entityType", "device"), request.query.get("originType", "partner")
    wanted = entity in ("device", "endpoint") and origin == "partner"
    return as_json([each.shown() for each in sim.records.definitions.values()] if wanted else [])


def create_definition(sim: Simulation, request: Request) -> Response:
    """Create a definition; 409 for a name that is taken."""
    if not sim.config.definitions_writable:
        raise Refused(403, "forbidden", "client has no access")
    body = request.object()
    name, kind = str(body.get("name") or ""), str(body.get("attributeType") or "").lower()
    if not name or kind not in _TYPES or body.get("entityType") not in ("device", "endpoint"):
        raise bad_request("name, attributeType and entityType are needed")
    if sim.records.named(name):
        raise Refused(409, "conflict", f"already exists: {name}")
    if len(sim.records.definitions) >= _MAX_FIELDS:
        raise bad_request("too many custom fields")
    return as_json(sim.records.define(name, kind).shown(), 201)


def read_v1(sim: Simulation, request: Request, device_id: str) -> Response:
    """Answer the values of a device in the v1 spelling."""
    return _read(sim, request, device_id, "attributeID")


def read_v2(sim: Simulation, request: Request, device_id: str) -> Response:
    """Answer the values of a device in the v2 spelling."""
    return _read(sim, request, device_id, "attributeId")


def write_v1(sim: Simulation, request: Request, device_id: str) -> Response:
    """Write values of a device, v1."""
    return _write(sim, request, device_id, "attributeID")


def write_v2(sim: Simulation, request: Request, device_id: str) -> Response:
    """Write values of a device, v2."""
    return _write(sim, request, device_id, "attributeId")


def _spelling(sim: Simulation, usual: str) -> str:
    return usual if sim.config.attribute_spelling == "auto" else sim.config.attribute_spelling


def _read(sim: Simulation, request: Request, device_id: str, usual: str) -> Response:
    index = device_index(sim, device_id)
    query = {name.lower(): value for name, value in request.query.items()}
    ids = [each for each in query.get("attributeids", "").split(",") if each]
    unknown = [each for each in ids if each not in sim.records.definitions]
    if unknown:
        raise Refused(404, "not found", "attribute definition not found")
    chosen = [sim.records.definitions[each] for each in ids] if ids else list(sim.records.definitions.values())
    with_unset = query.get("withdefaults", "").lower() == "true"
    now = sim.clock()
    values = [(each, sim.records.read(index, each.id, now)) for each in chosen]
    spelling = _spelling(sim, usual)
    return as_json([_shown(each, value, spelling) for each, value in values if value is not None or with_unset])


def _shown(definition: Definition, value: str | None, spelling: str) -> dict[str, object]:
    if spelling == "attributeID":
        return {"attributeID": definition.id, "value": value}
    return {"attributeId": definition.id, "name": definition.name, "value": value}


def _write(sim: Simulation, request: Request, device_id: str, usual: str) -> Response:
    index = device_index(sim, device_id)
    changes = _changes(sim, request, device_id)
    now = sim.clock()
    for definition, value in changes:
        before = sim.records.write_value(index, definition.id, value, now)
        change = (before, value)
        record_write(sim, index, field=definition.name, change=change, via="custom_fields", request=request)
    if sim.config.values_put_status == 204:  # noqa: PLR2004 - the switch's own value
        return Response(204)
    return as_json([_shown(definition, value, _spelling(sim, usual)) for definition, value in changes])


def _changes(sim: Simulation, request: Request, device_id: str) -> list[tuple[Definition, str | None]]:
    """Return the values of a write, all checked before any is saved."""
    try:
        body = msgspec.json.decode(request.body, type=list[dict[str, Any]])
    except (msgspec.DecodeError, msgspec.ValidationError):
        body = []
    if not body:
        raise bad_request("body must be an array of attribute values")
    found: list[tuple[Definition, str | None]] = []
    for item in body:
        spelled = next((item[name] for name in _SPELLINGS if name in item), None)
        definition = sim.records.definitions.get(str(spelled))
        if definition is None:
            raise bad_request("unknown attribute")
        if str(item.get("entityId") or device_id).lower() != device_id.lower():
            raise bad_request("entityId is not the endpoint of the path")
        found.append((definition, _checked(definition, item.get("value"))))
    return found


def _checked(definition: Definition, value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise bad_request(f"value must be a string: {definition.name}")
    try:
        if definition.type == "datetime":
            calendar_date(value)
        elif definition.type == "integer":
            int(value)
    except ValueError:
        raise bad_request(f"not a {definition.type}: {definition.name}") from None
    return value
