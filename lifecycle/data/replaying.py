"""A replay: events out of a journal into one queue, by a preview first.

Everything in a journal was published once, and every handler takes it twice without harm; so a replay that breaks off
goes on a little before the place where it was. It never outruns its consumer, for others wait in that queue too.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import asyncpg

from lifecycle.data import replays
from lifecycle.data.journal import Journal, Recorded, open_journal
from lifecycle.data.publishing import SOURCE, author, connected
from lifecycle.data.replay_choosing import UNREADABLE, Facts, Unreadable, Wanted, facts_of, is_wanted
from lifecycle.data.replays import Replay
from lifecycle.exits import Unreachable
from lifecycle.output import Output
from lifecycle.session import Session
from shared import topology
from shared.bus import Bus
from shared.declaration import check_queues
from shared.errors import BrokerUnavailable
from shared.events.envelope import Event, new_event
from shared.events.replays import ReplayStarted
from shared.headers import REPLAY

FULL: Final = 200
"""Messages in the queue above which a replay waits: its consumer has enough to do."""

_BATCH: Final = 50
_PLACE_SECONDS: Final = 1.0
_SHOW_SECONDS: Final = 0.5
_SAY_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.5
# In a database that was restored from before these pages, what is read from now on would count as older than they.
_NUMBER_ON: Final = "select setval('observation_seq', $1) from observation_seq where last_value < $1"
_LINKED: Final = """
    select exists (
        select from devices where asset_id = $1
            and ($2::uuid is null or integration_id = $2) and ($3::text is null or device_id = $3)
    )
"""


@dataclass
class Preview:
    """What a replay would send. `oldest_kept` is when the first event was made that the journal still has."""

    oldest_kept: datetime | None
    matching: int = 0
    read: int = 0
    unreadable: int = 0
    first: datetime | None = None
    last: datetime | None = None
    by_type: dict[str, int] = field(default_factory=dict[str, int])

    def take(self, message: Recorded, meant: Facts | Unreadable | None) -> None:
        """Count a message."""
        self.read += 1
        if meant is UNREADABLE:
            self.unreadable += 1
        elif isinstance(meant, Facts):
            self.matching += 1
            self.by_type[message.event_type] = self.by_type.get(message.event_type, 0) + 1
            self.first = min(self.first or meant.at, meant.at)
            self.last = max(self.last or meant.at, meant.at)


async def preview(session: Session, out: Output, replay: Replay) -> Preview:
    """Read what would be sent, and send nothing."""
    async with connected(session) as (_, bus), _opened(session, replay) as journal:
        mark = await _mark(session, bus, replay, applied=False)
        oldest = await journal.oldest()
        kept = facts_of(oldest.body, oldest.encoding)
        found = Preview(kept.at if kept else None)
        with out.progress(f"reading {replay.journal}") as progress:
            saying = _NowAndThen(_SHOW_SECONDS if out.errors.is_terminal else _SAY_SECONDS)
            async with _until(journal, replay.begin, mark) as messages:
                async for message in messages:
                    found.take(message, await _meant(session, replay, message))
                    if saying.is_time():
                        progress.step(f"{replay.journal}: {found.read:,} read, {found.matching:,} of them meant")
    return found


async def send(session: Session, out: Output, replay: Replay) -> None:
    """Send what is meant, from where the replay is to the end. Raises `Unreachable` with the place kept."""
    async with replays.held(session, replay):
        try:
            async with connected(session) as (_, bus), _opened(session, replay) as journal:
                mark = await _mark(session, bus, replay, applied=True)
                with out.progress(f"into {replay.queue}") as progress:
                    every = _SHOW_SECONDS if out.errors.is_terminal else _SAY_SECONDS
                    await _Sender(session, bus, replay, progress.step, every).run(journal, mark)
        except BaseException:
            # Stopped, or broken off. A database that is away has a place that is a second older.
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await replays.end(session, replay, "stopped")
            raise
        await replays.end(session, replay, "done")


class _NowAndThen:
    """Does something, but not again within so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._done_at = time.monotonic()

    def is_time(self) -> bool:
        """Whether it is to be done again now."""
        now = time.monotonic()
        if now - self._done_at < self._seconds:
            return False
        self._done_at = now
        return True


class _Sender:
    """Sends in small lots: confirmed together, no faster than was asked for, and never onto a full queue."""

    def __init__(self, session: Session, bus: Bus, replay: Replay, say: Callable[[str], None], every: float) -> None:
        self._session = session
        self._bus = bus
        self._replay = replay
        self._say = say
        self._lot: list[tuple[Recorded, Facts]] = []
        # About a second's work, or one message.
        self._most = min(_BATCH, max(1, int(replay.rate)))
        self._free_at = time.monotonic()
        self._place, self._saying = _NowAndThen(_PLACE_SECONDS), _NowAndThen(every)
        self._read, self._unreadable = replay.read, replay.unreadable

    async def run(self, journal: Journal, mark: str) -> None:
        """To the mark."""
        async with _until(journal, self._replay.begin, mark) as messages:
            async for message in messages:
                await self._take(message)
        await self._send_lot()
        self._replay.read, self._replay.unreadable = self._read, self._unreadable

    async def _take(self, message: Recorded) -> None:
        meant = await _meant(self._session, self._replay, message)
        self._read += 1
        self._unreadable += meant is UNREADABLE
        if isinstance(meant, Facts):
            self._lot.append((message, meant))
        if len(self._lot) >= self._most:
            await self._send_lot()
        if not self._lot:
            # All that was read is sent, or not meant.
            replay = self._replay
            replay.next_offset, replay.read, replay.unreadable = message.offset + 1, self._read, self._unreadable
            await self._note()

    async def _send_lot(self) -> None:
        lot, self._lot = self._lot, []
        if not lot:
            return
        await self._room()
        await self._session.connection.execute(_NUMBER_ON, max(facts.observed_seq or 0 for _, facts in lot))
        outcomes = await asyncio.gather(*(self._send(message) for message, _ in lot), return_exceptions=True)
        for failed in outcomes:
            if isinstance(failed, BrokerUnavailable):
                raise Unreachable(str(failed), f"go on with: {resume_line(self._replay)}")
            if failed:
                raise failed
        self._replay.sent += len(lot)

    async def _send(self, message: Recorded) -> None:
        await self._bus.publish_raw(
            topology.WORK,
            topology.work_key(self._replay.queue, "replay"),
            message.body,
            correlation_id=message.correlation_id,
            content_type=message.content_type,
            content_encoding=message.encoding,
            headers={REPLAY: str(self._replay.id)},
        )

    async def _room(self) -> None:
        """Return when the rate allows another lot and the queue has room."""
        await asyncio.sleep(max(0.0, self._free_at - time.monotonic()))
        while await _waiting(self._session, self._replay.queue) >= FULL:
            await self._note()
            await asyncio.sleep(_LOOK_SECONDS)
        self._free_at = time.monotonic() + self._most / self._replay.rate

    async def _note(self) -> None:
        if self._place.is_time():
            await replays.keep_place(self._session, self._replay)
        if self._saying.is_time():
            self._say(f"into {self._replay.queue}: {self._replay.sent:,} sent of {self._read:,} read")


def resume_line(replay: Replay) -> str:
    """What to type to go on."""
    line = f"lifecycle replay --resume {replay.id} --apply"
    return f"{line} --allow-write-back" if may_write(replay.queue) else line


def may_write(queue: str) -> bool:
    """Whether what is sent to a queue can end as a write to an RMM."""
    return queue in {each.name for each in topology.WORK_QUEUES if each.service == "writeback"}


def _opened(session: Session, replay: Replay) -> AbstractAsyncContextManager[Journal]:
    return open_journal(session.addresses.amqp_url.get_secret_value(), replay.journal)


async def _mark(session: Session, bus: Bus, replay: Replay, *, applied: bool) -> str:
    """Publish the event behind which nothing is read: a stream tells its length with seconds of delay."""
    event: Event[Any] = new_event(
        ReplayStarted(
            replay_id=replay.id,
            queue=replay.queue,
            since=replay.wanted.since,
            until=replay.wanted.until,
            applied=applied,
            actor=author(session).actor,
        ),
        source=SOURCE,
        account_id=session.account_id,
        subject=f"replays/{replay.id}",
    )
    try:
        await bus(event)
    except BrokerUnavailable as error:
        raise Unreachable(str(error), "look with: lifecycle topology check") from error
    return event.id


async def _waiting(session: Session, queue: str) -> int:
    (found,) = await check_queues(session.addresses.amqp_url.get_secret_value(), (queue,))
    return found.messages or 0


@asynccontextmanager
async def _until(journal: Journal, begin: datetime | int, mark: str) -> AsyncGenerator[AsyncIterator[Recorded]]:
    """What the journal has before the mark, other marks left out."""

    async def between(messages: AsyncIterator[Recorded]) -> AsyncGenerator[Recorded]:
        async for message in messages:
            if message.event_type != topology.JOURNAL_MARK:
                yield message
            elif (found := facts_of(message.body, message.encoding)) and found.event_id == mark:
                return

    async with journal.read(begin) as messages, aclosing(between(messages)) as events:
        yield events


async def _meant(session: Session, replay: Replay, message: Recorded) -> Facts | Unreadable | None:
    """What a message that is meant says of itself; None for one that is not."""
    wanted = replay.wanted
    if message.event_type not in wanted.types:
        return None
    facts = facts_of(message.body, message.encoding)
    if facts is None:
        return UNREADABLE
    found = is_wanted(wanted, message.event_type, facts)
    if found is None:
        found = await session.connection.fetchval(_LINKED, facts.asset_id, wanted.integration_id, wanted.device_id)
    return facts if found else None


def new_replay(queue: topology.WorkQueue, wanted: Wanted, rate: float) -> Replay:
    """A replay that is yet to begin."""
    return Replay(uuid4(), topology.journal_of(queue), queue.name, wanted, rate)
