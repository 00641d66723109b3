"""The vhosts of a test session: each test takes one that is new, or one that was made as new.

To make a vhost with our queues and to delete it takes most of a second of the processor's time, for each quorum queue
is a machine of its own; to empty one takes a tenth of that. Where anything is not as it was declared, a vhost is not
used again.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aio_pika
import httpx
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPError

from lifecycle.stack.certificates import certificates_for
from lifecycle.stack.servers import Broker, login_of
from shared import topology
from shared.declaration import declare
from tests.support.queues import QUEUES, STREAMS
from tests.support.waiting import until

RESTING = 2
"""Of so many that were given back the oldest is taken: what was on its way when its test ended has arrived."""

_ANSWER_SECONDS = 10.0
# What waits for its time first, then what it would go to, then where that would end.
_ORDER = (
    *(name for name in QUEUES if ".retry." in name),
    *(queue.name for queue in topology.WORK_QUEUES),
    topology.DEAD_QUEUE,
)


@dataclass(frozen=True)
class Vhost:
    """A vhost with our topology."""

    name: str
    url: str


class Vhosts:
    """Gives each test a vhost, and takes it back."""

    def __init__(self, broker: Broker, new_name: Callable[[], str]) -> None:
        self._broker = broker
        self._new_name = new_name
        self._as_new = AsNew(broker.management_url) if broker.management_url else None
        self._resting: deque[Vhost] = deque()

    async def take(self) -> Vhost:
        """One with every exchange and queue, and nothing else."""
        if self._as_new is not None and len(self._resting) >= RESTING:
            used = self._resting.popleft()
            if await self._as_new.restore(used):
                return used
            await self.drop(used)
        return await self.make()

    def give_back(self, vhost: Vhost) -> None:
        """Let it rest; what is wrong with it is seen when it is to be taken again."""
        self._resting.append(vhost)

    async def drop(self, vhost: Vhost) -> None:
        """Delete it, and throw out whoever is connected to it."""
        await self._broker.delete_vhost(vhost.name)

    async def drop_all(self) -> None:
        """Delete those that rest."""
        while self._resting:
            await self.drop(self._resting.popleft())

    async def make(self, *, settle: bool = False) -> Vhost:
        """A new one; with `settle` its queues survive a kill -9."""
        name = self._new_name()
        url = await self._broker.create_vhost(name)
        await declare(url, settle=settle)
        made = Vhost(name, url)
        if self._as_new is not None:
            await self._as_new.learn(made)
        return made


class AsNew:
    """What a vhost is when it was just declared, and how a used one is made so again."""

    def __init__(self, management_url: str, *, within: float = 5.0) -> None:
        self._management_url = management_url
        self._within = within
        self._content: Any = None

    async def learn(self, vhost: Vhost) -> None:
        """Take this one, which is new, for what they are to be like; the first is enough."""
        if self._content is None:
            async with self._client() as client:
                # A limit that was set and taken away leaves an empty word among the parameters.
                await _limit(client, vhost, connections=1)
                await _limit(client, vhost, connections=None)
                self._content = await _content(client, vhost)

    async def restore(self, vhost: Vhost) -> bool:
        """Make a used vhost as new; False where it is not certain that it is."""
        try:
            async with self._client() as client:
                await _limit(client, vhost, connections=1)
                await self._empty(vhost)
                await _limit(client, vhost, connections=None)
                return await _content(client, vhost) == self._content
        except (AMQPError, OSError, AssertionError, httpx.HTTPError, TimeoutError):
            return False  # somebody stays connected, a queue is missing, or it does not get empty

    async def _empty(self, vhost: Vhost) -> None:
        # Ours is the only connection that it may have, so nobody else has any: what was unacked is in its queue again,
        # and nothing is published but by the queues themselves.
        connection = await until("everybody has left", lambda: _alone(vhost.url), within=self._within)
        async with asyncio.timeout(_ANSWER_SECONDS + self._within), connection:
            channel = await connection.channel()
            await until("its queues are empty", lambda: _purged(channel), within=self._within)
            await _begin_streams_anew(channel)

    def _client(self) -> httpx.AsyncClient:
        base = httpx.URL(self._management_url).copy_with(username="", password="")
        return httpx.AsyncClient(
            base_url=base,
            auth=login_of(self._management_url),
            timeout=_ANSWER_SECONDS,
            verify=certificates_for(self._management_url),
            trust_env=False,
        )


async def _alone(url: str) -> AbstractConnection | None:
    try:
        return await aio_pika.connect(url, timeout=_ANSWER_SECONDS)
    except AMQPError:
        return None


async def _purged(channel: AbstractChannel) -> bool:
    """Whether no queue holds a message or has a consumer; those that hold some are purged for the next look."""
    queues = await asyncio.gather(*(channel.declare_queue(name, passive=True) for name in _ORDER))
    full = [queue for queue in queues if queue.declaration_result.message_count]
    await asyncio.gather(*(queue.purge() for queue in full))
    return not full and not any(queue.declaration_result.consumer_count for queue in queues)


async def _begin_streams_anew(channel: AbstractChannel) -> None:
    """A stream cannot be purged, and its length is told with seconds of delay."""
    for stream in topology.queues():
        if stream.name in STREAMS:
            await channel.queue_delete(stream.name)
            declared = await channel.declare_queue(stream.name, durable=True, arguments=stream.arguments)
            await asyncio.gather(*(declared.bind(exchange, key) for exchange, key in stream.bindings))


async def _limit(client: httpx.AsyncClient, vhost: Vhost, *, connections: int | None) -> None:
    path = f"/api/vhost-limits/{quote(vhost.name, safe='')}/max-connections"
    if connections is None:
        (await client.delete(path)).raise_for_status()
    else:
        (await client.put(path, json={"value": connections})).raise_for_status()


async def _content(client: httpx.AsyncClient, vhost: Vhost) -> Any:
    """All that is declared in it, and who may do what there, in no order."""
    name = quote(vhost.name, safe="")
    paths = (f"definitions/{name}", f"vhosts/{name}/permissions", f"vhosts/{name}/topic-permissions")
    answers = [(await client.get(f"/api/{path}")).raise_for_status().json() for path in paths]
    text = json.dumps(answers).replace(json.dumps(vhost.name), '"this vhost"')
    return _in_order(json.loads(text))


def _in_order(value: Any) -> Any:
    """The same with every list sorted: the broker gives them in whatever order."""
    if isinstance(value, dict):
        return {key: _in_order(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted((_in_order(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
    return value
