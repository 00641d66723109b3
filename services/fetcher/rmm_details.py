"""The dates of one device in the RMM: members of the device where the tenant has them, else two custom fields."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from services.fetcher.detail_turns import DetailDevice, Reading, Setback, no_such_fields, setback_of
from shared.dates.calendar import FIELDS, DateField
from shared.dates.pushing import Seen
from shared.errors import PipelineError, RmmRefused
from shared.observability import metrics
from shared.rmm.rates import Priority
from shared.rmm_access.date_fields import FieldId, FieldIds, seen_of
from shared.rmm_access.opening import Line, RmmAccess

Adapter = Literal["auto", "patch", "custom_fields"]

# A device without dates may leave the members out, so one that is silent proves nothing of its tenant.
SILENT_DEVICES: Final = 3
# Somebody may create the fields any time; a request for each device would be too many to hear of it at once.
_LOOK_AGAIN: Final = timedelta(minutes=10)


class RmmDetails:
    """The port that the handler uses. Every error of the RMM's becomes a Setback; our own stay errors."""

    def __init__(
        self, access: RmmAccess, ids: FieldIds, members: Mapping[DateField, str], adapter: Adapter = "auto"
    ) -> None:
        self._access = access
        self._ids = ids
        self._members = members
        self._adapter = adapter
        self._silent: dict[UUID, int] = {}

    async def read(self, integration_id: UUID, device: DetailDevice) -> Reading | Setback:
        """Read both dates of a device, one request as a rule, with what the budget has left."""
        try:
            async with self._access.line(integration_id) as line:
                found = await self._read(line, device)
        except PipelineError as error:
            metrics.REQUESTS.labels(kind="detail", outcome=error.code).inc()
            return setback_of(error)
        metrics.REQUESTS.labels(kind="detail", outcome="done" if isinstance(found, Reading) else found.code).inc()
        return found

    async def _read(self, line: Line, device: DetailDevice) -> Reading | Setback:
        adapter = self._adapter if self._adapter != "auto" else line.client.quirks.adapter
        if adapter == "patch":
            return await self._native(line, device)
        if adapter == "custom_fields":
            ids = await self._field_ids(line, device)
            if not ids:
                return no_such_fields([*map(self._ids.name, FIELDS)], line.integration.credentials_version)
            return await self._custom(line, device, ids)
        return await self._either(line, device)

    async def _either(self, line: Line, device: DetailDevice) -> Reading:
        """Nobody has written a date yet, so it is not known where this tenant keeps them."""
        tenant = line.integration.id
        ids = await self._field_ids(line, device)
        if ids and self._silent.get(tenant, 0) >= SILENT_DEVICES:
            return await self._custom(line, device, ids)
        native = await self._native(line, device)
        if native.dates:
            self._silent[tenant] = 0
            return native
        self._silent[tenant] = self._silent.get(tenant, 0) + 1
        return await self._custom(line, device, ids) if ids else native

    async def _field_ids(self, line: Line, device: DetailDevice) -> dict[DateField, FieldId]:
        return await self._ids.of(line, device.device_id, FIELDS, priority=_priority(device), patience=_LOOK_AGAIN)

    async def _native(self, line: Line, device: DetailDevice) -> Reading:
        detail = await line.client.device_detail(
            device.company_id or "",
            device.site_id if device.company_id else None,
            device.device_id,
            fields=tuple(self._members.values()),
            priority=_priority(device),
        )
        sent: dict[DateField, Seen] = {
            field: seen_of(detail.members[name]) for field, name in self._members.items() if name in detail.members
        }
        return _reading(line, sent)

    async def _custom(self, line: Line, device: DetailDevice, ids: Mapping[DateField, FieldId]) -> Reading:
        wanted = [each.attribute_id for each in ids.values()]
        try:
            found = await line.client.custom_field_values(
                device.device_id, attribute_ids=wanted, priority=_priority(device)
            )
        except RmmRefused as error:
            if error.code == "custom_field_unknown":
                # Somebody made the field anew: its id is another one from now on.
                await self._ids.forget(line.integration.id)
            raise
        values = {each.attribute_id: each.value for each in found}
        seen: dict[DateField, Seen] = {field: seen_of(values.get(each.attribute_id)) for field, each in ids.items()}
        return _reading(line, seen)


def _priority(device: DetailDevice) -> Priority:
    """What a person asked for goes as lists do: what the sweep may use can be used up for minutes."""
    return Priority.LIST if device.asked else Priority.DETAIL


def _reading(line: Line, seen: Mapping[DateField, Seen]) -> Reading:
    # Read after the request: finding the ids may have taken one of its own.
    return Reading(line.observed_seq, {field: each.value for field, each in seen.items() if each.readable})
