"""Broker and database as containers, where a Docker engine answers and has the images or can get them."""

import asyncio
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from lifecycle.exits import Failure
from lifecycle.settings import environment
from lifecycle.stack import catalogue, management
from lifecycle.stack.ports import free_ports
from lifecycle.stack.servers import NamedProcess, with_path
from lifecycle.stack.service_process import port_probe

BROKER_IMAGE = "rabbitmq:4-management"
DATABASE_IMAGE = "postgres:17"
_ENGINE_SECONDS = 5
_PULL_SECONDS = 180.0
_START_SECONDS = 120.0
_USER = "lifecycle"
_PASSWORD_FILE = "container-password"  # noqa: S105 - the name of a file


async def engine_answers() -> bool:
    """Whether there is a Docker engine that we can talk to."""
    return _can_ask() and await asyncio.to_thread(_pings)


async def engine_has(image: str, say: Callable[[str], None]) -> bool:
    """Whether an engine answers and has the image, or gets it in three minutes; False where anything is amiss."""
    if not await engine_answers():
        return False
    say(f"getting the image {image} where the engine does not have it")
    result: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        found = _has_or_pulls(image)
        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(_answer, result, found)

    # A pull cannot be broken off; a daemon thread does not keep the command from ending.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return await asyncio.wait_for(result, _PULL_SECONDS)
    except TimeoutError:
        return False


def _answer(result: "asyncio.Future[bool]", found: bool) -> None:  # noqa: FBT001 - what it was waited for
    if not result.done():
        result.set_result(found)


def _can_ask() -> bool:
    return find_spec("testcontainers") is not None and find_spec("docker") is not None


def _pings() -> bool:
    # The client library leaves its socket open where nobody listens, and takes a while to import.
    if not _listens():
        return False
    docker = _docker()
    try:
        client = docker.from_env(timeout=_ENGINE_SECONDS)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except (docker.errors.DockerException, OSError):
        return False


def _listens() -> bool:
    address = urlsplit(environment().get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    try:
        if address.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(_ENGINE_SECONDS)
                client.connect(address.path)
        else:
            socket.create_connection((address.hostname or "", address.port or 2375), _ENGINE_SECONDS).close()
    except OSError:
        return False
    return True


def _has_or_pulls(image: str) -> bool:
    docker = _docker()
    try:
        client = docker.from_env(timeout=_ENGINE_SECONDS)
        try:
            client.images.get(image)
        except docker.errors.ImageNotFound:
            puller = docker.from_env(timeout=int(_PULL_SECONDS))
            puller.images.pull(*image.split(":"))
            puller.close()
        finally:
            client.close()
    except (docker.errors.DockerException, OSError):
        return False
    return True


def _docker() -> Any:
    # Comes with testcontainers, which is for developers; imported where an engine is asked for, and untyped.
    import_module("docker.errors")
    return import_module("docker")


def remove_container(container_id: str) -> None:
    """Removes a container that an ended supervisor left; nothing happens where it is gone."""
    docker = _docker()
    with suppress(docker.errors.DockerException, OSError):
        docker.from_env(timeout=_ENGINE_SECONDS).containers.get(container_id).remove(force=True)


@dataclass
class _Container:
    """One container with fixed ports and a named volume, so that it comes back with the same address and data."""

    image: str
    name: str
    variables: dict[str, str]
    ports: dict[int, int]
    volume: str | None
    volume_path: str
    running: Any = field(default=None, repr=False)

    def start(self) -> str:
        """Starts it and returns the host its ports are at."""
        from testcontainers.core.config import testcontainers_config  # noqa: PLC0415 - for developers
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - the same

        # Its watchdog needs an image of its own and ends containers with the process; `down` does that here.
        testcontainers_config.ryuk_disabled = True
        container = DockerContainer(self.image).with_envs(**self.variables)
        for inside, outside in self.ports.items():
            container = container.with_bind_ports(inside, outside)
        if self.volume is not None:
            container = container.with_volume_mapping(self.volume, self.volume_path, "rw")
        # A killed server inside is started again by the engine.
        container = container.with_kwargs(restart_policy={"Name": "always"}, hostname=self.name)
        self.running = container.start()
        return str(container.get_container_host_ip())

    def stop(self) -> None:
        """Stops it cleanly and removes it; a named volume stays."""
        if self.running is not None:
            with suppress(Exception):  # whatever the engine says, removal below is what counts
                self.running.get_wrapped_container().stop(timeout=20)
            self.running.stop(force=True, delete_volume=True)
            self.running = None

    def kill(self) -> None:
        """Ends it at once."""
        if self.running is not None:
            self.running.stop(force=True, delete_volume=True)
            self.running = None

    def container_id(self) -> str | None:
        """The id, for whoever cleans up after us."""
        return str(self.running.get_wrapped_container().id) if self.running is not None else None


class _ContainerServer:
    """What the two servers have in common."""

    def __init__(self, container: _Container, description: str) -> None:
        self._container = container
        self._host = "127.0.0.1"
        self.description = description

    async def _launch(self, answers: Callable[[], Any]) -> None:
        self._host = await asyncio.to_thread(self._container.start)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if await answers():
                return
            await asyncio.sleep(0.2)
        await self.kill()
        raise Failure(f"the container of {self._container.image} does not get ready", "see: docker ps; docker logs")

    async def stop(self) -> None:
        """Stops and removes the container; its data stay in the volume."""
        await asyncio.to_thread(self._container.stop)

    async def kill(self) -> None:
        """Ends it at once."""
        await asyncio.to_thread(self._container.kill)

    def running(self) -> bool:
        """The engine starts it again by itself, so there is nothing to watch while it is meant to run."""
        return self._container.running is not None

    def processes(self) -> list[NamedProcess]:
        """None: they are the engine's."""
        return []

    def containers(self) -> list[str]:
        """The ids of the containers that are ours to remove."""
        found = self._container.container_id()
        return [found] if found is not None else []


class ContainerBroker(_ContainerServer):
    """A RabbitMQ container."""

    def __init__(self, name: str, password: str | None = None, volume: str | None = None) -> None:
        self._password = password or secrets.token_urlsafe(24)
        self._amqp_port, self._management_port = free_ports(2)
        variables = {"RABBITMQ_DEFAULT_USER": _USER, "RABBITMQ_DEFAULT_PASS": self._password}
        ports = {5672: self._amqp_port, 15672: self._management_port}
        container = _Container(BROKER_IMAGE, name, variables, ports, volume, "/var/lib/rabbitmq")
        super().__init__(container, f"RabbitMQ in Docker ({BROKER_IMAGE}) on port {self._amqp_port}")

    @property
    def amqp_url(self) -> str:
        """The default virtual host."""
        return f"amqp://{_USER}:{self._password}@{self._host}:{self._amqp_port}/"

    @property
    def management_url(self) -> str:
        """The management API, with user and password."""
        return f"http://{_USER}:{self._password}@{self._host}:{self._management_port}"

    async def start(self) -> None:
        """Starts the container and waits until the broker takes connections."""
        if not self.running():
            await self._launch(self._answers)

    async def create_vhost(self, name: str) -> str:
        """Makes an empty virtual host (an old one of that name is deleted) and returns its AMQP address."""
        await management.create_vhost(self.management_url, name, _USER)
        return with_path(self.amqp_url, name)

    async def delete_vhost(self, name: str) -> None:
        """Deletes a virtual host with all that is in it."""
        await management.delete_vhost(self.management_url, name)

    async def _answers(self) -> bool:
        return await port_probe(self._amqp_port, self._host)() and await management.answers(self.management_url)


class ContainerDatabase(_ContainerServer):
    """A Postgres container."""

    def __init__(self, name: str, password: str | None = None, volume: str | None = None) -> None:
        self._password = password or secrets.token_urlsafe(24)
        (self._port,) = free_ports(1)
        variables = {"POSTGRES_USER": _USER, "POSTGRES_PASSWORD": self._password, "POSTGRES_DB": "lifecycle"}
        path = "/var/lib/postgresql/data"
        container = _Container(DATABASE_IMAGE, name, variables, {5432: self._port}, volume, path)
        super().__init__(container, f"Postgres in Docker ({DATABASE_IMAGE}) on port {self._port}")

    @property
    def database_url(self) -> str:
        """The stack's own database."""
        return f"postgresql://{_USER}:{self._password}@{self._host}:{self._port}/lifecycle"

    async def start(self) -> None:
        """Starts the container and waits until the database takes connections."""
        if not self.running():
            await self._launch(self._answers)

    async def create_database(self, name: str, template: str | None = None) -> str:
        """Makes an empty database (an old one of that name is dropped) and returns its address."""
        await catalogue.create_database(with_path(self.database_url, "postgres"), name, template)
        return with_path(self.database_url, name)

    async def drop_database(self, name: str) -> None:
        """Drops a database, and whoever is connected to it."""
        await catalogue.drop_database(with_path(self.database_url, "postgres"), name)

    async def _answers(self) -> bool:
        try:
            await catalogue.ensure_database(with_path(self.database_url, "postgres"), "lifecycle")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        return True


def container_name(root: Path, what: str) -> str:
    """The name of a stack's container and of its volume: another one for each checkout."""
    return f"lifecycle-{what}-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"


def remove_volumes(root: Path, keys: Path) -> None:
    """Removes what a stack's containers have stored; nothing happens where it never had any."""
    if not (keys / _PASSWORD_FILE).is_file() or not _can_ask():
        return
    docker = _docker()
    for what in ("broker", "database"):
        with suppress(docker.errors.DockerException, OSError):
            docker.from_env(timeout=_ENGINE_SECONDS).volumes.get(container_name(root, what)).remove(force=True)


def kept_password(folder: Path) -> str:
    """The password of a container's volume: made once, kept beside the stack's other keys."""
    path = folder / _PASSWORD_FILE
    if not path.is_file():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text()
