"""One replica of a service: started, watched, and started again whenever it ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import httpx

from lifecycle.stack.certificates import certificates_for
from lifecycle.stack.processes import Child, Start
from lifecycle.stack.state import ProcessRecord

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_HEALTHY_SECONDS = 30.0
_PROBE_SECONDS = 0.25
_CALM_PROBE_SECONDS = 2.0
_STOP_SECONDS = 30.0
# About half a minute: whoever waits for the first readiness is told then; it is started again all the same.
_HOPELESS_RESTARTS = 8

Probe = Callable[[], Awaitable[bool]]


class ServiceProcess:
    """A process that is kept running until `stop`.

    `keep_running` is to be run as a task. `changed` is called whenever the pid or the readiness is another one.
    """

    def __init__(
        self,
        name: str,
        replica: int,
        start: Start,
        probe: Probe,
        *,
        kind: Literal["service", "simulator"] = "service",
        health_url: str | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.replica = replica
        self.restarts = 0
        self.ready = False
        self._start = start
        self._probe = probe
        self._kind: Literal["service", "simulator"] = kind
        self._health_url = health_url
        self._changed = changed
        self._child: Child | None = None
        self._stopping = False
        self._settled = asyncio.Event()

    @property
    def log(self) -> Path:
        """Where it writes what it says."""
        return self._start.log

    @property
    def pid(self) -> int | None:
        """The pid of the process that runs now; None between two."""
        return self._child.pid if self._child is not None and self._child.exit_code() is None else None

    def record(self) -> ProcessRecord | None:
        """The entry for the state; None between two processes."""
        if self._child is None or self.pid is None:
            return None
        return ProcessRecord(
            self._kind,
            self.name,
            self.replica,
            self._child.pid,
            self._child.identity.started,
            self._health_url,
            self.ready,
            self.restarts,
            str(self._start.log),
        )

    async def keep_running(self) -> None:
        """Starts the process, and again after each end: 0.2 s later at first, 5 s at most."""
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping:
            self._child = Child.start(self._start)
            began = time.monotonic()
            self._changed()
            await self._watch(self._child)
            if self._stopping:
                return
            if time.monotonic() - began >= _HEALTHY_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            self.restarts += 1
            if self.restarts >= _HOPELESS_RESTARTS:
                self._settled.set()

    async def await_ready(self, seconds: float) -> bool:
        """Waits until it says that it is ready; False where `seconds` ran out first, or it ends again and again."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), seconds)
        return self.ready

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL where it has not ended in time; it is not started again."""
        self._stopping = True
        if self._child is not None:
            await self._child.stop(_STOP_SECONDS)
        self._set_ready(ready=False)

    async def kill(self) -> None:
        """SIGKILL, and no restart."""
        self._stopping = True
        if self._child is not None:
            await self._child.stop(0)

    def last_words(self) -> str:
        """The last line of its log, for the message that it did not start."""
        try:
            lines = self._start.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:500]

    async def _watch(self, child: Child) -> None:
        while child.exit_code() is None:
            self._set_ready(ready=await self._probe())
            await child.wait(_CALM_PROBE_SECONDS if self.ready else _PROBE_SECONDS)
        self._set_ready(ready=False)

    def _set_ready(self, *, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            if ready:
                self._settled.set()
            self._changed()


def http_probe(url: str) -> Probe:
    """Whether the address answers with a success."""

    async def answers() -> bool:
        try:
            # trust_env: a proxy from the environment would be asked for 127.0.0.1.
            async with httpx.AsyncClient(timeout=5, trust_env=False, verify=certificates_for(url)) as client:
                return (await client.get(url)).is_success
        except httpx.HTTPError:
            return False

    return answers


def port_probe(port: int, host: str = "127.0.0.1") -> Probe:
    """Whether something takes connections on the port."""

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            return False
        writer.close()
        return True

    return listens
