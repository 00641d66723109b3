"""The RMM as the fetcher's handlers see it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

import msgspec

from services.fetcher.bookkeeping import PageTask
from shared.errors import CursorLoop, DeviceGone, PipelineError
from shared.observability import metrics
from shared.rmm.client import RmmClient
from shared.rmm.companies import Company, Site
from shared.rmm.pages import DeviceGroup, DevicePage
from shared.rmm.rates import Priority
from shared.rmm.refusals import TooManyCompanies
from shared.rmm_access.opening import RmmAccess

# 500 devices a page: more than any tenant has, and an end to a cursor that grows for ever (API notes 7).
MOST_PAGES: Final = 5000


@dataclass(frozen=True)
class Listing:
    """The companies and sites of a tenant, and how many companies one list call takes."""

    companies: list[Company]
    sites: list[Site]
    companies_per_call: int


@dataclass(frozen=True)
class FetchedPage:
    """One page of devices, each still the vendor's bytes, and the observation number of its request."""

    observed_seq: int
    groups: list[DeviceGroup] = field(default_factory=list[DeviceGroup])
    devices: int = 0
    next_cursor: int | None = None
    not_found: bool = False
    packing_refused: bool = False


class RmmDevices:
    """The port that the handlers use."""

    def __init__(
        self,
        access: RmmAccess,
        *,
        page_size: int,
        category: Literal["platform", "all"],
        companies_per_call: int,
    ) -> None:
        self._access = access
        self._page_size = page_size
        self._category: Literal["platform", "all"] = category
        self._companies_per_call = companies_per_call

    async def listing(self, integration_id: UUID) -> Listing:
        """All companies and all sites: two requests as a rule."""
        async with self._access.line(integration_id) as line:
            with _counted("companies"):
                companies = await line.client.companies()
            with _counted("sites"):
                sites = await line.client.sites([company.company_id for company in companies])
            per_call = min(line.client.quirks.companies_per_call, self._companies_per_call)
        return Listing(companies, sites, per_call)

    async def page(self, task: PageTask) -> FetchedPage:
        """One page of the task's scope. A refused packing is told, not raised: the scope is split."""
        if task.page_no >= MOST_PAGES:
            raise CursorLoop(f"more than {MOST_PAGES} pages in one list of integration {task.integration_id}")
        async with self._access.line(task.integration_id, known=task.integration) as line:
            try:
                with _counted("devices"):
                    page = await self._read(line.client, task)
            except TooManyCompanies:
                return FetchedPage(line.observed_seq, packing_refused=True)
            return FetchedPage(line.observed_seq, page.groups, page.devices, page.next_cursor, page.not_found)

    async def _read(self, client: RmmClient, task: PageTask) -> DevicePage:
        if task.device_id is None:
            return await client.device_page(
                task.company_ids, task.cursor or 0, limit=self._page_size, category=self._category
            )
        try:
            # Somebody waits for it: what the sweep may use can be used up for minutes.
            detail = await client.device_detail(
                task.company_ids[0], task.site_id, task.device_id, priority=Priority.LIST
            )
        except DeviceGone:
            return DevicePage([], None, 0, not_found=True)
        members = {"endpointID": task.device_id} | detail.members
        raw = msgspec.Raw(msgspec.json.encode(members))
        group = DeviceGroup("platform", task.company_ids[0], task.site_id, [raw])
        return DevicePage([group], None, 1)


@contextmanager
def _counted(kind: str) -> Generator[None]:
    """Count what is asked of the RMM within, as done or by the code of its error."""
    try:
        yield
    except PipelineError as error:
        metrics.REQUESTS.labels(kind=kind, outcome=error.code).inc()
        raise
    metrics.REQUESTS.labels(kind=kind, outcome="done").inc()
