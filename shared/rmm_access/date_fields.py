"""Where a tenant keeps the two dates: members of the device, or custom fields found by name once and remembered."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from shared.dates.calendar import FIELDS, PURCHASE, DateField
from shared.dates.pushing import Seen
from shared.errors import RmmRefused, ScopeMissing
from shared.postgres import Pool, connection
from shared.rmm.custom_fields import FieldDefinition
from shared.rmm.dates import parse_remote_date
from shared.rmm.rates import Priority
from shared.rmm_access.opening import Line

_READ: Final = "select field, attribute_id, kind from date_targets where integration_id = $1"
_KEEP: Final = """
    insert into date_targets (integration_id, field, attribute_id, kind) values ($1, $2, $3, $4)
    on conflict (integration_id, field) do update
    set attribute_id = excluded.attribute_id, kind = excluded.kind, found_at = now()
"""
AT_ONCE: Final = timedelta(0)


@dataclass(frozen=True)
class FieldId:
    """A custom field, and the kind of value that it takes."""

    attribute_id: str
    kind: str


class FieldIds:
    """Ids of the two custom fields by integration and field, in Postgres and in this process."""

    def __init__(self, pool: Pool, names: Mapping[DateField, str]) -> None:
        self._pool = pool
        self._names = names
        self._known: dict[UUID, dict[DateField, FieldId]] = {}
        self._looked: dict[UUID, float] = {}

    def name(self, field: DateField) -> str:
        """How the custom field of a date is called."""
        return self._names[field]

    async def of(
        self,
        line: Line,
        device_id: str,
        wanted: Collection[DateField],
        *,
        priority: Priority,
        patience: timedelta = AT_ONCE,
    ) -> dict[DateField, FieldId]:
        """The ids of the wanted fields that the tenant has; one request where they are not known.

        A field that was not there is looked for again once `patience` is over; the caller that only reads can wait.
        """
        integration_id = line.integration.id
        known = self._known.get(integration_id) or await self._stored(integration_id)
        if not set(wanted) <= known.keys() and self._is_time(integration_id, patience):
            known = await self._find(line, device_id, priority)
        self._known[integration_id] = known
        return {field: known[field] for field in wanted if field in known}

    def known(self, integration_id: UUID) -> Mapping[DateField, FieldId]:
        """The ids that are known here already, without a request."""
        return self._known.get(integration_id, {})

    async def forget(self, integration_id: UUID) -> None:
        """Look for them anew next time."""
        self._known.pop(integration_id, None)
        self._looked.pop(integration_id, None)
        async with connection(self._pool) as conn:
            await conn.execute("delete from date_targets where integration_id = $1", integration_id)

    def _is_time(self, integration_id: UUID, patience: timedelta) -> bool:
        looked = self._looked.get(integration_id)
        return looked is None or time.monotonic() - looked >= patience.total_seconds()

    async def _stored(self, integration_id: UUID) -> dict[DateField, FieldId]:
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_READ, integration_id)
        return {row["field"]: FieldId(row["attribute_id"], row["kind"]) for row in rows}

    async def _find(self, line: Line, device_id: str, priority: Priority) -> dict[DateField, FieldId]:
        return await self.keep(line.integration.id, await _definitions(line, device_id, priority))

    async def keep(self, integration_id: UUID, definitions: Sequence[FieldDefinition]) -> dict[DateField, FieldId]:
        """Remember the two fields among all that the tenant has, and give them."""
        by_name = {each.name.strip().casefold(): each for each in definitions}
        found: dict[DateField, FieldId] = {}
        for field, name in self._names.items():
            definition = by_name.get(name.strip().casefold())
            if definition is not None:
                found[field] = FieldId(definition.definition_id, definition.kind)
        async with connection(self._pool) as conn:
            await conn.executemany(
                _KEEP, [(integration_id, field, each.attribute_id, each.kind) for field, each in found.items()]
            )
        self._looked[integration_id] = time.monotonic()
        self._known[integration_id] = found
        return found


async def _definitions(line: Line, device_id: str, priority: Priority) -> list[FieldDefinition]:
    """The custom fields of devices; from a device's own values where the key may not list them (API notes 3.2)."""
    try:
        return await line.client.custom_field_definitions()
    except (ScopeMissing, RmmRefused):
        values = await line.client.custom_field_values(device_id, priority=priority)
        return [FieldDefinition(each.attribute_id, each.name) for each in values if each.name]


def seen_of(sent: Any) -> Seen:
    """What a date that was sent says: empty, a day, or something that is no date."""
    if sent is None or sent == "":
        return Seen(None)
    value = parse_remote_date(sent) if isinstance(sent, str) else None
    return Seen(value, readable=value is not None)


def by_field(purchase: str, warranty: str) -> dict[DateField, str]:
    """The names of the two, by field."""
    return {field: purchase if field == PURCHASE else warranty for field in FIELDS}
