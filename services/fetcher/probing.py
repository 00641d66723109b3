"""Trying credentials: a preflight that tells what a key can do, and the way out of a pause."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared import outbox
from shared.dates.calendar import DateField
from shared.errors import Paused, PipelineError, RmmRefused, ScopeMissing, UnknownIntegration
from shared.integrations.status import resume
from shared.postgres import Connection, Pool, transaction
from shared.rmm.client import RmmClient
from shared.rmm.companies import Company
from shared.rmm.custom_fields import FieldDefinition
from shared.rmm_access.opening import RmmAccess

SOURCE: Final = "fetcher"

_FINISH: Final = "update probes set finished_at = now(), result = $2::text::jsonb where id = $1 and finished_at is null"
_STILL_PAUSED: Final = """
    update integrations set reason_code = $2, reason = $3, next_action = $4, probe_due_at = null, updated_at = now()
    where id = $1 and status = 'paused_credentials' and ($5::int is null or credentials_version = $5)
"""


@dataclass(frozen=True)
class ProbeOrder:
    """A wish to try the credentials of an integration; somebody may wait for the answer."""

    integration_id: UUID
    probe_id: UUID | None


@dataclass(frozen=True)
class Finding:
    """One thing that was tried."""

    check: str
    ok: bool
    detail: str
    next_action: str | None = None
    field: DateField | None = None
    """The date that it is about: a key without a right to dates still reads lists, so it fails no preflight."""


class RmmProbes:
    """The port that the handler uses."""

    def __init__(
        self, pool: Pool, events: outbox.Outbox, access: RmmAccess, field_names: Mapping[DateField, str]
    ) -> None:
        """`field_names` are the custom fields that hold the dates in the RMM."""
        self._pool = pool
        self._events = events
        self._access = access
        self._field_names = field_names

    async def run(self, order: ProbeOrder) -> None:
        """Try the key, store what was found, and resume where it works.

        What is the RMM's trouble and not the key's is raised, and tried again later, unless somebody waits for it.
        """
        findings, error = await self._try(order.integration_id, asked=order.probe_id is not None)
        if error and not isinstance(error, Paused) and order.probe_id is None:
            raise error
        async with transaction(self._pool) as conn:
            if order.probe_id:
                await conn.execute(_FINISH, order.probe_id, json.dumps(_result(findings)))
            pending = await self._settle(conn, order.integration_id, error)
        await self._events.publish(*pending)

    async def _settle(
        self, conn: Connection, integration_id: UUID, error: PipelineError | None
    ) -> list[outbox.Pending]:
        if error is None:
            return await resume(conn, integration_id, source=SOURCE)
        if isinstance(error, Paused):
            await conn.execute(
                _STILL_PAUSED, integration_id, error.code, str(error), error.next_action, error.credentials_version
            )
        return []

    async def _try(self, integration_id: UUID, *, asked: bool) -> tuple[list[Finding], PipelineError | None]:
        """The findings in order, up to the first that failed, with its error; of dates only where a person asked."""
        findings: list[Finding] = []
        try:
            async with self._access.line(integration_id, working=False) as line:
                companies = await line.client.companies()
                findings.append(Finding("sign_in", ok=True, detail="the key signs in for reading"))
                findings.append(Finding("companies", ok=True, detail=f"{len(companies)} companies"))
                sites = await line.client.sites([company.company_id for company in companies])
                findings.append(Finding("sites", ok=True, detail=f"{len(sites)} sites"))
                findings.append(await self._devices(line.client, companies))
                if asked:
                    findings += await self._dates(line.client)
        except UnknownIntegration:
            raise
        except PipelineError as error:
            findings.append(Finding(error.code, ok=False, detail=str(error), next_action=error.next_action))
            return findings, error
        return findings, None

    async def _devices(self, client: RmmClient, companies: list[Company]) -> Finding:
        if not companies:
            return Finding("devices", ok=True, detail="no company, so no device to try")
        page = await client.device_page([companies[0].company_id], limit=1)
        return Finding("devices", ok=True, detail=f"the first company lists {page.devices or 'no'} device")

    async def _dates(self, client: RmmClient) -> list[Finding]:
        try:
            found = await client.custom_field_definitions()
        except (ScopeMissing, RmmRefused) as error:
            return [
                Finding(field, ok=False, detail=str(error), next_action=error.next_action, field=field)
                for field in self._field_names
            ]
        return [date_finding(field, name, found) for field, name in self._field_names.items()]


def date_finding(field: DateField, name: str, definitions: Sequence[FieldDefinition]) -> Finding:
    """Say whether the custom field that holds a date exists. Whether the key may write it, only a write can tell."""
    wanted = name.strip().casefold()
    found = next((each for each in definitions if each.name.strip().casefold() == wanted), None)
    if found is None:
        return Finding(
            field,
            ok=False,
            detail=f"the RMM has no custom field {name!r} for devices",
            next_action="create it in the RMM as a device custom field, or set the name that it has there",
            field=field,
        )
    kind = found.kind or "unknown type"
    detail = f"custom field {found.name!r} ({kind}) is there; whether the key may write it is known at the first write"
    return Finding(field, ok=True, detail=detail, field=field)


def _result(findings: list[Finding]) -> dict[str, Any]:
    return {
        "ok": all(finding.ok for finding in findings if finding.field is None),
        "checks": [
            {
                "check": finding.check,
                "ok": finding.ok,
                "detail": finding.detail,
                "next_action": finding.next_action,
                "field": finding.field,
            }
            for finding in findings
        ],
    }
