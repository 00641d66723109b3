"""The two dates in the RMM behind one port: as members of the device, or as two custom fields (API notes 3; 7, 12)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Final

from services.writeback.turns import DeviceWork, Look, ToWrite, Trouble, Way, trouble_of
from shared.dates.calendar import DateField
from shared.dates.pushing import Seen
from shared.errors import DeviceGone, PipelineError, RmmRefused
from shared.observability import metrics
from shared.rmm.client import RmmClient
from shared.rmm.quirks import Quirks
from shared.rmm.rates import Priority
from shared.rmm.refusals import PatchUnsupported
from shared.rmm_access.date_fields import FieldId, FieldIds, seen_of
from shared.rmm_access.opening import Line, RmmAccess

# What a tenant without these members, or without the method, answers to a PATCH of them.
_NO_SUCH_PATCH: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED, 415, 422}
)

_RAN_OUT: Final = Trouble("retry", "claim_ran_out", "the claim ran out before the write", "nothing; it is tried again")


@dataclass(frozen=True)
class Names:
    """How the tenants call the two dates, and how they are to be written."""

    members: Mapping[DateField, str]
    adapter: str = "auto"


class RmmDates:
    """The port that the handler uses. Every error of the RMM's becomes a Trouble; a bug stays a bug."""

    def __init__(self, access: RmmAccess, ids: FieldIds, names: Names) -> None:
        self._access = access
        self._ids = ids
        self._names = names

    async def look(self, work: DeviceWork, written: ToWrite | None = None) -> Look | Trouble:
        """Read what stands there of both dates, one request. After a write, remember the way by which it was kept."""
        try:
            async with self._access.line(work.integration_id) as line:
                way = work.way or self._way(line.client.quirks)
                look = await self._look(line, work, way)
                _learn(line.client.quirks, look, written)
                metrics.REQUESTS.labels(kind="date_read", outcome="done").inc()
                return look
        except PipelineError as error:
            metrics.REQUESTS.labels(kind="date_read", outcome=error.code).inc()
            return trouble_of(error)

    async def write(self, work: DeviceWork, values: ToWrite) -> Trouble | None:
        """Write all the values in one request. None: the RMM took it, which does not say that it kept it."""
        try:
            async with self._access.line(work.integration_id) as line:
                # After the sign-in, which may have taken its time: nothing but the request is left.
                if time.monotonic() > values.until:
                    return _RAN_OUT
                if work.way == "patch":
                    await self._patch(line.client, work, values)
                else:
                    await self._put(line, work, values)
                metrics.REQUESTS.labels(kind="date_write", outcome="done").inc()
                return None
        except _OtherWay as error:
            return Trouble("other_way", "patch_unsupported", str(error), "nothing; custom fields are used")
        except PipelineError as error:
            metrics.REQUESTS.labels(kind="date_write", outcome=error.code).inc()
            return trouble_of(error)

    def _way(self, quirks: Quirks) -> Way:
        known = self._names.adapter if self._names.adapter != "auto" else quirks.adapter
        return "custom_fields" if known == "custom_fields" else "patch"

    async def _look(self, line: Line, work: DeviceWork, way: Way) -> Look:
        if way == "patch":
            members = self._names.members
            detail = await line.client.device_detail(
                work.company_id or "",
                work.site_id if work.company_id else None,
                work.device_id,
                fields=tuple(members.values()),
                priority=Priority.WRITE,
            )
            trial = self._names.adapter == "auto" and line.client.quirks.adapter == "auto"
            seen: dict[DateField, Seen] = {}
            for field in members:
                # A tenant that was never seen to have the members, and does not show them, has said nothing.
                silent = trial and members[field] not in detail.members
                seen[field] = Seen(None, readable=False) if silent else seen_of(detail.members.get(members[field]))
            return Look(way, line.observed_seq, seen)
        wanted = await self._field_ids(line, work)
        # The other date costs nothing where its field is known, and may be wished by the time that this look is used.
        ids: dict[DateField, FieldId] = {**self._ids.known(work.integration_id), **wanted} if wanted else {}
        values = await self._values(line, work, tuple(each.attribute_id for each in ids.values()))
        # Read after the request: finding the ids may have taken one of its own.
        shown: dict[DateField, Seen] = {field: seen_of(values.get(each.attribute_id)) for field, each in ids.items()}
        missing: dict[DateField, Trouble] = {
            field: _missing(self._ids.name(field)) for field in work.leases if field not in wanted
        }
        return Look(way, line.observed_seq, shown, missing)

    async def _field_ids(self, line: Line, work: DeviceWork) -> dict[DateField, FieldId]:
        return await self._ids.of(line, work.device_id, work.leases, priority=Priority.WRITE)

    async def _values(self, line: Line, work: DeviceWork, ids: tuple[str, ...]) -> dict[str, str | None]:
        if not ids:
            return {}
        try:
            found = await line.client.custom_field_values(work.device_id, attribute_ids=ids, priority=Priority.WRITE)
        except RmmRefused as error:
            if error.code == "custom_field_unknown":
                # Somebody made the field anew: its id is another one from now on.
                await self._ids.forget(work.integration_id)
            raise
        return {each.attribute_id: each.value for each in found}

    async def _put(self, line: Line, work: DeviceWork, values: ToWrite) -> None:
        ids = await self._field_ids(line, work)
        await line.client.put_custom_fields(
            work.device_id,
            [(ids[field].attribute_id, _text(value, ids[field].kind)) for field, value in values.values.items()],
        )

    async def _patch(self, client: RmmClient, work: DeviceWork, values: ToWrite) -> None:
        members = {self._names.members[field]: _text(value, "date") for field, value in values.values.items()}
        may_fall_back = self._names.adapter == "auto" and client.quirks.adapter != "patch"
        if may_fall_back and client.quirks.adapter == "custom_fields":
            # Another device's write found it out since this one was looked at.
            raise _OtherWay("this tenant takes dates by custom fields")
        try:
            await client.patch_dates(
                work.company_id or "", work.site_id if work.company_id else None, work.device_id, members
            )
        except PatchUnsupported as error:
            if not may_fall_back:
                raise
            if error.definite:
                client.quirks.adapter = "custom_fields"
            raise _OtherWay(str(error)) from error
        except DeviceGone as error:
            # It was read a moment ago: this 404 is about the path.
            if not may_fall_back:
                raise
            raise _OtherWay(str(error)) from error
        except RmmRefused as error:
            if not (may_fall_back and error.status in _NO_SUCH_PATCH):
                raise
            raise _OtherWay(str(error)) from error


class _OtherWay(Exception):  # noqa: N818 - no error: this tenant takes dates another way
    """The tenant does not take a PATCH of the dates."""


def _learn(quirks: Quirks, look: Look, written: ToWrite | None) -> None:
    """Remember a way that was seen to keep a date; a write alone proves nothing."""
    if written is None or quirks.adapter != "auto":
        return
    if all(look.seen.get(field) == Seen(value) for field, value in written.values.items()):
        quirks.adapter = look.way


def _missing(name: str) -> Trouble:
    return Trouble(
        "failed",
        "custom_field_missing",
        f"the RMM has no custom field {name!r} for devices",
        f"create a device custom field named {name!r} in the RMM, or set the name that it has there",
    )


def _text(value: date | None, kind: str) -> str | None:
    """A datetime field takes a date-time, every other one the bare date (API notes 5)."""
    if value is None:
        return None
    return f"{value.isoformat()}T00:00:00Z" if kind == "datetime" else value.isoformat()
