"""The topology on a real broker: declared once or twice, looked at, and where dead and waiting messages go."""

import asyncio
import time
from urllib.parse import urlsplit

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared import topology
from shared.bus import Bus
from shared.declaration import TopologyMismatch, check, check_queues, declare
from shared.errors import BrokerUnavailable
from tests.support import queues
from tests.support.queues import Said
from tests.support.servers import TestServers
from tests.support.waiting import until

ALL = [queue.name for queue in topology.queues()]
WORK = [queue.name for queue in topology.WORK_QUEUES]


async def get(channel: AbstractChannel, name: str) -> AbstractIncomingMessage | None:
    queue = await channel.get_queue(name, ensure=False)
    return await queue.get(fail=False)


async def taken(amqp_url: str, name: str) -> AbstractIncomingMessage:
    """The next message of a queue, taken out of it."""
    async with queues.open_channel(amqp_url) as channel:
        message = await until(f"a message in {name}", lambda: get(channel, name))
        await message.ack()
        return message


async def test_declaring_twice_is_nothing(amqp_url: str) -> None:
    before = await check(amqp_url)
    assert all(found.present for found in before)
    assert await declare(amqp_url) == []
    assert await check(amqp_url) == before


async def test_what_is_missing_is_declared_and_named(amqp_url: str) -> None:
    await queues.delete(amqp_url, "writer.pages")
    await queues.delete(amqp_url, topology.DEAD_QUEUE)  # an exchange has the same name
    assert await declare(amqp_url, settle=False) == [topology.DEAD_QUEUE, "writer.pages"]


async def test_new_queues_are_given_time_to_settle(amqp_url: str) -> None:
    await queues.delete(amqp_url, "writer.pages")
    started = time.monotonic()
    assert await declare(amqp_url) == ["writer.pages"]
    assert time.monotonic() - started >= topology.SETTLE_SECONDS


async def test_a_missing_binding_is_mended(amqp_url: str, bus: Bus) -> None:
    async with queues.open_channel(amqp_url) as channel:
        queue = await channel.get_queue("writer.pages")
        await queue.unbind(topology.EVENTS, "asset.page_normalized")
    await declare(amqp_url)
    await bus.publish_body("asset.page_normalized", b"{}", "story")
    assert (await taken(amqp_url, "writer.pages")).body == b"{}"


async def test_a_queue_with_other_arguments_is_named_with_what_to_do(amqp_url: str) -> None:
    await queues.delete(amqp_url, "writer.pages")
    async with queues.open_channel(amqp_url) as channel:
        await channel.declare_queue("writer.pages", durable=True, arguments={"x-queue-type": "quorum"})
    with pytest.raises(TopologyMismatch, match=r"queue writer\.pages stands on the broker with other arguments; move"):
        await declare(amqp_url, settle=False)


async def test_an_exchange_of_another_kind_is_named(amqp_url: str) -> None:
    async with queues.open_channel(amqp_url) as channel:
        await channel.exchange_delete(topology.EVENTS)
        await channel.declare_exchange(topology.EVENTS, aio_pika.ExchangeType.FANOUT, durable=True)
    with pytest.raises(TopologyMismatch, match=r"exchange lifecycle\.events stands on the broker as another kind"):
        await declare(amqp_url, settle=False)


async def test_a_look_finds_what_is_missing_and_changes_nothing(amqp_url: str) -> None:
    await queues.delete(amqp_url, "fetcher.retry.30s")
    async with queues.open_channel(amqp_url) as channel:
        await channel.exchange_delete(topology.RETRY)
    for _ in range(2):
        missing = {(found.kind, found.name) for found in await check(amqp_url) if not found.present}
        assert missing == {("queue", "fetcher.retry.30s"), ("exchange", topology.RETRY)}


async def test_a_look_counts_messages_and_consumers(amqp_url: str, bus: Bus) -> None:
    await bus.publish_body("sync.requested", b"{}", "story")
    async with queues.open_channel(amqp_url) as channel:
        queue = await channel.get_queue("fetcher.pages")
        await queue.consume(asyncio.Queue[AbstractIncomingMessage]().put)

        async def look() -> list[tuple[bool, int | None, int | None]]:
            found = await check_queues(amqp_url, ("fetcher.syncs", "fetcher.pages", "nowhere"))
            return [(each.present, each.messages, each.consumers) for each in found]

        async def is_told() -> bool:
            return (await look())[1][2] == 1

        await until("the consumer counts", is_told)
        assert await look() == [(True, 1, 0), (True, 0, 1), (False, None, None)]


async def test_a_broker_that_refuses_the_login_is_said_with_what_to_look_at(amqp_url: str) -> None:
    parts = urlsplit(amqp_url)
    wrong = parts._replace(netloc=f"{parts.username}:canary@{parts.hostname}:{parts.port}").geturl()
    with pytest.raises(BrokerUnavailable, match="refused the login") as caught:
        await check(wrong)
    assert "LIFECYCLE_AMQP_URL" in caught.value.next_action
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("what", [check, declare])
async def test_a_broker_that_is_not_there_is_said(what: object) -> None:
    with pytest.raises(BrokerUnavailable, match="no connection to the broker"):
        await what("amqp://nobody@127.0.0.1:1/")  # type: ignore[operator]


async def test_a_broker_that_knows_no_such_vhost_is_said(servers: TestServers, amqp_url: str) -> None:
    base, _, _ = amqp_url.rpartition("/")
    with pytest.raises(BrokerUnavailable):
        await check(f"{base}/no-such-vhost")


async def test_what_a_consumer_rejects_reaches_the_dead_queue_of_every_work_queue(amqp_url: str) -> None:
    await queues.publish(amqp_url, [said(name) for name in WORK], exchange=topology.WORK)
    async with queues.open_channel(amqp_url) as channel:
        for name in WORK:
            message = await until(f"a message in {name}", lambda name=name: get(channel, name))
            assert message.body == name.encode()
            await message.reject(requeue=False)
    await all_dead(amqp_url, reason="rejected")


async def test_what_kills_its_consumers_reaches_the_dead_queue_of_every_work_queue(amqp_url: str) -> None:
    await queues.publish(amqp_url, [said(name) for name in WORK], exchange=topology.WORK)
    async with queues.open_channel(amqp_url) as channel:
        await asyncio.gather(*(return_until_gone(channel, name) for name in WORK))
    await all_dead(amqp_url, reason="delivery_limit")


async def return_until_gone(channel: AbstractChannel, name: str) -> None:
    """Return a message as a dying consumer does, as often as the limit allows and once more."""
    for _ in range(topology.DELIVERY_LIMIT + 1):
        message = await until(f"a message in {name}", lambda: get(channel, name))
        await message.reject(requeue=True)


async def all_dead(amqp_url: str, *, reason: str) -> None:
    """One message of each work queue is in the dead queue, under the name of its queue, and nowhere else."""
    dead = [await taken(amqp_url, topology.DEAD_QUEUE) for _ in WORK]
    assert sorted(message.routing_key or "" for message in dead) == sorted(WORK)
    assert all(message.routing_key == message.body.decode() for message in dead)
    assert all(message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT for message in dead)
    assert {entry["reason"] for message in dead for entry in message.headers["x-death"]} == {reason}  # type: ignore[index,union-attr,call-overload]
    await all_empty(amqp_url)


async def all_empty(amqp_url: str) -> None:
    """Nothing is left anywhere, once the broker has forgotten what it has passed on."""

    async def ask() -> bool:
        return not await queues.depths(amqp_url)

    await until("every queue is empty", ask)


async def test_an_expired_retry_comes_back_to_its_own_queue_alone_after_its_delay(amqp_url: str) -> None:
    started = time.monotonic()
    waiting = [Said(topology.retry_key("5s", name), name.encode(), {"x-attempt": 1}) for name in WORK]
    await queues.publish(amqp_url, waiting, exchange=topology.RETRY)
    back = [await taken(amqp_url, name) for name in WORK]
    assert 5 <= time.monotonic() - started < 30
    assert [message.body.decode() for message in back] == WORK
    assert all(message.headers["x-attempt"] == 1 for message in back)
    waited = [[(entry["queue"], entry["reason"]) for entry in message.headers["x-death"]] for message in back]  # type: ignore[index,union-attr,call-overload]
    assert waited == [[(topology.retry_queue_name(name.partition(".")[0], "5s"), "expired")] for name in WORK]
    await all_empty(amqp_url)


async def test_an_event_is_in_its_journal_and_in_the_queues_that_list_it(amqp_url: str, bus: Bus) -> None:
    for event_type in topology.EVENT_TYPES:
        await bus.publish_body(event_type, event_type.encode(), "story")
    expected = {queue.name: len(queue.event_types) for queue in topology.WORK_QUEUES}

    async def journalled() -> list[Said]:
        found = await queues.journal(amqp_url)
        return found if len(found) > len(topology.EVENT_TYPES) else []

    journal = await until("the journals hold every event", journalled)
    assert await queues.depths(amqp_url) == expected
    # The mark of a reading stands in both.
    assert sorted(each.routing_key for each in journal) == sorted((*topology.EVENT_TYPES, topology.JOURNAL_MARK))
    assert {each.routing_key for each in journal[-3:]} == {*topology.PAGE_EVENTS, topology.JOURNAL_MARK}


def said(name: str) -> Said:
    return Said(topology.work_key(name, "test"), name.encode(), {})
