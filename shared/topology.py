"""Every exchange, queue, stream and binding, spelled here and nowhere else.

Declared by one deploy step before anybody publishes: the journal's binding makes every key routable and would
hide a missing work queue from `mandatory`, and a quorum queue younger than a second can lose confirmed messages
to a kill -9 of a single node, so the step ends SETTLE_SECONDS after the last new queue.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

EVENTS = "lifecycle.events"
RETRY = "lifecycle.retry"
WORK = "lifecycle.work"
DEAD = "lifecycle.dead"
DEAD_QUEUE = "lifecycle.dead"
JOURNAL = "lifecycle.journal"
PAGES_JOURNAL = "lifecycle.pages"
JOURNALS = (JOURNAL, PAGES_JOURNAL)
SCHEDULER = "scheduler"
EXCHANGES = (EVENTS, RETRY, WORK, DEAD)

SETTLE_SECONDS = 3.0
DELIVERY_LIMIT = 20
# A dead message is looked at by the scheduler until it is stored: a small limit would delete it (limit 20 is the
# default from RabbitMQ 4.0 on; -1 deletes at the first requeue on 3.10).
NO_DELIVERY_LIMIT = 1_000_000

ORIGINS = ("redrive", "replay")
"""What brings a message to one queue by hand: a parked one again, or one of a journal."""

DELAYS = {
    "5s": timedelta(seconds=5),
    "30s": timedelta(seconds=30),
    "2m": timedelta(minutes=2),
    "10m": timedelta(minutes=10),
}

PAGE_EVENTS = ("device.page_fetched", "asset.page_normalized")
# Stands in every journal, where it marks the end of what somebody reads.
JOURNAL_MARK = "replay.started"


@dataclass(frozen=True)
class Queue:
    """A queue with its arguments and the (exchange, key) pairs bound to it."""

    name: str
    arguments: dict[str, Any]
    bindings: tuple[tuple[str, str], ...]

    @property
    def keeper(self) -> str:
        """The service that keeps its bindings there: the one named in front, or the scheduler where none is."""
        service = self.name.split(".", 1)[0]
        return service if service in SERVICES else SCHEDULER


@dataclass(frozen=True)
class WorkQueue:
    """A service's queue and the event types that it takes in."""

    name: str
    event_types: tuple[str, ...]
    service: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "service", self.name.split(".", 1)[0])


FETCHER_SYNCS = WorkQueue("fetcher.syncs", ("integration.created", "sync.requested"))
FETCHER_PAGES = WorkQueue("fetcher.pages", ("sync.page_due",))
FETCHER_DETAILS = WorkQueue("fetcher.details", ("sync.detail_due",))
FETCHER_PROBES = WorkQueue("fetcher.probes", ("integration.probe_due", "integration.credentials_replaced"))
NORMALIZER_PAGES = WorkQueue("normalizer.pages", ("device.page_fetched",))
WRITER_PAGES = WorkQueue("writer.pages", ("asset.page_normalized",))
WRITEBACK_EDITS = WorkQueue("writeback.edits", ("date.edited",))
# What becomes of an integration is a wake-up too: its edits are held, or go on.
WRITEBACK_PUSHES = WorkQueue(
    "writeback.pushes",
    (
        "date.push_due",
        "integration.resumed",
        "integration.enabled",
        "integration.credentials_replaced",
        "integration.paused",
        "integration.disabled",
        "integration.removed",
    ),
)

WORK_QUEUES = (
    FETCHER_SYNCS,
    FETCHER_PAGES,
    FETCHER_DETAILS,
    FETCHER_PROBES,
    NORMALIZER_PAGES,
    WRITER_PAGES,
    WRITEBACK_EDITS,
    WRITEBACK_PUSHES,
)
SERVICES = tuple(dict.fromkeys(queue.service for queue in WORK_QUEUES))
EVENT_TYPES = (
    "integration.created",
    "integration.credentials_replaced",
    "integration.disabled",
    "integration.enabled",
    "integration.removed",
    "integration.paused",
    "integration.resumed",
    "integration.probe_due",
    "sync.requested",
    "sync.page_due",
    "sync.detail_due",
    "sync.completed",
    "sync.failed",
    "device.page_fetched",
    "asset.page_normalized",
    "asset.changed",
    "asset.dates_changed",
    "date.edited",
    "date.push_due",
    "date.written_back",
    "date.write_back_failed",
    JOURNAL_MARK,
)

# Who may publish which events; a broker with a user for each program holds them to it. The scheduler's sweep publishes
# what any other one stored and could not publish. `cli` is the command.
PUBLISHES: Mapping[str, tuple[str, ...]] = {
    "fetcher": (
        "integration.paused",
        "integration.resumed",
        "sync.requested",
        "sync.page_due",
        "sync.detail_due",
        "sync.completed",
        "sync.failed",
        "device.page_fetched",
        "asset.dates_changed",
        "date.push_due",
        "date.write_back_failed",
    ),
    "normalizer": ("asset.page_normalized",),
    "writer": (
        "sync.completed",
        "sync.failed",
        "asset.changed",
        "asset.dates_changed",
        "date.push_due",
        "date.write_back_failed",
    ),
    "writeback": (
        "integration.paused",
        "sync.failed",
        "asset.dates_changed",
        "date.push_due",
        "date.written_back",
        "date.write_back_failed",
    ),
    SCHEDULER: EVENT_TYPES,
    "cli": (
        "integration.created",
        "integration.credentials_replaced",
        "integration.disabled",
        "integration.enabled",
        "integration.removed",
        "integration.paused",
        "integration.probe_due",
        "sync.requested",
        "sync.completed",
        "sync.failed",
        "asset.dates_changed",
        "date.edited",
        "date.push_due",
        "date.write_back_failed",
        JOURNAL_MARK,
    ),
}


def retry_key(delay: str, queue: str) -> str:
    """The key on the retry exchange: comes back to `queue` alone after `delay`."""
    return f"{delay}.{queue}"


def journal_of(queue: WorkQueue) -> str:
    """The journal that keeps the events of a queue: pages have one of their own, which forgets sooner."""
    return PAGES_JOURNAL if set(queue.event_types) <= set(PAGE_EVENTS) else JOURNAL


def work_key(queue: str, origin: str = "redrive") -> str:
    """The key on the work exchange that reaches one queue only; `origin` is a word of ORIGINS."""
    return f"{origin}.{queue}"


def delay_for(wait: timedelta) -> str:
    """The longest rung that is not longer than `wait`; the shortest where none is."""
    fitting = [name for name, length in DELAYS.items() if length <= wait]
    return fitting[-1] if fitting else next(iter(DELAYS))


def retry_queue_name(service: str, delay: str) -> str:
    """The queue in which messages of a service wait for `delay`."""
    return f"{service}.retry.{delay}"


def _safe_dead_lettering(exchange: str) -> dict[str, Any]:
    # At-least-once needs all of these, or it silently falls back to at-most-once.
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _dead_queue() -> Queue:
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": NO_DELIVERY_LIMIT}
    return Queue(DEAD_QUEUE, arguments, ((DEAD, "#"),))


def _retry_queue(service: str, delay: str) -> Queue:
    arguments = _safe_dead_lettering(WORK) | {
        "x-message-ttl": int(DELAYS[delay].total_seconds() * 1000),
        "x-delivery-limit": NO_DELIVERY_LIMIT,
    }
    return Queue(retry_queue_name(service, delay), arguments, ((RETRY, f"{delay}.{service}.#"),))


def _work_queue(queue: WorkQueue) -> Queue:
    arguments = _safe_dead_lettering(DEAD) | {
        "x-dead-letter-routing-key": queue.name,
        "x-delivery-limit": DELIVERY_LIMIT,
    }
    events = tuple((EVENTS, event_type) for event_type in queue.event_types)
    return Queue(queue.name, arguments, (*events, (WORK, f"*.{queue.name}")))


def _stream(name: str, keys: tuple[str, ...], max_age: str, max_bytes: int, segment_bytes: int) -> Queue:
    arguments = {
        "x-queue-type": "stream",
        "x-max-age": max_age,
        "x-max-length-bytes": max_bytes,
        "x-stream-max-segment-size-bytes": segment_bytes,
    }
    return Queue(name, arguments, tuple((EVENTS, key) for key in keys))


def kept_by(service: str) -> list[Queue]:
    """The queues of which this service keeps the bindings; every queue is kept by one."""
    return [queue for queue in queues() if queue.keeper == service]


def queues() -> list[Queue]:
    """All queues in the order of their declaration: the dead side first, then delays, work, and the streams last."""
    journal_keys = tuple(event_type for event_type in EVENT_TYPES if event_type not in PAGE_EVENTS)
    return [
        _dead_queue(),
        *(_retry_queue(service, delay) for service in SERVICES for delay in DELAYS),
        *(_work_queue(queue) for queue in WORK_QUEUES),
        _stream(JOURNAL, journal_keys, "7D", 5_000_000_000, 100_000_000),
        _stream(PAGES_JOURNAL, (*PAGE_EVENTS, JOURNAL_MARK), "1D", 2_000_000_000, 200_000_000),
    ]
