"""Trying credentials: a preflight that tells what a key can do, and the way out of a pause."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.fetcher.findings import (
    Adapter,
    DatePlace,
    Finding,
    WriteRight,
    created,
    in_custom_field,
    not_created,
    patched,
    result_of,
    unreadable,
)
from shared import outbox
from shared.dates.calendar import FIELDS, DateField
from shared.errors import (
    CredentialsRejected,
    Paused,
    PipelineError,
    RmmRefused,
    ScopeMissing,
    UnknownIntegration,
    WriteForbidden,
)
from shared.integrations.status import resume
from shared.postgres import Connection, Pool, transaction
from shared.rmm.client import RmmClient
from shared.rmm.companies import Company
from shared.rmm.custom_fields import FieldDefinition
from shared.rmm.quirks import Quirks
from shared.rmm.scopes import ScopeSet
from shared.rmm_access.date_fields import FieldIds
from shared.rmm_access.opening import Line, RmmAccess

SOURCE: Final = "fetcher"

_FINISH: Final = "update probes set finished_at = now(), result = $2::text::jsonb where id = $1 and finished_at is null"
# What kept the sweep from reading dates is mended, as far as the key and the fields go. A turn that goes on meanwhile
# is over: what it met before this may not be remembered after it.
_READABLE: Final = """
    update detail_sweeps
    set turn_no = turn_no + 1, announced_at = null,
        not_before = case when unreadable_code is null then not_before else '-infinity' end,
        unreadable_for = null, unreadable_until = null, unreadable_code = null, unreadable_reason = null,
        unreadable_next_action = null
    where integration_id = $1
"""
_DESCRIPTION: Final = "year-month-day; kept in step by lifecycle-sync"
_STILL_PAUSED: Final = """
    update integrations set reason_code = $2, reason = $3, next_action = $4, probe_due_at = null, updated_at = now()
    where id = $1 and status = 'paused_credentials' and ($5::int is null or credentials_version = $5)
"""


@dataclass(frozen=True)
class ProbeOrder:
    """A wish to try the credentials of an integration; somebody may wait for the answer."""

    integration_id: UUID
    probe_id: UUID | None
    create_definitions: bool = False


@dataclass(frozen=True)
class DateWays:
    """How the tenants call the two dates, and how they are to be written."""

    ids: FieldIds
    members: Mapping[DateField, str]
    adapter: Adapter = "auto"

    def places(self, quirks: Quirks) -> list[DatePlace]:
        """Where each date stands in this tenant, as configured or else as learnt."""
        adapter = self.adapter if self.adapter != "auto" else quirks.adapter
        remembered = quirks.adapter != "auto" and quirks.adapter == adapter
        return [DatePlace(field, self.ids.name(field), self.members[field], adapter, remembered) for field in FIELDS]


class RmmProbes:
    """The port that the handler uses."""

    def __init__(self, pool: Pool, events: outbox.Outbox, access: RmmAccess, ways: DateWays) -> None:
        self._pool = pool
        self._events = events
        self._access = access
        self._ways = ways

    async def run(self, order: ProbeOrder) -> None:
        """Try the key, store what was found, and resume where it works.

        What is the RMM's trouble and not the key's is raised, and tried again later, unless somebody waits for it.
        """
        findings, error = await self._try(order)
        if error and not isinstance(error, Paused) and order.probe_id is None:
            raise error
        async with transaction(self._pool) as conn:
            if order.probe_id:
                await conn.execute(_FINISH, order.probe_id, json.dumps(result_of(findings)))
            if any(finding.may_read for finding in findings):
                await conn.execute(_READABLE, order.integration_id)
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

    async def _try(self, order: ProbeOrder) -> tuple[list[Finding], PipelineError | None]:
        """The findings in order, up to the first that failed, with its error; of dates only where a person asked."""
        findings: list[Finding] = []
        try:
            async with self._access.line(order.integration_id, working=False) as line:
                companies = await line.client.companies()
                findings.append(Finding("sign_in", ok=True, detail="the key signs in for reading"))
                findings.append(Finding("companies", ok=True, detail=f"{len(companies)} companies"))
                sites = await line.client.sites([company.company_id for company in companies])
                findings.append(Finding("sites", ok=True, detail=f"{len(sites)} sites"))
                findings.append(await self._devices(line.client, companies))
                if order.probe_id is not None:
                    findings += await self._dates(line, create=order.create_definitions)
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

    async def _dates(self, line: Line, *, create: bool) -> list[Finding]:
        """Of each date how it is read and written; creates what is missing where that is asked for."""
        places = self._ways.places(line.client.quirks)
        right = await _write_right(line.client)
        if all(place.adapter == "patch" for place in places):
            return [*([created([])] if create else []), *(patched(place, right) for place in places)]
        try:
            definitions = await line.client.custom_field_definitions()
        except (ScopeMissing, RmmRefused) as error:
            failed = [not_created(place.name, error) for place in places] if create else []
            return [*failed, *(unreadable(place, right, error) for place in places)]
        findings: list[Finding] = []
        if create:
            missing = [place.name for place in places if place.definition(definitions) is None]
            made, findings = await _create(line.client, missing)
            definitions = [*definitions, *made]
        await self._ways.ids.keep(line.integration.id, definitions)
        return [*findings, *(in_custom_field(place, right, definitions) for place in places)]


async def _write_right(client: RmmClient) -> WriteRight:
    """Sign in for writing as write-back does, with the token that all share; nothing is written."""
    try:
        await client.sign_in(ScopeSet.WRITE)
    except (ScopeMissing, CredentialsRejected) as error:
        # The key has just read, so what is rejected is the wish to write: no reason to pause the integration.
        return WriteRight(refused=error)
    except PipelineError as error:
        return WriteRight(unknown=error)
    return WriteRight()


async def _create(client: RmmClient, names: Sequence[str]) -> tuple[list[FieldDefinition], list[Finding]]:
    """Create custom fields of text: a calendar date has no time zone that a datetime could move it by."""
    made: list[FieldDefinition] = []
    troubles: list[Finding] = []
    for name in names:
        try:
            made.append(await client.create_definition(name, description=_DESCRIPTION))
        except (ScopeMissing, WriteForbidden) as error:
            # The next name would be refused as well, and every sign-in that is refused brings a lock nearer.
            troubles.append(not_created(name, error))
            break
        except RmmRefused as error:
            troubles.append(not_created(name, error))
    return made, [*troubles, *([created(made)] if made or not troubles else [])]
