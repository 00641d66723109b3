"""A private RabbitMQ from the programs installed on this machine."""

import asyncio
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from lifecycle.exits import Failure
from lifecycle.stack import management
from lifecycle.stack.broker_files import USER, NodeFiles
from lifecycle.stack.processes import Child, ProcessId, Start, command_line, end, identify, send, wait_gone
from lifecycle.stack.servers import NamedProcess, with_path

# The start takes 4 to 7 s, and 24 s were seen on a loaded machine. Without a limit it can hang for ever and say
# nothing: a node name that does not resolve does that.
_START_SECONDS = 120.0
_STOP_SECONDS = 40.0
_POLL_SECONDS = 0.1
_TRIES = 3


class LocalBroker:
    """A RabbitMQ node of our own on free ports of 127.0.0.1, with its own epmd, user, cookie and data folder.

    `async with LocalBroker(folder, binaries) as broker` starts it and stops it; with `throwaway` it is killed at the
    end, which saves the six seconds of a clean stop. Ports, password and data stay in `folder`.
    """

    def __init__(self, folder: Path, binaries: Path, *, log: Path | None = None, throwaway: bool = False) -> None:
        self._folder = folder.absolute()
        self._binaries = binaries
        self._log = log or self._folder / "server.log"
        self._throwaway = throwaway
        self._files = NodeFiles.load(self._folder)
        self._epmd: Child | None = None
        self._server: Child | None = None

    @property
    def description(self) -> str:
        """What it is, in a few words."""
        return f"private RabbitMQ from {self._binaries} on port {self._files.ports.amqp}"

    @property
    def amqp_url(self) -> str:
        """The default virtual host."""
        return self._files.amqp_url

    @property
    def management_url(self) -> str:
        """The management API, with user and password."""
        return self._files.management_url

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await (self.kill() if self._throwaway else self.stop())

    async def start(self) -> None:
        """Starts the node, with its old ports and data where there are any, and waits until it takes connections."""
        if self.running():
            return
        await self._clear_remains()
        for attempt in range(1, _TRIES + 1):
            if attempt > 1 or not self._files.ports_are_free():
                self._files = self._files.with_new_ports()
            self._files.write()
            await self._launch()
            if await self._ready():
                return
            await self.kill()
        raise Failure("the private RabbitMQ does not start", f"read {self._log} and {self._folder / 'log'}")

    async def stop(self) -> None:
        """Stops the node cleanly, then our epmd."""
        if self._server is not None:
            if self._server.exit_code() is None:
                await self._server.stop(_STOP_SECONDS)
            await self._end_node(signal.SIGKILL)
            self._server = None
        await self._stop_epmd()

    async def kill(self) -> None:
        """SIGKILL to the Erlang machine, as a power cut would end it."""
        if self._server is not None:
            await self._end_node(signal.SIGKILL)
            if await self._server.wait(2) is None:
                await self._server.stop(1)
            self._server = None
        await self._stop_epmd()

    async def restart(self) -> None:
        """Stops it cleanly and starts it with the same ports and data."""
        await self.stop()
        await self.start()

    def running(self) -> bool:
        """Whether the node and its epmd run; starts a lost epmd again on the way out of `start` only."""
        return self._server is not None and self._server.exit_code() is None and self._node() is not None

    def processes(self) -> list[NamedProcess]:
        """The shell that started the node, the node itself and epmd."""
        found = [
            NamedProcess("broker", self._server.identity) if self._server is not None else None,
            NamedProcess("broker-epmd", self._epmd.identity) if self._epmd is not None else None,
        ]
        node = self._node()
        if node is not None:
            found.append(NamedProcess("broker-node", node))
        return [process for process in found if process is not None]

    async def create_vhost(self, name: str) -> str:
        """Makes an empty virtual host (an old one of that name is deleted) and returns its AMQP address."""
        await management.create_vhost(self.management_url, name, USER)
        return with_path(self.amqp_url, name)

    async def delete_vhost(self, name: str) -> None:
        """Deletes a virtual host with all that is in it."""
        await management.delete_vhost(self.management_url, name)

    async def _launch(self) -> None:
        # An epmd in the foreground is a process that we own; any other Erlang program would leave a daemon behind.
        epmd = shutil.which("epmd") or "epmd"
        port = self._files.ports.epmd
        arguments = (epmd, "-port", str(port), "-address", "127.0.0.1")
        variables = self._files.environment()
        self._epmd = Child.start(Start(arguments, variables, self._log, self._folder))
        # The node registers there once, at its start.
        for _ in range(100):
            if await _listens(port):
                break
            await asyncio.sleep(0.02)
        server = (str(self._binaries / "rabbitmq-server"),)
        self._server = Child.start(Start(server, variables, self._log, self._folder))

    async def _ready(self) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            # 3.10 ends with code 0 after a failed start: the code says nothing.
            if self._server is None or self._server.exit_code() is not None:
                return False
            if await _listens(self._files.ports.amqp) and await management.answers(self.management_url):
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    def _node(self) -> ProcessId | None:
        """The Erlang machine, by its pid file and only where its arguments name our folder."""
        try:
            pid = int(self._files.pid_file.read_text().strip())
        except (OSError, ValueError):
            return None
        return identify(pid) if str(self._folder) in command_line(pid) else None

    async def _end_node(self, number: signal.Signals) -> None:
        node = self._node()
        if node is not None:
            send(node, number)
            await wait_gone([node], 10)

    async def _stop_epmd(self) -> None:
        if self._epmd is not None:
            await self._epmd.stop(2)
            self._epmd = None

    async def _clear_remains(self) -> None:
        """Ends what an earlier start left: a node whose shell was killed, or an epmd whose node was."""
        node = self._node()
        if node is not None:
            await end([node], _STOP_SECONDS)
        if self._server is not None:
            await self._server.stop(1)
            self._server = None
        await self._stop_epmd()
        with suppress(FileNotFoundError):
            self._files.pid_file.unlink()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
