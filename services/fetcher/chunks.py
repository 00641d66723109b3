"""A fetched page on its way to the normalizer: cut into messages, published together, all confirmed."""

import asyncio
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import stamina

from services.fetcher.bookkeeping import PageTask
from services.fetcher.rmm_devices import FetchedPage
from shared.bus import Bus
from shared.content_encoding import Encoding
from shared.errors import BrokerUnavailable
from shared.events.bulk import DeviceGroup, DevicePageFetched, encode_bulk, new_bulk, split_page
from shared.rmm.pages import DeviceGroup as RmmGroup

SOURCE: Final = "fetcher"
# Below the handler's deadline; then the page is fetched anew.
HOLD_SECONDS: Final = 60.0


class BusChunks:
    """The port that the handlers use."""

    def __init__(self, bus: Bus, encoding: Encoding) -> None:
        self._bus = bus
        self._encoding: Encoding = encoding

    async def publish(self, task: PageTask, fetch_id: UUID, page: FetchedPage, correlation_id: str) -> int:
        """Publish the page; returns the number of its chunks when the broker has them all."""
        chunks = split_page([_named(task, group) for group in page.groups])
        bodies = [
            encode_bulk(
                new_bulk(
                    _data(task, fetch_id, page.observed_seq, number, len(chunks), groups),
                    source=SOURCE,
                    account_id=task.account_id,
                    subject=f"runs/{task.run_id}",
                    correlation_id=correlation_id,
                )
            )
            for number, groups in enumerate(chunks)
        ]
        # Together: a confirm takes about a millisecond whether one or five messages wait for theirs.
        await asyncio.gather(*(self._publish(body, correlation_id) for body in bodies))
        return len(chunks)

    async def _publish(self, body: bytes, correlation_id: str) -> None:
        # Again and again while the broker is away or blocked: the page in hand has cost a request.
        async for attempt in stamina.retry_context(
            on=BrokerUnavailable, attempts=None, timeout=HOLD_SECONDS, wait_initial=0.2, wait_max=5.0
        ):
            with attempt:
                await self._bus.publish_body(DevicePageFetched.event_type, body, correlation_id, self._encoding)


def _named(task: PageTask, group: RmmGroup) -> DeviceGroup:
    return DeviceGroup(
        category=group.category,
        endpoints=group.endpoints,
        company_id=group.company_id,
        company_name=task.companies.get(group.company_id or ""),
        site_id=group.site_id,
    )


def _data(
    task: PageTask, fetch_id: UUID, observed_seq: int, number: int, count: int, groups: list[DeviceGroup]
) -> DevicePageFetched:
    used = {group.site_id for group in groups}
    # Sites of a group that names none may be named by its devices, so all of them travel then.
    sites = task.sites if None in used else {key: name for key, name in task.sites.items() if key in used}
    return DevicePageFetched(
        run_id=str(task.run_id),
        integration_id=str(task.integration_id),
        account_id=str(task.account_id),
        scope_id=str(task.scope_id),
        fetch_id=str(fetch_id),
        page_no=task.page_no,
        chunk_no=number,
        chunk_count=count,
        observed_seq=observed_seq,
        fetched_at=datetime.now(UTC).isoformat(),
        groups=groups,
        sites=sites,
    )
