"""A vhost that a test has used is given to another test only when nothing of the first is left in it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

import aio_pika
import httpx
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.connection import Connection, TCPTransportFactory
from yarl import URL

from lifecycle.stack.servers import login_of
from shared import topology
from shared.declaration import check, declare
from tests.support import queues
from tests.support.queues import Said
from tests.support.servers import TestServers
from tests.support.vhosts import RESTING, AsNew, Vhost, Vhosts

QUORUM = {"x-queue-type": "quorum"}


class Place:
    """A vhost that a test may spoil, and what decides on it."""

    def __init__(self, vhost: Vhost, as_new: AsNew, api: httpx.AsyncClient) -> None:
        self.vhost = vhost
        self.api = api
        self._as_new = as_new

    @property
    def url(self) -> str:
        """Its address."""
        return self.vhost.url

    @property
    def path(self) -> str:
        """Its name in the management API."""
        return quote(self.vhost.name, safe="")

    async def restored(self) -> bool:
        """Whether it is as new, made so where need be."""
        return await self._as_new.restore(self.vhost)

    async def put(self, path: str, body: object) -> None:
        """Have the management API do this."""
        (await self.api.put(f"/api/{path}", json=body)).raise_for_status()


@pytest.fixture
async def place(servers: TestServers, amqp_url: str) -> AsyncIterator[Place]:
    management_url = servers.broker.management_url
    assert management_url is not None
    vhost = Vhost(unquote(urlsplit(amqp_url).path.removeprefix("/")), amqp_url)
    as_new = AsNew(management_url, within=1)
    await as_new.learn(vhost)
    host = management_url.rpartition("@")[2]
    async with httpx.AsyncClient(base_url=f"http://{host}", auth=login_of(management_url), trust_env=False) as api:
        yield Place(vhost, as_new, api)


async def is_empty(url: str) -> bool:
    """Whether no queue holds anything, and no stream."""
    waiting = [found.name for found in await check(url) if found.messages or found.consumers]
    return not waiting and not await queues.journal(url)


def event(kind: str = "sync.requested") -> list[Said]:
    return [Said(kind, b"{}", {})]


async def test_one_that_was_left_as_it_was_is_as_new(place: Place) -> None:
    assert await place.restored()
    assert await place.restored()


async def test_messages_that_wait_are_gone_and_what_streams_keep(place: Place) -> None:
    await queues.publish(place.url, event())
    await queues.publish(place.url, [Said("5s.fetcher.syncs", b"{}", {})], exchange=topology.RETRY)
    await queues.publish(place.url, [Said("any", b"{}", {})], exchange=topology.DEAD)
    assert await place.restored()
    assert await is_empty(place.url)


async def test_a_message_that_was_in_hand_is_gone_when_its_consumer_is(place: Place) -> None:
    await queues.publish(place.url, event())
    async with queues.open_channel(place.url) as channel:
        taken: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
        await (await channel.get_queue("fetcher.syncs")).consume(taken.put)
        await taken.get()
        assert not await place.restored()
    assert await place.restored()
    assert await is_empty(place.url)


async def test_one_message_in_hand_without_a_consumer_is_seen_as_well(place: Place) -> None:
    await queues.publish(place.url, event())
    async with queues.open_channel(place.url) as channel:
        assert await (await channel.get_queue("fetcher.syncs")).get()
        assert not await place.restored()


async def test_whoever_stays_connected_keeps_it_from_others(place: Place) -> None:
    async with queues.open_channel(place.url):
        assert not await place.restored()


async def test_whoever_was_cut_off_in_the_middle_is_waited_for(place: Place) -> None:
    await queues.publish(place.url, event())
    wire = Wire()
    connection = Connection(place.url, transport_factory=wire)
    await connection.connect()
    await (await connection.channel()).basic_get("fetcher.syncs")
    wire.cut()
    assert await place.restored()
    assert await is_empty(place.url)
    await asyncio.gather(connection.close(), return_exceptions=True)


class Wire(TCPTransportFactory):
    """A connection's socket, which can end as at the death of its process: nothing is said to the broker."""

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, self._writer = await super().create(url, **kwargs)
        return reader, self._writer

    def cut(self) -> None:
        self._writer.transport.abort()


Spoiling = Callable[[AbstractChannel], Awaitable[object]]


async def _foreign_queue(channel: AbstractChannel) -> None:
    await channel.declare_queue("test.foreign", durable=True, arguments=QUORUM)


async def _foreign_exchange(channel: AbstractChannel) -> None:
    await channel.declare_exchange("test.foreign", durable=True)


async def _foreign_binding(channel: AbstractChannel) -> None:
    await (await channel.get_queue("fetcher.syncs")).bind(topology.EVENTS, "asset.changed")


async def _missing_binding(channel: AbstractChannel) -> None:
    await (await channel.get_queue("fetcher.syncs")).unbind(topology.EVENTS, "sync.requested")


async def _missing_queue(channel: AbstractChannel) -> None:
    await channel.queue_delete("fetcher.syncs")


async def _missing_exchange(channel: AbstractChannel) -> None:
    await channel.exchange_delete(topology.RETRY)


async def _other_arguments(channel: AbstractChannel) -> None:
    await channel.queue_delete("fetcher.syncs")
    queue = await channel.declare_queue("fetcher.syncs", durable=True, arguments=QUORUM)
    (ours,) = (each for each in topology.queues() if each.name == "fetcher.syncs")
    for exchange, key in ours.bindings:
        await queue.bind(exchange, key)


SPOILINGS = (
    _foreign_queue,
    _foreign_exchange,
    _foreign_binding,
    _missing_binding,
    _missing_queue,
    _missing_exchange,
    _other_arguments,
)


@pytest.mark.parametrize("spoiling", SPOILINGS, ids=[each.__name__.strip("_") for each in SPOILINGS])
async def test_one_in_which_anything_else_is_declared_is_not_used_again(place: Place, spoiling: Spoiling) -> None:
    async with queues.open_channel(place.url) as channel:
        await spoiling(channel)
    assert not await place.restored()


async def test_one_of_which_a_queue_was_deleted_is_not_used_again_though_it_was_declared_anew(place: Place) -> None:
    await queues.delete(place.url, "fetcher.syncs")
    assert await declare(place.url, settle=False) == ["fetcher.syncs"]
    assert not await place.restored()


async def test_one_with_a_policy_is_not_used_again(place: Place) -> None:
    await place.put(f"policies/{place.path}/limit", {"pattern": ".*", "definition": {"max-length": 1}})
    assert not await place.restored()


async def test_one_in_which_another_user_has_rights_is_not_used_again(place: Place) -> None:
    user = f"lesser-{uuid4().hex}"
    await place.put(f"users/{user}", {"password": uuid4().hex, "tags": ""})
    await place.put(f"permissions/{place.path}/{user}", {"configure": "", "write": "", "read": ".*"})
    assert not await place.restored()
    (await place.api.delete(f"/api/users/{user}")).raise_for_status()
    assert await place.restored()


@asynccontextmanager
async def vhosts_of(servers: TestServers) -> AsyncIterator[Vhosts]:
    vhosts = Vhosts(servers.broker, lambda: f"test_pool_{uuid4().hex[:8]}")
    yield vhosts
    await vhosts.drop_all()


async def test_the_one_that_has_rested_longest_is_taken(servers: TestServers) -> None:
    async with vhosts_of(servers) as vhosts:
        given = [await vhosts.take() for _ in range(RESTING)]
        for vhost in given:
            vhosts.give_back(vhost)
        taken = await vhosts.take()
        assert taken == given[0]
        vhosts.give_back(taken)


async def test_a_spoilt_one_is_deleted_and_a_new_one_is_given(servers: TestServers) -> None:
    async with vhosts_of(servers) as vhosts:
        given = [await vhosts.take() for _ in range(RESTING)]
        await queues.delete(given[0].url, "fetcher.syncs")
        for vhost in given:
            vhosts.give_back(vhost)
        taken = await vhosts.take()
        assert taken not in given
        assert all(found.present for found in await check(taken.url))
        with pytest.raises(aio_pika.exceptions.AMQPError):
            await aio_pika.connect(given[0].url)
        vhosts.give_back(taken)
