"""Verdicts carried out on a real broker: which failure sends a message where, and with what on it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from aio_pika.abc import AbstractIncomingMessage
from faststream import Context

from shared import headers as names
from shared import topology
from shared.bus import Bus
from shared.content_encoding import unpack
from shared.errors import (
    BadMessage,
    BrokerUnavailable,
    CredentialsRejected,
    Paused,
    QuotaExhausted,
    RmmServerError,
    RmmUnreachable,
    StoreConflict,
    StoreUnavailable,
)
from shared.events import Event, SyncRequested, new_event, parse_event
from shared.runtime import Service, Subscription, Wired, Wiring
from shared.settings import ServiceSettings
from shared.topology import WorkQueue
from shared.verdict import RetryPolicy
from tests.support import queues
from tests.support.queues import Said
from tests.support.waiting import until

INTEGRATION = UUID("00000000-0000-4000-8000-00000000000a")
CANARY = "canary-6f1b"
QUEUE = topology.FETCHER_SYNCS.name
Act = Callable[[], Awaitable[None]]


@dataclass
class Script:
    """The work of the handler under test: what each message meets, call by call; then it is done."""

    acts: dict[str, list[Exception | Act]] = field(default_factory=lambda: defaultdict(list))
    calls: list[str] = field(default_factory=list)
    paused: list[Paused] = field(default_factory=list)
    pausing: list[Exception] = field(default_factory=list)

    async def run(self, name: str) -> None:
        self.calls.append(name)
        act = self.acts[name].pop(0) if self.acts[name] else None
        if isinstance(act, Exception):
            raise act
        if act:
            await act()

    async def pause(self, error: Paused) -> None:
        if self.pausing:
            raise self.pausing.pop(0)
        self.paused.append(error)

    async def called(self, name: str, times: int) -> None:
        async def ask() -> bool:
            return self.calls.count(name) >= times

        await until(f"{name} was handled {times} times", ask)


async def do(order: Event[SyncRequested], script: Annotated[Script, Context()]) -> None:
    await script.run(order.data.target or "")


def read(message: Any) -> Event[SyncRequested]:
    return parse_event(unpack(message.body, message.raw_message.content_encoding), SyncRequested)


@dataclass
class Stand:
    """A service of one queue, and the messages that are sent to it."""

    amqp_url: str
    bus: Bus
    script: Script

    async def send(self, name: str, headers: dict[str, Any] | None = None, *, queue: str = QUEUE) -> bytes:
        data = SyncRequested(integration_id=INTEGRATION, target=name)
        body = new_event(data, source="test", account_id=None).model_dump_json().encode()
        await self.send_raw(body, headers, queue=queue)
        return body

    async def send_raw(self, body: bytes, headers: dict[str, Any] | None = None, *, queue: str = QUEUE) -> None:
        await queues.publish(
            self.amqp_url, [Said(topology.work_key(queue), body, headers or {})], exchange=topology.WORK
        )

    async def taken(self, name: str) -> AbstractIncomingMessage:
        async with queues.open_channel(self.amqp_url) as channel:
            queue = await channel.get_queue(name, ensure=False)
            message = await until(f"a message in {name}", lambda: queue.get(fail=False))
            await message.ack()
            return message

    async def settled(self) -> None:
        """Nothing waits anywhere."""

        async def ask() -> bool:
            return not await queues.depths(self.amqp_url)

        await until("every queue is empty", ask)


@dataclass
class Stands:
    """Makes stands; `run` consumes until it is left, and what was not acked is back in its queue then."""

    amqp_url: str
    database_url: str
    bus: Bus

    @asynccontextmanager
    async def run(
        self,
        queue: WorkQueue = topology.FETCHER_SYNCS,
        *,
        policy: RetryPolicy | None = None,
        deadline: timedelta = timedelta(minutes=1),
        left: dict[str, int] | None = None,
    ) -> AsyncIterator[Stand]:
        script = Script()

        async def wire(_: Wired) -> Wiring:
            return Wiring(ports={"script": script}, pause=script.pause)

        settings = ServiceSettings(amqp_url=self.amqp_url, database_url=self.database_url, shutdown_seconds=0.5)  # type: ignore[arg-type]
        subscription = Subscription(queue, read, do, prefetch=5, policy=policy or RetryPolicy())
        service = Service("test", settings, [subscription], wire, pool_size=2, deadline=deadline)
        async with service.running():
            yield Stand(self.amqp_url, self.bus, script)

        async def ask() -> bool:
            return await queues.depths(self.amqp_url) == (left or {})

        # The broker hears a moment later of a consumer that is gone, and gives back what it held.
        await until(f"what is left in the queues is {left or 'nothing'}", ask)


@pytest.fixture
def stands(amqp_url: str, database_url: str, bus: Bus) -> Stands:
    return Stands(amqp_url, database_url, bus)


def reason(message: AbstractIncomingMessage) -> tuple[Any, Any]:
    return message.headers[names.REASON_CODE], message.headers.get(names.REASON)


def first_failed_at(message: AbstractIncomingMessage) -> datetime:
    value = message.headers[names.FIRST_FAILED_AT]
    assert isinstance(value, str)
    return datetime.fromisoformat(value)


async def test_what_is_done_is_acked(stands: Stands) -> None:
    async with stands.run() as stand:
        await stand.send("fine")
        await stand.script.called("fine", 1)
        await stand.settled()
    assert stand.script.calls == ["fine"]


async def test_a_failure_that_may_pass_waits_and_comes_back_to_its_own_queue(stands: Stands) -> None:
    """The event of this test is for two services: only the one that failed gets it again."""
    event_type = "integration.credentials_replaced"
    takers = [queue.name for queue in topology.WORK_QUEUES if event_type in queue.event_types]
    assert len(takers) == 2
    moments: list[float] = []

    async def fails() -> None:
        moments.append(time.monotonic())
        raise RmmServerError("the rmm said 500", status=500)

    async def works() -> None:
        moments.append(time.monotonic())

    async with stands.run(topology.FETCHER_PROBES) as stand:
        stand.script.acts["again"] = [fails, works]
        data = SyncRequested(integration_id=INTEGRATION, target="again")
        body = new_event(data, source="test", account_id=None).model_dump_json().encode()
        await stand.bus.publish_body(event_type, body, "story")
        await stand.script.called("again", 2)
        assert 5 <= moments[1] - moments[0] < 60
        (other,) = [name for name in takers if name != topology.FETCHER_PROBES.name]
        assert (await stand.taken(other)).body == body
        await stand.settled()
    assert stand.script.calls == ["again", "again"]


async def test_a_waiting_message_carries_its_tries_and_since_when(stands: Stands) -> None:
    before = datetime.now(UTC)
    async with stands.run() as stand:
        stand.script.acts["once"] = [RmmServerError("the rmm said 500", status=500)]
        body = await stand.send("once", {"x-of-a-stranger": "kept"})
        waiting = await stand.taken("fetcher.retry.5s")
        after = datetime.now(UTC)
    assert (waiting.body, waiting.routing_key) == (body, f"5s.{QUEUE}")
    assert waiting.headers[names.ATTEMPT] == 1
    assert waiting.headers["x-of-a-stranger"] == "kept"
    assert reason(waiting) == ("rmm_server_error", None)
    assert before <= first_failed_at(waiting) <= after


async def test_a_packed_body_waits_as_it_came_and_says_how_it_is_packed(stands: Stands) -> None:
    async with stands.run() as stand:
        stand.script.acts["packed"] = [RmmServerError("the rmm said 500", status=500)]
        data = SyncRequested(integration_id=INTEGRATION, target="packed")
        body = new_event(data, source="test", account_id=None).model_dump_json().encode()
        await stand.bus.publish_body(SyncRequested.event_type, body, "story", "zstd")
        waiting = await stand.taken("fetcher.retry.5s")
    assert waiting.body != body
    assert unpack(waiting.body, waiting.content_encoding) == body


async def test_each_failure_waits_one_rung_longer_and_keeps_the_first(stands: Stands) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    history = {names.FIRST_FAILED_AT: since.isoformat(), "x-death": "the broker's", "x-delivery-count": 3}
    policy = RetryPolicy(max_age=timedelta(days=36_500))
    async with stands.run(policy=policy) as stand:
        for attempts, rung in [(1, "30s"), (2, "2m")]:
            stand.script.acts[rung] = [StoreConflict("deadlock")]
            await stand.send(rung, history | {names.ATTEMPT: attempts})
            waiting = await stand.taken(f"fetcher.retry.{rung}")
            assert waiting.headers[names.ATTEMPT] == attempts + 1
            assert first_failed_at(waiting) == since
            # 3.10 would go on counting from the broker's own; a get shows a count of 0.
            assert "x-death" not in waiting.headers
            assert waiting.headers.get("x-delivery-count", 0) == 0


async def test_the_last_try_ends_in_the_dead_queue_with_all_that_a_person_needs(stands: Stands) -> None:
    async with stands.run(policy=RetryPolicy(max_attempts=4)) as stand:
        stand.script.acts["last"] = [RmmServerError("the rmm said 500", status=500)]
        body = await stand.send("last", {names.ATTEMPT: 3, names.FIRST_FAILED_AT: datetime.now(UTC).isoformat()})
        dead = await stand.taken(topology.DEAD_QUEUE)
    assert (dead.body, dead.routing_key) == (body, QUEUE)
    assert reason(dead) == ("rmm_server_error", "the rmm said 500 (given up after 4 attempts)")
    assert dead.headers[names.ATTEMPT] == 4
    assert dead.headers[names.NEXT_ACTION] == RmmServerError.next_action
    assert dead.headers[names.TRACEBACK] == ""


async def test_an_unreachable_rmm_costs_no_try_and_ends_by_age(stands: Stands) -> None:
    async with stands.run(policy=RetryPolicy(max_age=timedelta(hours=1))) as stand:
        for name, age in [("young", timedelta(minutes=59)), ("old", timedelta(minutes=61))]:
            stand.script.acts[name] = [RmmUnreachable("connection refused")]
            since = (datetime.now(UTC) - age).isoformat()
            await stand.send(name, {names.ATTEMPT: 1, names.FIRST_FAILED_AT: since})
        assert (await stand.taken("fetcher.retry.5s")).headers[names.ATTEMPT] == 1
        assert reason(await stand.taken(topology.DEAD_QUEUE))[0] == "rmm_unreachable"


async def test_waiting_for_our_own_budget_leaves_no_age_on_a_message(stands: Stands) -> None:
    async with stands.run() as stand:
        stand.script.acts["full"] = [QuotaExhausted(timedelta(seconds=40))]
        await stand.send("full")
        waiting = await stand.taken("fetcher.retry.30s")
    assert waiting.headers[names.ATTEMPT] == 0
    assert names.FIRST_FAILED_AT not in waiting.headers


async def test_a_strangers_header_of_our_name_does_no_harm(stands: Stands) -> None:
    strange: list[dict[str, Any]] = [
        {names.ATTEMPT: "many", names.FIRST_FAILED_AT: "yesterday"},
        {names.ATTEMPT: -7, names.FIRST_FAILED_AT: "2026-01-01"},
        {names.ATTEMPT: ["1"], names.FIRST_FAILED_AT: 3},
        {names.ATTEMPT: None, names.FIRST_FAILED_AT: None},
    ]
    async with stands.run() as stand:
        for number, headers in enumerate(strange):
            stand.script.acts[str(number)] = [StoreConflict("deadlock")]
            await stand.send(str(number), headers)
            assert (await stand.taken("fetcher.retry.5s")).headers[names.ATTEMPT] == 1


async def test_a_permanent_error_is_dead_at_the_first_try(stands: Stands) -> None:
    async with stands.run() as stand:
        stand.script.acts["wrong"] = [BadMessage("page_no is below 0")]
        await stand.send("wrong")
        dead = await stand.taken(topology.DEAD_QUEUE)
    assert reason(dead) == ("bad_message", "page_no is below 0")
    assert (dead.headers[names.ATTEMPT], stand.script.calls) == (1, ["wrong"])


async def test_a_bug_is_dead_with_its_traceback_and_without_a_value(stands: Stands) -> None:
    async def buggy() -> None:
        secret = CANARY
        raise KeyError(secret)

    async with stands.run() as stand:
        stand.script.acts["buggy"] = [buggy]
        await stand.send("buggy")
        dead = await stand.taken(topology.DEAD_QUEUE)
    assert reason(dead) == ("bug", "KeyError in the handler")
    traceback = str(dead.headers[names.TRACEBACK])
    assert "in buggy\n    raise KeyError(secret)" in traceback
    assert traceback.endswith("KeyError")
    assert CANARY not in str(dead.headers)


async def test_a_paused_integration_is_paused_once_and_the_message_settled(stands: Stands) -> None:
    async with stands.run() as stand:
        stand.script.acts["paused"] = [CredentialsRejected("the key is dead", integration_id=INTEGRATION)]
        await stand.send("paused")
        await stand.script.called("paused", 1)
        await stand.settled()
    assert [str(error) for error in stand.script.paused] == ["the key is dead"]
    assert stand.script.calls == ["paused"]


async def test_a_pause_that_the_store_does_not_take_is_tried_again_and_never_parked(stands: Stands) -> None:
    async with stands.run() as stand:
        stand.script.acts["paused"] = [CredentialsRejected("the key is dead", integration_id=INTEGRATION)] * 2
        stand.script.pausing.append(StoreUnavailable("the database is not there"))
        await stand.send("paused")
        await stand.script.called("paused", 2)
        await stand.settled()
    assert len(stand.script.paused) == 1


@pytest.mark.parametrize("error", [StoreUnavailable("the database is not there"), BrokerUnavailable("no confirm")])
async def test_a_store_or_broker_that_is_away_is_waited_for_and_burns_no_try(stands: Stands, error: Exception) -> None:
    async with stands.run(policy=RetryPolicy(max_attempts=1)) as stand:
        stand.script.acts["held"] = [error, error]
        await stand.send("held")
        await stand.script.called("held", 3)
        await stand.settled()
    assert stand.script.calls == ["held"] * 3


async def test_a_handler_that_is_too_slow_is_ended_and_goes_to_the_ladder(stands: Stands) -> None:
    ended = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with stands.run(deadline=timedelta(seconds=0.2)) as stand:
        stand.script.acts["slow"] = [slow]
        await stand.send("slow")
        waiting = await stand.taken("fetcher.retry.5s")
    assert reason(waiting)[0] == "handler_too_slow"
    assert ended.is_set()


async def test_a_timeout_of_the_handlers_own_is_a_bug_and_not_its_deadline(stands: Stands) -> None:
    async with stands.run() as stand:
        stand.script.acts["own"] = [TimeoutError()]
        await stand.send("own")
        assert reason(await stand.taken(topology.DEAD_QUEUE)) == ("bug", "TimeoutError in the handler")


@pytest.mark.parametrize("body", [b"nonsense", b"", b"\xff\xfe", b"[]", b'{"type": "sync.requested"}'])
async def test_a_body_that_is_no_event_is_dead_before_any_handler(stands: Stands, body: bytes) -> None:
    async with stands.run() as stand:
        await stand.send_raw(body, {"x-of-a-stranger": "kept"})
        dead = await stand.taken(topology.DEAD_QUEUE)
    assert dead.body == body
    assert reason(dead)[0] == "bad_message"
    assert dead.headers["x-of-a-stranger"] == "kept"
    assert stand.script.calls == []


async def test_a_message_in_hand_at_a_stop_comes_back(stands: Stands) -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    async with stands.run(left={QUEUE: 1}) as stand:
        stand.script.acts["cut"] = [for_ever]
        await stand.send("cut")
        await stand.script.called("cut", 1)
    async with stands.run() as stand:
        await stand.script.called("cut", 1)
        await stand.settled()


async def test_one_failing_message_does_not_hold_up_the_others(stands: Stands) -> None:
    async with stands.run() as stand:
        stand.script.acts["stuck"] = [StoreUnavailable("gone")] * 100
        await stand.send("stuck")
        await stand.script.called("stuck", 1)
        for number in range(10):
            await stand.send(f"fine {number}")
        await stand.script.called("fine 9", 1)
        stand.script.acts["stuck"].clear()
        await stand.script.called("stuck", stand.script.calls.count("stuck") + 1)
        await stand.settled()


async def test_what_can_not_be_kept_of_the_dead_queue_is_held_and_neither_parked_nor_lost(stands: Stands) -> None:
    """It has no delays, so a retry would be unroutable; and parked it would come back at once, for ever."""
    dead_queue = WorkQueue(topology.DEAD_QUEUE, ())
    name = str(uuid4())
    async with stands.run(dead_queue) as stand:
        stand.script.acts[name] = [StoreConflict("deadlock"), ValueError(CANARY), BadMessage("no")]
        data = SyncRequested(integration_id=INTEGRATION, target=name)
        body = new_event(data, source="test", account_id=None).model_dump_json().encode()
        await queues.publish(stand.amqp_url, [Said("writer.pages", body, {})], exchange=topology.DEAD)
        await stand.script.called(name, 4)
        await stand.settled()
    assert stand.script.calls == [name] * 4
