"""Virtual hosts and bindings through RabbitMQ's management API: a fraction of the time of a `rabbitmqctl` call."""

from http import HTTPStatus
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx

from lifecycle.exits import Failure
from lifecycle.stack.certificates import certificates_for
from lifecycle.stack.servers import login_of
from shared import topology

_SECONDS = 30.0


async def create_vhost(management_url: str, name: str, user: str) -> None:
    """Makes an empty virtual host that `user` may do anything in; an old one of that name is deleted."""
    async with _client(management_url) as client:
        await _delete(client, name)
        vhost = quote(name, safe="")
        await _check(await client.put(f"/api/vhosts/{vhost}", json={}), f"virtual host {name} cannot be made")
        grant = {"configure": ".*", "write": ".*", "read": ".*"}
        path = f"/api/permissions/{vhost}/{quote(user, safe='')}"
        await _check(await client.put(path, json=grant), f"virtual host {name} cannot be opened to {user}")


async def delete_vhost(management_url: str, name: str) -> None:
    """Deletes a virtual host; nothing happens where there is none."""
    async with _client(management_url) as client:
        await _delete(client, name)


async def answers(management_url: str) -> bool:
    """Whether the API answers and every virtual host runs."""
    try:
        async with _client(management_url) as client:
            return (await client.get("/api/health/checks/virtual-hosts")).is_success
    except httpx.TransportError:
        return False


async def missing_bindings(management_url: str, amqp_url: str) -> list[tuple[str, str, str]]:
    """The bindings of the topology that the virtual host of `amqp_url` has not: exchange, key and queue of each.

    Raises `Failure` where the API refuses, `httpx.TransportError` where it is not there.
    """
    name = unquote(urlsplit(amqp_url).path.removeprefix("/")) or "/"
    async with _client(management_url) as client:
        response = await client.get(f"/api/bindings/{quote(name, safe='')}")
        await _check(response, f"the bindings of virtual host {name} cannot be read")
    there = {(one["source"], one["routing_key"], one["destination"]) for one in response.json()}
    wanted = [(exchange, key, queue.name) for queue in topology.queues() for exchange, key in queue.bindings]
    return [binding for binding in wanted if binding not in there]


def _client(management_url: str) -> httpx.AsyncClient:
    parts = urlsplit(management_url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
    return httpx.AsyncClient(
        base_url=bare,
        auth=login_of(management_url),
        timeout=_SECONDS,
        verify=certificates_for(management_url),
        trust_env=False,  # a proxy from the environment would be asked for 127.0.0.1
    )


async def _delete(client: httpx.AsyncClient, name: str) -> None:
    response = await client.delete(f"/api/vhosts/{quote(name, safe='')}")
    if response.status_code != HTTPStatus.NOT_FOUND:
        await _check(response, f"virtual host {name} cannot be deleted")


async def _check(response: httpx.Response, message: str) -> None:
    if not response.is_success:
        raise Failure(f"{message}: the management API answered {response.status_code}")
