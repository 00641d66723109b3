"""Broker and database as containers, where a Docker engine answers and has the images or can get them."""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from lifecycle.exits import Failure
from lifecycle.stack import catalogue, management
from lifecycle.stack.docker_engine import BROKER_IMAGE, DATABASE_IMAGE, PASSWORD_FILE
from lifecycle.stack.ports import free_ports
from lifecycle.stack.servers import NamedProcess, with_path
from lifecycle.stack.service_process import port_probe

_START_SECONDS = 120.0
_USER = "lifecycle"


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


def kept_password(folder: Path) -> str:
    """The password of a container's volume: made once, kept beside the stack's other keys."""
    path = folder / PASSWORD_FILE
    if not path.is_file():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text()
