"""Which custom fields of a tenant hold the dates: found by name once, then remembered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.writeback.turns import DeviceWork, Trouble
from shared.dates.calendar import DateField
from shared.errors import RmmRefused, ScopeMissing
from shared.postgres import Pool, connection
from shared.rmm.custom_fields import FieldDefinition
from shared.rmm.rates import Priority
from shared.rmm_access.opening import Line

_READ: Final = "select field, attribute_id, kind from date_targets where integration_id = $1"
_KEEP: Final = """
    insert into date_targets (integration_id, field, attribute_id, kind) values ($1, $2, $3, $4)
    on conflict (integration_id, field) do update
    set attribute_id = excluded.attribute_id, kind = excluded.kind, found_at = now()
"""


@dataclass(frozen=True)
class FieldId:
    """A custom field, and the kind of value that it takes."""

    attribute_id: str
    kind: str


class FieldIds:
    """Ids by integration and field, in Postgres and in this process."""

    def __init__(self, pool: Pool, names: Mapping[DateField, str]) -> None:
        self._pool = pool
        self._names = names
        self._known: dict[UUID, dict[DateField, FieldId]] = {}

    async def of(self, line: Line, work: DeviceWork) -> tuple[dict[DateField, FieldId], dict[DateField, Trouble]]:
        """The ids of the fields that are to be looked at, and why there is none for the others."""
        known = self._known.get(work.integration_id) or await self._stored(work.integration_id)
        if not work.leases.keys() <= known.keys():
            known = await self._find(line, work)
        self._known[work.integration_id] = known
        missing: dict[DateField, Trouble] = {field: self._missing(field) for field in work.leases if field not in known}
        return {field: known[field] for field in work.leases if field in known}, missing

    async def forget(self, integration_id: UUID) -> None:
        """Look for them anew next time."""
        self._known.pop(integration_id, None)
        async with connection(self._pool) as conn:
            await conn.execute("delete from date_targets where integration_id = $1", integration_id)

    async def _stored(self, integration_id: UUID) -> dict[DateField, FieldId]:
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_READ, integration_id)
        return {row["field"]: FieldId(row["attribute_id"], row["kind"]) for row in rows}

    async def _find(self, line: Line, work: DeviceWork) -> dict[DateField, FieldId]:
        by_name = {each.name.strip().casefold(): each for each in await _definitions(line, work.device_id)}
        found: dict[DateField, FieldId] = {}
        for field, name in self._names.items():
            definition = by_name.get(name.strip().casefold())
            if definition is not None:
                found[field] = FieldId(definition.definition_id, definition.kind)
        async with connection(self._pool) as conn:
            await conn.executemany(
                _KEEP, [(work.integration_id, field, each.attribute_id, each.kind) for field, each in found.items()]
            )
        return found

    def _missing(self, field: DateField) -> Trouble:
        name = self._names[field]
        return Trouble(
            "failed",
            "custom_field_missing",
            f"the RMM has no custom field {name!r} for devices",
            f"create a device custom field named {name!r} in the RMM, or set the name that it has there",
        )


async def _definitions(line: Line, device_id: str) -> list[FieldDefinition]:
    """The custom fields of devices; from a device's own values where the key may not list them (API notes 3.2)."""
    try:
        return await line.client.custom_field_definitions()
    except (ScopeMissing, RmmRefused):
        values = await line.client.custom_field_values(device_id, priority=Priority.WRITE)
        return [FieldDefinition(each.attribute_id, each.name) for each in values if each.name]
