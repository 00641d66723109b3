"""What is measured: private servers, a simulated RMM and all services, each a process of ours."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import httpx

from lifecycle.exits import Failure
from lifecycle.settings import CommandSettings, environment
from lifecycle.stack.binaries import find_postgres, find_rabbitmq, find_wheel_postgres
from lifecycle.stack.broker import LocalBroker
from lifecycle.stack.control import purge
from lifecycle.stack.database import LocalPostgres
from lifecycle.stack.keys import ensure_keys
from lifecycle.stack.layout import Layout, project_root
from lifecycle.stack.ports import free_ports
from lifecycle.stack.preparation import prepare
from lifecycle.stack.processes import Child, Start
from lifecycle.stack.services import Service, ServiceAddresses, installed_services, service_environment

_START_SECONDS = 120.0
_TEMPLATE = "bench_template"
# Older than any date: the slow sweep would go on through what is measured after a list.
_NO_DETAILS = 4_000_000_000


@dataclass(frozen=True)
class Rmm:
    """A running simulator."""

    url: str
    client_id: str
    client_secret: str
    process: Child
    tenants: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def tenant(self, name: str) -> "Rmm":
        """The same simulator with the key of a tenant beside the first."""
        pair = self.tenants[name]
        return replace(self, client_id=pair["client_id"], client_secret=pair["client_secret"])


@dataclass
class Servers:
    """A broker and a database of our own, with tables and queues; deleted at the end.

    Never those of the environment: their CPU could not be told from what others make them do.
    """

    layout: Layout = field(default_factory=lambda: Layout(project_root() / ".local" / "bench"))
    binaries: Path = field(init=False)
    broker: LocalBroker = field(init=False)
    database: LocalPostgres = field(init=False)
    amqp_url: str = field(init=False)
    rmms: list[Rmm] = field(default_factory=list[Rmm])
    _fresh: str | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        settings = CommandSettings()
        rabbitmq = find_rabbitmq(settings.rabbitmq_bin)
        postgres = find_postgres(settings.postgres_bin) or find_wheel_postgres(self.layout)
        if rabbitmq is None or postgres is None:
            raise Failure(
                "a benchmark needs RabbitMQ and Postgres installed on this machine",
                "install them (Debian and Ubuntu: apt-get install rabbitmq-server postgresql)",
            )
        purge(self.layout)
        self.layout.create()
        self.binaries = rabbitmq
        self.broker = LocalBroker(self.layout.broker, rabbitmq, log=self.layout.logs / "broker.log", throwaway=True)
        self.database = LocalPostgres(
            self.layout.database, postgres, log=self.layout.logs / "database.log", throwaway=True
        )
        try:
            await asyncio.gather(self.broker.start(), self.database.start())
            self.amqp_url = self.broker.amqp_url
            await prepare(self.amqp_url, await self.database.create_database(_TEMPLATE), lambda _: None)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(rmm.process.stop(5) for rmm in self.rmms))
        await asyncio.gather(self.broker.kill(), self.database.kill())
        purge(self.layout)

    async def fresh_database(self, name: str) -> str:
        """An empty database with our tables, in place of the one before.

        Left there, that one would be vacuumed by Postgres itself in the time of whoever comes next.
        """
        if self._fresh is not None:
            await self.database.drop_database(self._fresh)
        self._fresh = name
        return await self.database.create_database(name, _TEMPLATE)

    async def start_rmm(self, *options: object) -> Rmm:
        """Start a simulator and wait until it listens."""
        log = self.layout.logs / f"simulator-{len(self.rmms) + 1}.log"
        log.unlink(missing_ok=True)
        arguments = [sys.executable, "-m", "simulator", "--port", 0, *options]
        variables = {**environment(), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(project_root())}
        child = Child.start(Start(tuple(map(str, arguments)), variables, log, project_root()))
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and child.exit_code() is None:
            first, newline, _ = log.read_text().partition("\n")
            if newline and first.startswith("{"):
                told = json.loads(first)
                rmm = Rmm(told["url"], told["client_id"], told["client_secret"], child, told.get("tenants", {}))
                self.rmms.append(rmm)
                return rmm
            await asyncio.sleep(0.05)
        await child.stop(1)
        raise Failure("the simulator does not start", f"read {log}")

    async def start_fleet(self, devices: int, companies: int, *options: object) -> Rmm:
        """Start the simulator of a large tenant: the same fleet for everybody, no quota and no delay."""
        return await self.start_rmm("--devices", devices, "--companies", companies, "--seed", 7, "--quota", 0, *options)

    async def stop_rmm(self, rmm: Rmm) -> None:
        """End a simulator."""
        self.rmms.remove(rmm)
        await rmm.process.stop(5)

    def roots(self) -> dict[str, list[int]]:
        """Pids by name, for CPU readings."""
        return {
            "postgres": [one.identity.pid for one in self.database.processes()],
            "broker": [one.identity.pid for one in self.broker.processes()],
            "simulator": [rmm.process.pid for rmm in self.rmms],
        }


@dataclass
class Replica:
    """One process of a service."""

    service: Service
    process: Child
    port: int

    async def is_ready(self, client: httpx.AsyncClient) -> bool:
        """Whether it says that it does its job. Raises Failure where it has ended."""
        if self.process.exit_code() is not None:
            raise Failure(f"{self.service.name} has ended", "read its log")
        try:
            return (await client.get(f"http://127.0.0.1:{self.port}/health/ready")).is_success
        except httpx.HTTPError:
            return False


class Services:
    """All services on one database; `scale` says how many of one, none with 0."""

    def __init__(
        self,
        servers: Servers,
        database_url: str,
        rmm: Rmm,
        *,
        scale: Mapping[str, int] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self._servers = servers
        self._scale = dict(scale or {})
        values = {"detail_freshness_seconds": _NO_DETAILS, **(settings or {})}
        self._settings = {f"LIFECYCLE_{name.upper()}": str(value) for name, value in values.items()}
        keys = ensure_keys(servers.layout, CommandSettings())
        self._addresses = ServiceAddresses(servers.amqp_url, database_url, rmm.url, keys.private, keys.sealing)
        self.replicas: list[Replica] = []

    async def __aenter__(self) -> Self:
        for service in installed_services():
            self.start(service.name, self._scale.get(service.name, 1))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self, name: str, count: int = 1) -> None:
        """Start more processes of a service."""
        service = next(one for one in installed_services() if one.name == name)
        for port in free_ports(count) if count else []:
            variables = service_environment(service, environment(), self._addresses, port) | self._settings
            log = self._servers.layout.logs / f"{name}-{port}.log"
            child = Child.start(Start(service.arguments(), variables, log, project_root()))
            self.replicas.append(Replica(service, child, port))

    async def stop(self, name: str | None = None) -> None:
        """Stop all processes, or those of one service."""
        leaving = [one for one in self.replicas if name in {None, one.service.name}]
        await asyncio.gather(*(one.process.stop(30) for one in leaving))
        self.replicas = [one for one in self.replicas if one not in leaving]

    async def ready(self) -> None:
        """Wait until every process does its job. Raises Failure after two minutes."""
        deadline = time.monotonic() + _START_SECONDS
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            waiting = list(self.replicas)
            while waiting and time.monotonic() < deadline:
                answers = [await one.is_ready(client) for one in waiting]
                waiting = [one for one, ready in zip(waiting, answers, strict=True) if not ready]
                await asyncio.sleep(0.2 if waiting else 0)
        if waiting:
            names = ", ".join(one.service.name for one in waiting)
            raise Failure(f"not ready: {names}", f"read the logs in {self._servers.layout.logs}")

    def roots(self) -> dict[str, list[int]]:
        """Pids by service, with those of the servers, for CPU readings."""
        found: dict[str, list[int]] = self._servers.roots()
        for one in self.replicas:
            found.setdefault(one.service.name, []).append(one.process.pid)
        return found
