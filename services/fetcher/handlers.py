"""The fetcher's handlers: begin a sync, fetch a page, read dates device by device, try credentials."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID, uuid4

from services.fetcher.backpressure import Waiting
from services.fetcher.bookkeeping import PageTask, RunStart, SyncOrder
from services.fetcher.detail_turns import TURN_SECONDS, DetailDevice, DetailTurn, Reading, Setback, halts
from services.fetcher.page_turns import PageTurn, TurnRules
from services.fetcher.planning import Scope, plan_scopes
from services.fetcher.probing import ProbeOrder
from services.fetcher.rmm_devices import FetchedPage, Listing
from shared.errors import RmmAnswerUnreadable
from shared.rmm.companies import Company, Site


class Runs(Protocol):
    """The bookkeeping of runs."""

    async def start_for(self, order: SyncOrder) -> RunStart | None:
        """The queued run of this order, or None when there is nothing to begin."""
        ...

    async def begin(
        self, start: RunStart, companies: Sequence[Company], sites: Sequence[Site], scopes: Sequence[Scope]
    ) -> None:
        """Store the scopes of a queued run and let the first of them list."""
        ...

    async def fail(self, run_id: UUID, *, reason_code: str, reason: str) -> None:
        """End a run that can't begin."""
        ...

    async def device_place(self, integration_id: UUID, device_id: str) -> tuple[str, str | None] | None:
        """Company and site of a device that we know."""
        ...

    async def page_task(self, scope_id: UUID, turn_page: int) -> PageTask | None:
        """What the page needs to which the turn has come, or None when there is none any more."""
        ...

    async def had_devices(self, task: PageTask) -> bool:
        """Whether the scope's companies had active devices before."""
        ...

    async def record_page(
        self, task: PageTask, fetch_id: UUID, *, devices: int, chunks: int, next_cursor: int | None, goes_on: bool
    ) -> bool:
        """Record a page whose chunks are published; tell whether the turn has another one."""
        ...

    async def split_scope(self, task: PageTask) -> None:
        """One scope for each company of this one."""
        ...


class Devices(Protocol):
    """The RMM."""

    async def listing(self, integration_id: UUID) -> Listing:
        """Companies and sites."""
        ...

    async def page(self, task: PageTask) -> FetchedPage:
        """One page of the task's scope."""
        ...


class Room(Protocol):
    """Whether the writer can take more."""

    def place(self, integration_id: UUID, waiting: Waiting) -> AbstractAsyncContextManager[None]:
        """Wait until it can, and hold the place of a page in the block."""
        ...


class Chunks(Protocol):
    """Where fetched pages go."""

    async def publish(self, task: PageTask, fetch_id: UUID, page: FetchedPage, correlation_id: str) -> int:
        """Publish the chunks of a page, confirmed, and tell their number."""
        ...


class Details(Protocol):
    """The line of devices whose dates are to be read. Whoever holds a claim may settle it, nobody else."""

    async def claim(self, turn: DetailTurn) -> Sequence[DetailDevice]:
        """Claim the next few devices; none where the turn is over."""
        ...

    async def keep(self, turn: DetailTurn, device: DetailDevice, reading: Reading) -> None:
        """Take in what was read."""

    async def set_back(self, turn: DetailTurn, device: DetailDevice, setback: Setback) -> None:
        """Settle a device that could not be read."""

    async def end(self, turn: DetailTurn, rest: Sequence[DetailDevice], halt: Setback | None) -> None:
        """Give back the rest and announce the next turn, unless the sweep has to stand still."""


class Dates(Protocol):
    """The dates of a device in the RMM."""

    async def read(self, integration_id: UUID, device: DetailDevice) -> Reading | Setback:
        """Read them, or tell what stands against it."""
        ...


class Clock(Protocol):
    """Seconds that only go forward."""

    def __call__(self) -> float:
        """Now."""
        ...


class Probes(Protocol):
    """Trying credentials."""

    async def run(self, order: ProbeOrder) -> None:
        """Try them, keep what was found, resume where they work."""
        ...


async def begin_sync(order: SyncOrder, runs: Runs, devices: Devices) -> None:
    """List companies and sites, and let the first scopes of the run list their devices.

    Twice is safe: only a queued run begins. A crash before the last await leaves the run queued, and the redelivery
    lists again, two requests.
    """
    start = await runs.start_for(order)
    if start is None:
        return
    listing = await devices.listing(start.integration_id)
    scopes = await _scopes(start, listing, runs)
    if scopes is None:
        await runs.fail(
            start.run_id, reason_code="no_such_target", reason=f"the RMM knows no {start.kind} {start.target}"
        )
        return
    await runs.begin(start, listing.companies, listing.sites, scopes)


async def _scopes(start: RunStart, listing: Listing, runs: Runs) -> list[Scope] | None:
    """The scopes of a run; None where its target is not known."""
    known = [company.company_id.lower() for company in listing.companies]
    target = (start.target or "").lower()
    if start.kind == "company":
        return [Scope((target,))] if target in known else None
    if start.kind == "device":
        place = await runs.device_place(start.integration_id, target)
        return [Scope((place[0],), device_id=target, site_id=place[1])] if place else None
    return plan_scopes(known, listing.companies_per_call)


async def fetch_pages(
    turn: PageTurn,
    runs: Runs,
    devices: Devices,
    room: Room,
    chunks: Chunks,
    rules: TurnRules,
    clock: Clock,
) -> None:
    """Fetch the pages of a turn: each is handed on in chunks and recorded, and the last announces the next turn.

    Twice is safe: a turn that is over is dropped at once, and of two fetches of the same page only one is recorded,
    whereupon the other ends its turn. A crash after the chunks were published leaves them written and uncounted: the
    redelivery goes on where the list stands and fetches that page again under a new fetch id, whose chunks count, and
    unchanged devices cost next to nothing.
    """
    begun = clock()
    going = True
    while going and (task := await runs.page_task(turn.scope_id, turn.first_page)):
        async with room.place(task.integration_id, task.waiting):
            page = await devices.page(task)
            if page.packing_refused:
                await runs.split_scope(task)
                return
            await _doubt(task, page, runs)
            fetch_id = uuid4()
            count = await chunks.publish(task, fetch_id, page, turn.correlation_id)
            going = await runs.record_page(
                task,
                fetch_id,
                devices=page.devices,
                chunks=count,
                next_cursor=page.next_cursor,
                goes_on=rules.goes_on(turn, seconds=clock() - begun, syncing=task.waiting.syncing),
            )


async def _doubt(task: PageTask, page: FetchedPage, runs: Runs) -> None:
    """Raise RmmAnswerUnreadable where the RMM does not know companies that had devices."""
    if page.not_found and task.page_no == 0 and task.device_id is None and await runs.had_devices(task):
        raise RmmAnswerUnreadable(
            f"the RMM says not found for companies {', '.join(task.company_ids)}, which had devices: doubted",
        )


async def read_details(turn: DetailTurn, details: Details, dates: Dates, clock: Clock) -> None:
    """Read the dates of a few devices, and leave what is left to the next turn, at the back of the line.

    Twice is safe: a turn that is over claims nothing; of two that run at once each has its own devices and only one
    announces the next. Any order is safe: the date rules go by the number of the request, not by when it comes in. A
    crash between any two steps leaves claims that run out, and a turn that the scheduler announces again; a device
    that was read and not kept is read again. Without a request left the turn ends at once, and the list never waits
    for it. A pause that a request meets is raised when the claims are given back.
    """
    begun = clock()
    devices = await details.claim(turn)
    outcomes: list[Reading | Setback] = []
    for device in devices:
        if halts(outcomes) or clock() - begun > TURN_SECONDS:
            break
        found = await dates.read(turn.integration_id, device)
        outcomes.append(found)
        if isinstance(found, Reading):
            await details.keep(turn, device, found)
        else:
            await details.set_back(turn, device, found)
    halt = halts(outcomes)
    await details.end(turn, devices[len(outcomes) :], halt)
    if halt and halt.kind == "paused" and halt.error:
        raise halt.error


async def probe_credentials(order: ProbeOrder, probes: Probes) -> None:
    """Try the stored credentials; where they work, a paused integration resumes with a catch-up sync.

    Twice is safe: only a paused integration resumes. A crash before the commit leaves it paused, and the scheduler
    announces the probe again.
    """
    await probes.run(order)
