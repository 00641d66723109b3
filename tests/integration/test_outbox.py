"""Publishing, confirmed or refused aloud, and the outbox: nothing that was committed stays untold."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import outbox as outboxes
from shared import topology
from shared.bus import MAX_BODY_BYTES, Bus, publisher_broker
from shared.errors import BrokerUnavailable, MessageTooLarge
from shared.events import Event, SyncRequested, new_event
from shared.outbox import Outbox, Pending
from shared.postgres import Pool, connection, transaction
from tests.support import queues
from tests.support.waiting import PATIENCE_SECONDS, until

INTEGRATION = UUID("00000000-0000-4000-8000-00000000000a")
QUEUE = topology.FETCHER_SYNCS.name


def event(number: int = 0) -> Event[SyncRequested]:
    data = SyncRequested(integration_id=INTEGRATION, target=str(number))
    return new_event(data, source="test", account_id=None)


async def stored(pool: Pool, *events: Event[Any]) -> list[Pending]:
    async with transaction(pool) as conn:
        return [await outboxes.add(conn, each) for each in events]


async def left(pool: Pool) -> int:
    async with connection(pool) as conn:
        count: int = await conn.fetchval("select count(*) from outbox")
        return count


async def targets(amqp_url: str) -> list[str]:
    """What was published so far, oldest first, by the number that it carries."""
    async with queues.open_channel(amqp_url) as channel:
        queue = await channel.get_queue(QUEUE, ensure=False)
        found: list[str] = []
        while (message := await queue.get(fail=False, no_ack=True)) is not None:
            found.append(Event[SyncRequested].model_validate_json(message.body).data.target or "")
        return found


# -- the bus -------------------------------------------------------------------------------------------------------


async def test_a_published_event_is_in_its_queue_persistent_and_as_it_was(amqp_url: str, bus: Bus) -> None:
    sent = event()
    await bus(sent)
    async with queues.open_channel(amqp_url) as channel:
        queue = await channel.get_queue(QUEUE, ensure=False)
        message = await queue.get(no_ack=True)
    assert message is not None
    assert Event[SyncRequested].model_validate_json(message.body) == sent
    assert message.delivery_mode == 2
    assert message.content_type == "application/cloudevents+json"
    assert message.correlation_id == sent.correlation_id
    assert message.message_id not in {None, sent.id}, "each publish has an id of its own"


async def test_two_publishes_of_an_event_have_two_message_ids(amqp_url: str, bus: Bus) -> None:
    sent = event()
    await asyncio.gather(bus(sent), bus(sent))
    async with queues.open_channel(amqp_url) as channel:
        queue = await channel.get_queue(QUEUE, ensure=False)
        ids = [message.message_id for _ in range(2) if (message := await queue.get(no_ack=True))]
    assert len(set(ids)) == 2


async def test_an_unroutable_message_raises(bus: Bus) -> None:
    with pytest.raises(BrokerUnavailable, match="nobody's business"):
        await bus.publish_body("nobody's business", b"{}", "story")


async def test_a_message_whose_work_queue_is_gone_raises(amqp_url: str, bus: Bus) -> None:
    await queues.delete(amqp_url, "fetcher.retry.5s")
    with pytest.raises(BrokerUnavailable):
        await bus.publish_raw(topology.RETRY, topology.retry_key("5s", QUEUE), b"{}")


async def test_a_missing_exchange_raises_and_the_next_publish_works(amqp_url: str) -> None:
    async with queues.open_channel(amqp_url) as channel:
        await channel.exchange_delete(topology.RETRY)
    broker = publisher_broker(amqp_url, "test")
    await broker.start()
    bus = Bus(broker, timeout_seconds=5)
    try:
        with pytest.raises(BrokerUnavailable):
            await bus.publish_raw(topology.RETRY, topology.retry_key("5s", QUEUE), b"{}")

        async def ask() -> bool:
            await bus(event(1))
            return True

        await until("publishing works again", ask)
    finally:
        await broker.stop()
    assert "1" in await targets(amqp_url)


async def test_a_queue_that_takes_no_more_raises(amqp_url: str, bus: Bus) -> None:
    """A queue of our arguments with a length refuses what is over it, and the publisher hears of it."""
    arguments = {"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-max-length": 1}
    async with queues.open_channel(amqp_url) as channel:
        full = await channel.declare_queue("test.full", durable=True, arguments=arguments)
        await full.bind(topology.WORK, "*.test.full")

    async def refused() -> bool:
        try:
            await bus.publish_raw(topology.WORK, topology.work_key("test.full"), b"{}")
        except BrokerUnavailable:
            return True
        return False

    await until("a publish is refused", refused)


async def test_a_broker_that_is_gone_raises(amqp_url: str) -> None:
    broker = publisher_broker(amqp_url, "test")
    await broker.start()
    bus = Bus(broker, timeout_seconds=2)
    await broker.stop()
    with pytest.raises(BrokerUnavailable):
        await bus(event())


@pytest.mark.parametrize("over", [0, 1])
async def test_a_body_over_the_cap_is_refused_before_it_is_sent(amqp_url: str, bus: Bus, over: int) -> None:
    body = b"x" * (MAX_BODY_BYTES + over)
    if not over:
        await bus.publish_body("sync.requested", body, "story")
    else:
        with pytest.raises(MessageTooLarge, match="4194305 bytes"):
            await bus.publish_body("sync.requested", body, "story")
    assert await queues.depths(amqp_url) == ({} if over else {QUEUE: 1})


async def test_a_caller_that_is_cancelled_is_cancelled(bus: Bus) -> None:
    publishing = asyncio.create_task(bus.publish_body("sync.requested", b"{}", "story"))
    await asyncio.sleep(0)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing


# -- the outbox ----------------------------------------------------------------------------------------------------


async def test_an_event_is_told_after_the_commit_and_then_forgotten(amqp_url: str, pool: Pool, outbox: Outbox) -> None:
    pending = await stored(pool, event(1), event(2))
    assert await left(pool) == 2
    assert await targets(amqp_url) == []
    await outbox.publish(*pending)
    assert await left(pool) == 0
    assert await targets(amqp_url) == ["1", "2"]


async def test_what_was_rolled_back_is_never_told(amqp_url: str, pool: Pool, outbox: Outbox) -> None:
    async def work() -> None:
        async with transaction(pool) as conn:
            await outboxes.add(conn, event(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert await outbox.sweep(older_than_seconds=0) == 0
    assert await targets(amqp_url) == []


async def test_publishing_nothing_is_nothing(outbox: Outbox) -> None:
    await outbox.publish()


async def test_a_broker_that_is_away_is_no_error_and_the_sweep_tells_later(
    amqp_url: str, pool: Pool, outbox: Outbox
) -> None:
    gone = publisher_broker(amqp_url, "test")
    await gone.start()
    await gone.stop()
    pending = await stored(pool, event(1), event(2))
    await Outbox(pool, Bus(gone, timeout_seconds=1)).publish(*pending)
    assert await left(pool) == 2
    assert await outbox.sweep(older_than_seconds=0) == 2
    assert await targets(amqp_url) == ["1", "2"]
    assert await left(pool) == 0


async def test_the_sweep_leaves_what_its_writer_is_about_to_tell(pool: Pool, outbox: Outbox) -> None:
    await stored(pool, event(1))
    assert await outbox.sweep(older_than_seconds=3600) == 0
    assert await left(pool) == 1


async def test_a_crash_between_telling_and_forgetting_makes_a_duplicate_and_no_loss(
    amqp_url: str, pool: Pool, bus: Bus, outbox: Outbox
) -> None:
    (pending,) = await stored(pool, event(1))
    await bus.publish_body(pending.routing_key, pending.body.encode(), pending.correlation_id)
    # Here the writer died: the row is still there.
    assert await outbox.sweep(older_than_seconds=0) == 1
    assert await outbox.sweep(older_than_seconds=0) == 0
    assert await targets(amqp_url) == ["1", "1"]


async def test_a_sweep_that_fails_half_way_keeps_everything(amqp_url: str, pool: Pool, bus: Bus) -> None:
    await stored(pool, event(1), event(2), event(3))

    class FailsAtTheSecond:
        published = 0

        async def publish_body(self, routing_key: str, body: bytes, correlation_id: str) -> None:
            self.published += 1
            if self.published == 2:
                raise BrokerUnavailable("lost")
            await bus.publish_body(routing_key, body, correlation_id)

    with pytest.raises(BrokerUnavailable):
        await Outbox(pool, FailsAtTheSecond()).sweep(older_than_seconds=0)  # type: ignore[arg-type]
    assert await left(pool) == 3
    assert await Outbox(pool, bus).sweep(older_than_seconds=0) == 3
    assert sorted(await targets(amqp_url)) == ["1", "1", "2", "3"]


async def test_one_event_that_no_message_can_carry_does_not_hold_up_the_others(
    amqp_url: str, pool: Pool, outbox: Outbox
) -> None:
    data = SyncRequested(integration_id=INTEGRATION, target="x" * (MAX_BODY_BYTES + 1))
    await stored(pool, event(1), new_event(data, source="test", account_id=None), event(2))
    await outbox.sweep(older_than_seconds=0)
    assert await targets(amqp_url) == ["1", "2"]
    assert await left(pool) == 1


async def test_two_sweepers_share_the_work(amqp_url: str, pool: Pool, outbox: Outbox) -> None:
    numbers = [str(number) for number in range(450)]
    await stored(pool, *map(event, range(450)))
    swept = 0
    while await left(pool):
        swept += sum(await asyncio.gather(outbox.sweep(older_than_seconds=0), outbox.sweep(older_than_seconds=0)))
    assert swept == 450
    assert sorted(await targets(amqp_url)) == sorted(numbers)


async def test_a_sweep_does_not_wait_for_the_rows_of_another(pool: Pool, outbox: Outbox) -> None:
    await stored(pool, event(1))
    async with transaction(pool) as conn:
        await conn.fetch("select id from outbox for update")
        assert await asyncio.wait_for(outbox.sweep(older_than_seconds=0), PATIENCE_SECONDS) == 0
    assert await outbox.sweep(older_than_seconds=0) == 1


async def test_an_event_keeps_its_story_and_its_id(amqp_url: str, pool: Pool, outbox: Outbox) -> None:
    data = SyncRequested(integration_id=INTEGRATION)
    event_id = uuid4()
    told = new_event(data, source="test", account_id=None, event_id=event_id, correlation_id="story")
    await stored(pool, told)
    await outbox.sweep(older_than_seconds=0)
    async with queues.open_channel(amqp_url) as channel:
        queue = await channel.get_queue(QUEUE, ensure=False)
        message = await queue.get(no_ack=True)
    assert message is not None
    assert message.correlation_id == "story"
    assert Event[SyncRequested].model_validate_json(message.body).id == str(event_id)
