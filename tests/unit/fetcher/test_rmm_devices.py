"""The RMM as the fetcher's handlers see it: which requests it makes, and how they are counted."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.fetcher.bookkeeping import PageTask
from services.fetcher.rmm_devices import RmmDevices
from shared.errors import PipelineError
from shared.observability import metrics
from shared.rmm.client import RmmClient
from shared.rmm.rates import Priority
from tests.unit.rmm.world import COMPANY, DEVICE, INTEGRATION, SITE, World, ok, refused


class OpenLine:
    """An access whose line is open already."""

    def __init__(self, client: RmmClient) -> None:
        self.client = client
        self.observed_seq = 7

    @asynccontextmanager
    async def line(self, _: UUID, **__: Any) -> AsyncGenerator["OpenLine"]:
        yield self


def devices_of(world: World) -> RmmDevices:
    access: Any = OpenLine(world.client)
    return RmmDevices(access, page_size=500, category="platform", companies_per_call=4)


def task(device_id: str | None = None) -> PageTask:
    unread: Any = None  # of the integration and of what waits, nothing is read here
    return PageTask(
        run_id=uuid4(),
        scope_id=uuid4(),
        account_id=uuid4(),
        integration_id=INTEGRATION,
        company_ids=(COMPANY,),
        device_id=device_id,
        site_id=SITE,
        page_no=0,
        cursor=None,
        companies={},
        sites={},
        integration=unread,
        correlation_id=uuid4(),
        waiting=unread,
    )


def counted(kind: str, outcome: str) -> float:
    found: float = metrics.REQUESTS.labels(kind=kind, outcome=outcome)._value.get()
    return found


async def test_one_device_that_somebody_asked_for_goes_as_lists_do() -> None:
    world = World([ok({"friendlyName": "PC-1"})])
    page = await devices_of(world).page(task(DEVICE))
    assert page.devices == 1
    assert world.budget.taken == [Priority.LIST]


@pytest.mark.parametrize("kind", ["companies", "devices"])
async def test_a_request_that_failed_counts_by_the_code_of_its_error(kind: str) -> None:
    devices = devices_of(World(lambda _: refused(403)))
    done, failed = counted(kind, "done"), counted(kind, "scope_missing")
    with pytest.raises(PipelineError) as raised:
        await (devices.listing(INTEGRATION) if kind == "companies" else devices.page(task()))
    assert raised.value.code == "scope_missing"
    assert (counted(kind, "done"), counted(kind, "scope_missing")) == (done, failed + 1)


async def test_a_request_that_was_answered_counts_as_done() -> None:
    done = counted("devices", "done")
    await devices_of(World([ok({"platform": []})])).page(task())
    assert counted("devices", "done") == done + 1
