"""The services under test: as the processes that they are in production, or as tasks in the test's own loop."""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import structlog

from lifecycle.stack.certificates import certificates_for
from lifecycle.stack.ports import free_ports
from services.fetcher.app import create_app as create_fetcher
from services.fetcher.settings import FetcherSettings
from services.normalizer.app import NormalizerSettings
from services.normalizer.app import create_app as create_normalizer
from services.scheduler.app import create_app as create_scheduler
from services.scheduler.settings import SchedulerSettings
from services.writeback.app import create_app as create_writeback
from services.writeback.settings import WritebackSettings
from services.writer.app import WriterSettings
from services.writer.app import create_app as create_writer
from shared.runtime import Service, main
from shared.settings import ServiceSettings
from tests.support.forks import Fork, variables_of
from tests.support.stage import Stage
from tests.support.waiting import until

_START_SECONDS = 90.0
_END_SECONDS = 60.0


@dataclass(frozen=True)
class _Kind:
    settings: type[ServiceSettings]
    create: Callable[[Any], Service]


KINDS: Mapping[str, _Kind] = {
    "fetcher": _Kind(FetcherSettings, create_fetcher),
    "normalizer": _Kind(NormalizerSettings, create_normalizer),
    "writer": _Kind(WriterSettings, create_writer),
    "writeback": _Kind(WritebackSettings, create_writeback),
    "scheduler": _Kind(SchedulerSettings, create_scheduler),
}
SERVICES = tuple(KINDS)

# A test waits for what the clock does: it ticks quickly, and the budget is no matter but where a test says so.
_QUICK: Mapping[str, Any] = {
    "tick_seconds": 0.2,
    "outbox_sweep_after_seconds": 1.0,
    "push_gather_seconds": 0.02,
    "rmm_budget": 100_000,
    # Older than the line: dates are read device by device only where a test says so, for others count requests.
    "detail_freshness_seconds": 4_000_000_000,
    "log_level": "DEBUG",
}


def settings_of(service: str, stage: Stage, rmm_url: str, changed: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a service by name: the test's addresses, quick clocks, and what the test says."""
    known = KINDS[service].settings.model_fields
    addresses = {
        "amqp_url": stage.amqp_url,
        "database_url": stage.database_url,
        "rmm_base_url": rmm_url,
        "secret_keys": stage.keys.private_text.get_secret_value(),
    }
    unknown = [name for name in changed if not any(name in kind.settings.model_fields for kind in KINDS.values())]
    assert not unknown, f"no service has the settings {unknown}"
    return {name: value for name, value in {**_QUICK, **addresses, **changed}.items() if name in known}


# -- in the test's loop --------------------------------------------------------------------------------------------


class _Running:
    """One service as a task of its own, entered and left by that task."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._ready = asyncio.Event()
        self._leave = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self.service.running():
            self._ready.set()
            await self._leave.wait()

    async def started(self) -> None:
        """Return when it consumes; raises what kept it from starting."""
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Leave it as SIGTERM does."""
        self._leave.set()
        await self._task


class LoopPipeline:
    """Services in the test's own loop: nothing to start, so most tests of behaviour use this one."""

    def __init__(self, stage: Stage, rmm_url: str, **settings: Any) -> None:
        self._stage = stage
        self._rmm_url = rmm_url
        self._settings = settings
        self._running: dict[str, list[_Running]] = {}

    async def start(self, *services: str, replicas: int = 1) -> None:
        """Start these services, all of them where none is named."""
        _log_in_lines()
        made = [(name, self._make(name)) for name in services or SERVICES for _ in range(replicas)]
        for name, running in made:
            self._running.setdefault(name, []).append(running)
        await asyncio.gather(*(running.started() for _, running in made))

    async def stop(self, *services: str) -> None:
        """Stop these services cleanly, all of them where none is named."""
        for name in services or tuple(self._running):
            await asyncio.gather(*(running.stop() for running in self._running.pop(name, [])))

    def service(self, name: str) -> Service:
        """The first replica of a service, for a look at its health."""
        return self._running[name][0].service

    def _make(self, name: str) -> _Running:
        kind = KINDS[name]
        settings = kind.settings(**settings_of(name, self._stage, self._rmm_url, self._settings))
        return _Running(kind.create(settings))


def _log_in_lines() -> None:
    """A line for each entry: structlog's own way shows every local variable of a traceback."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ]
    )


# -- as processes --------------------------------------------------------------------------------------------------


@dataclass
class Replica:
    """One process of a service."""

    service: str
    number: int
    variables: dict[str, str] = field(repr=False)
    log: Path
    health_url: str
    child: Fork = field(repr=False)

    @property
    def name(self) -> str:
        """Such as writer-2."""
        return f"{self.service}-{self.number}"

    def runs(self) -> bool:
        """Whether the process lives."""
        return self.child.exit_code() is None


class ProcessPipeline:
    """Services as processes, each replica with its own settings, port and log."""

    def __init__(self, stage: Stage, rmm_url: str, folder: Path, **settings: Any) -> None:
        self._stage = stage
        self._rmm_url = rmm_url
        self._folder = folder
        self._settings = settings
        self.replicas: list[Replica] = []

    async def start(self, *services: str, replicas: int = 1) -> None:
        """Start so many of each of these services, all of them where none is named, and wait until they consume."""
        wanted = [(name, number) for name in services or SERVICES for number in range(1, replicas + 1)]
        ports = free_ports(len(wanted))
        made = [self._launch(name, number, port) for (name, number), port in zip(wanted, ports, strict=True)]
        self.replicas += made
        await self.ready(*made)

    async def ready(self, *replicas: Replica) -> None:
        """Wait until these, or all, say that they do their job."""
        async with httpx.AsyncClient(timeout=10, verify=certificates_for("http://127.0.0.1"), trust_env=False) as http:
            await asyncio.gather(*(self._ready(http, replica) for replica in replicas or self.replicas))

    async def health(self, replica: Replica) -> httpx.Response:
        """What a replica says of itself."""
        async with httpx.AsyncClient(timeout=10, verify=certificates_for("http://127.0.0.1"), trust_env=False) as http:
            return await http.get(f"{replica.health_url}/ready")

    def of(self, service: str) -> list[Replica]:
        """The replicas of a service."""
        return [replica for replica in self.replicas if replica.service == service]

    async def kill(self, replica: Replica) -> None:
        """SIGKILL, and wait until it is gone."""
        replica.child.send(signal.SIGKILL)
        assert await replica.child.wait(_END_SECONDS) is not None

    async def terminate(self, replica: Replica) -> float:
        """SIGTERM, and wait for its clean end; returns how many seconds that took."""
        began = time.monotonic()
        replica.child.send(signal.SIGTERM)
        code = await replica.child.wait(_END_SECONDS)
        assert code == 0, f"{replica.name} ended with {code}: {self.log(replica)[-2000:]}"
        return time.monotonic() - began

    def start_again(self, replica: Replica) -> None:
        """Start the process of a replica that has ended, as a supervisor does; it gets ready by itself."""
        replica.child = self._child(replica.service, replica.variables, replica.log)

    async def stop(self) -> None:
        """SIGTERM to all, and wait."""
        await asyncio.gather(*(self.terminate(replica) for replica in self.replicas if replica.runs()))

    async def end(self) -> None:
        """End whatever still runs, at once."""
        await asyncio.gather(*(replica.child.stop(0) for replica in self.replicas))

    def log(self, replica: Replica) -> str:
        """What a replica has said so far, over all of its lives."""
        return replica.log.read_text(errors="replace")

    def logs(self) -> dict[str, str]:
        """What each replica has said."""
        return {replica.name: self.log(replica) for replica in self.replicas}

    def _launch(self, service: str, number: int, port: int) -> Replica:
        values = settings_of(service, self._stage, self._rmm_url, self._settings) | {"http_port": port}
        variables = variables_of(values)
        log = self._folder / f"{service}-{number}.log"
        child = self._child(service, variables, log)
        return Replica(service, number, variables, log, f"http://127.0.0.1:{port}/health", child)

    def _child(self, service: str, variables: dict[str, str], log: Path) -> Fork:
        # What `python -m services.…` does.
        return Fork.start(main, KINDS[service].create, variables=variables, folder=self._folder, log=log)

    async def _ready(self, http: httpx.AsyncClient, replica: Replica) -> None:
        async def ask() -> bool:
            assert replica.runs(), f"{replica.name} ended by itself: {self.log(replica)[-2000:]}"
            try:
                return (await http.get(f"{replica.health_url}/ready")).is_success
            except httpx.TransportError:
                return False

        await until(f"{replica.name} is ready", ask, within=_START_SECONDS)
