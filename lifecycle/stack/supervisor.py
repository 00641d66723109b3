"""Starts everything in order, keeps it running, and ends it in the reverse order."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lifecycle.exits import Failure, failure_of
from lifecycle.settings import CommandSettings, environment
from lifecycle.stack import preparation
from lifecycle.stack.choice import choose_broker, choose_database
from lifecycle.stack.containers import ContainerBroker, ContainerDatabase
from lifecycle.stack.fleet import make_services, make_simulator
from lifecycle.stack.keys import ensure_keys
from lifecycle.stack.layout import Layout
from lifecycle.stack.plan import Plan
from lifecycle.stack.remains import clear_remains
from lifecycle.stack.servers import Broker, Database, Server
from lifecycle.stack.service_process import ServiceProcess
from lifecycle.stack.services import ServiceAddresses
from lifecycle.stack.state import ProcessRecord, StackState, read_state, sole_supervisor, write_state

_READY_SECONDS: Final = 120.0
_PATIENCE_SECONDS: Final = 10.0
_WATCH_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0


@dataclass
class Stop:
    """How a stack is told to end: `asked` for a clean end, `at_once` for a hard one."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self) -> None:
        """Once: cleanly. Twice: at once."""
        (self.at_once if self.asked.is_set() else self.asked).set()


class Supervisor:
    """One stack: `run` brings it up, keeps every process of it running until it is told to stop, and ends it.

    Holds the folder's lock for all that time, so there is one at most. What runs is in the state file at any moment.
    """

    def __init__(
        self,
        layout: Layout,
        plan: Plan,
        settings: CommandSettings,
        supervisor: tuple[int, str],
        say: Callable[[str], None],
    ) -> None:
        self._layout = layout
        self._plan = plan
        self._settings = settings
        self._say_on = say
        self._state = StackState(supervisor_pid=supervisor[0], supervisor_started=supervisor[1])
        self._servers: list[Server] = []
        self._processes: list[ServiceProcess] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, stop: Stop) -> None:
        """Runs the stack until it is stopped; raises `Failure` where it does not come up, after ending it."""
        self._layout.create()
        with sole_supervisor(self._layout.lock_file):
            left = read_state(self._layout.state_file)
            if left is not None:
                await clear_remains(left)
            self._publish()
            failure: Failure | None = None
            try:
                if await _unless_stopped(self._bring_up(), stop):
                    self._say("everything is ready")
                    self._change(replace(self._state, phase="ready"))
                    await stop.asked.wait()
            except Exception as error:
                failure = failure_of(error)
                raise
            finally:
                await self._take_down(stop, failure)

    async def _bring_up(self) -> None:
        broker = await choose_broker(self._layout, self._settings, self._say)
        database = await choose_database(self._layout, self._settings, self._say)
        self._servers = [broker, database]
        self._say(f"broker: {broker.description}")
        self._say(f"database: {database.description}")
        await _all(server.start() for server in self._servers)
        self._change(
            replace(
                self._state,
                amqp_url=broker.amqp_url,
                management_url=broker.management_url,
                database_url=database.database_url,
                containers=_containers(broker, database),
            )
        )
        self._tasks += [asyncio.create_task(self._keep_server(server)) for server in self._servers]
        simulator = self._start_simulator()
        await preparation.prepare(broker.amqp_url, database.database_url, self._say)
        if simulator is not None:
            await self._await_ready([simulator])
        await self._start_services(broker, database)

    def _start_simulator(self) -> ServiceProcess | None:
        if self._settings.rmm_base_url is not None:
            self._say(f"RMM: {self._settings.rmm_base_url}, from LIFECYCLE_RMM_BASE_URL")
            self._change(replace(self._state, rmm_base_url=self._settings.rmm_base_url))
            return None
        if not self._plan.simulator:
            return None
        made = make_simulator(self._layout, self._plan, environment(), self._publish)
        if made is None:
            return None
        process, url, client_id = made
        self._say(f"simulated RMM: {self._plan.devices} devices of {self._plan.companies} companies at {url}")
        self._change(replace(self._state, rmm_base_url=url, simulator_client_id=client_id))
        self._keep([process])
        return process

    async def _start_services(self, broker: Broker, database: Database) -> None:
        keys = ensure_keys(self._layout, self._settings)
        addresses = ServiceAddresses(
            broker.amqp_url, database.database_url, self._state.rmm_base_url, keys.private, keys.sealing
        )
        services, console_url = make_services(self._layout, self._plan, addresses, environment(), self._publish)
        self._keep(services)
        self._say(f"services: {', '.join(dict.fromkeys(service.name for service in services)) or 'none yet'}")
        await self._await_ready(services)
        self._change(replace(self._state, console_url=console_url))

    def _keep(self, processes: Sequence[ServiceProcess]) -> None:
        self._processes += processes
        self._tasks += [asyncio.create_task(process.keep_running()) for process in processes]

    async def _await_ready(self, processes: Sequence[ServiceProcess]) -> None:
        waiting = asyncio.gather(*(process.await_ready(_READY_SECONDS) for process in processes))
        await asyncio.wait({waiting}, timeout=_PATIENCE_SECONDS)
        slow = [process.name for process in processes if not process.ready]
        if slow:
            self._say(f"waiting for {', '.join(slow)}")
        ready = await waiting
        for process, is_ready in zip(processes, ready, strict=True):
            if not is_ready:
                raise Failure(
                    f"{process.name} does not get ready; it said: {process.last_words()}",
                    f"read {process.log}",
                )

    async def _keep_server(self, server: Server) -> None:
        pause = _WATCH_SECONDS
        while True:
            await asyncio.sleep(pause)
            if server.running():
                pause = _WATCH_SECONDS
                continue
            self._say(f"starting again: {server.description}")
            try:
                await server.start()
                self._publish()
            except (Failure, OSError) as error:
                self._say(failure_of(error).message)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _take_down(self, stop: Stop, failure: Failure | None) -> None:
        self._change(replace(self._state, phase="stopping"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if not await _unless(stop.at_once, self._end_cleanly()):
                self._say("stopping at once")
                await _all([*(one.kill() for one in self._processes), *(one.kill() for one in self._servers)])
        finally:
            if failure is None:
                self._state = replace(self._state, phase="stopped", processes=(), containers=())
            else:
                self._state = replace(
                    self._state,
                    phase="failed",
                    error=failure.message,
                    error_code=int(failure.code),
                    next_step=failure.next_step,
                    processes=(),
                    containers=(),
                )
            write_state(self._layout.state_file, self._state)

    async def _end_cleanly(self) -> None:
        # Services first: what they have in hand they finish with the broker and the database still there.
        if self._processes:
            self._say("stopping the services")
            await _all(process.stop() for process in self._processes)
        self._say("stopping broker and database")
        await _all(server.stop() for server in self._servers)

    def _say(self, text: str) -> None:
        self._say_on(text)
        self._change(replace(self._state, steps=(*self._state.steps, text)[-200:]))

    def _change(self, state: StackState) -> None:
        self._state = state
        self._publish()

    def _publish(self) -> None:
        records = [record for process in self._processes if (record := process.record()) is not None]
        servers = [
            ProcessRecord("server", process.name, 1, process.identity.pid, process.identity.started)
            for server in self._servers
            for process in server.processes()
        ]
        self._state = replace(self._state, processes=(*records, *servers))
        write_state(self._layout.state_file, self._state)


def _containers(*servers: Server) -> tuple[str, ...]:
    ids = [server.containers() for server in servers if isinstance(server, ContainerBroker | ContainerDatabase)]
    return tuple(one for several in ids for one in several)


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Runs all of it to its end, and then raises the first failure: none of it is left half done."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _unless_stopped(work: Coroutine[Any, Any, None], stop: Stop) -> bool:
    return await _unless(stop.asked, work)


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Runs the work to its end, or breaks it off when the event comes; whether it came to its end."""
    doing = asyncio.create_task(work)
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            await doing
            return True
        doing.cancel()
        with suppress(asyncio.CancelledError):
            await doing
        return False
    finally:
        waiting.cancel()
