"""A private Postgres from the programs installed on this machine, or from those of a wheel."""

import asyncio
import json
import secrets
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import asyncpg

from lifecycle.exits import Failure
from lifecycle.settings import environment
from lifecycle.stack import catalogue
from lifecycle.stack.ports import free_ports, is_free
from lifecycle.stack.processes import Child, ProcessId, Start, children_of, command_line, end, identify, send, wait_gone
from lifecycle.stack.servers import NamedProcess, with_path
from lifecycle.stack.unprivileged import private_folder, unprivileged_user

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.1
_USER = "lifecycle"
_DATABASE = "lifecycle"


@dataclass(frozen=True)
class _Identity:
    """What a database server keeps from one start to the next."""

    port: int
    password: str


class LocalPostgres:
    """A Postgres of our own on a free port of 127.0.0.1, with its own password and data folder.

    `async with LocalPostgres(folder, binaries) as postgres` starts it and stops it; with `throwaway` it is ended at
    once, without a last checkpoint. It has no Unix socket (their paths are limited to about 100 characters) and
    asks everybody for the password. Where we are root it runs as an unprivileged user, so `folder` must be at a place
    that others may pass to (`layout.reachable`).
    """

    def __init__(self, folder: Path, binaries: Path, *, log: Path | None = None, throwaway: bool = False) -> None:
        self._folder = folder.absolute()
        self._data = self._folder / "data"
        self._binaries = binaries
        self._log = log or self._folder / "server.log"
        self._throwaway = throwaway
        self._identity = self._load()
        self._server: Child | None = None

    @property
    def description(self) -> str:
        """What it is, in a few words."""
        return f"private Postgres from {self._binaries} on port {self._identity.port}"

    @property
    def database_url(self) -> str:
        """The stack's own database."""
        login = f"{_USER}:{self._identity.password}"
        return f"postgresql://{login}@127.0.0.1:{self._identity.port}/{_DATABASE}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await (self.kill() if self._throwaway else self.stop())

    async def start(self) -> None:
        """Starts it, with its old port and data where there are any, and waits until it takes connections."""
        if self.running():
            return
        await self._clear_remains()
        if not is_free(self._identity.port):
            self._identity = _Identity(free_ports(1)[0], self._identity.password)
        user = unprivileged_user()
        private_folder(self._folder, user)
        # The folder belongs to the user it runs as; the log may be anywhere, and is opened by us.
        if not (self._data / "PG_VERSION").is_file():
            await self._initialise(user)
        self._save()
        self._server = Child.start(
            Start(self._arguments(), _server_environment(), self._log, Path("/"), user, signal.SIGINT)
        )
        await self._await_ready()

    async def stop(self) -> None:
        """Stops it cleanly: running statements are cancelled, what was committed is on disk."""
        if self._server is not None:
            await self._server.stop(_STOP_SECONDS, signal.SIGINT)
            self._server = None

    async def kill(self) -> None:
        """SIGKILL to the server and to every process of it, as a power cut would end it."""
        if self._server is not None:
            # A process in the middle of a statement would otherwise keep the shared memory and block the next start.
            family = [self._server.identity, *children_of(self._server.pid)]
            for process in family:
                send(process, signal.SIGKILL)
            await self._server.wait()
            await wait_gone(family, 10)
            self._server = None

    async def restart(self) -> None:
        """An immediate restart: connections break, and it recovers from its log as after a crash."""
        if self._server is not None:
            await self._server.stop(_STOP_SECONDS, signal.SIGQUIT)
            self._server = None
        await self.start()

    def running(self) -> bool:
        """Whether the server's process runs."""
        return self._server is not None and self._server.exit_code() is None

    def processes(self) -> list[NamedProcess]:
        """The server; its children follow it."""
        return [NamedProcess("database", self._server.identity)] if self._server is not None else []

    async def create_database(self, name: str, template: str | None = None) -> str:
        """Makes an empty database (an old one of that name is dropped) and returns its address."""
        await catalogue.create_database(with_path(self.database_url, "postgres"), name, template)
        return with_path(self.database_url, name)

    async def drop_database(self, name: str) -> None:
        """Drops a database, and whoever is connected to it."""
        await catalogue.drop_database(with_path(self.database_url, "postgres"), name)

    def _load(self) -> _Identity:
        try:
            kept = json.loads((self._folder / "identity.json").read_text())
            return _Identity(kept["port"], kept["password"])
        except (OSError, ValueError, KeyError):
            return _Identity(free_ports(1)[0], secrets.token_urlsafe(24))

    def _save(self) -> None:
        path = self._folder / "identity.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"port": self._identity.port, "password": self._identity.password}))

    def _arguments(self) -> tuple[str, ...]:
        values = {
            "port": self._identity.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        options = [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
        return (str(self._binaries / "postgres"), "-D", str(self._data), *options)

    async def _initialise(self, user: tuple[int, int] | None) -> None:
        shutil.rmtree(self._data, ignore_errors=True)  # a first start that was interrupted
        private_folder(self._data, user)
        password_file = self._folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._identity.password)
        if user is not None:
            shutil.chown(password_file, *user)
        locale = "--locale=C.UTF-8" if sys.platform == "linux" else "--no-locale"
        arguments = (
            *(str(self._binaries / "initdb"), "-D", str(self._data), "-U", _USER, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", locale),
        )
        try:
            code = await Child.start(
                Start(arguments, _server_environment(), self._log, Path("/"), user, signal.SIGKILL)
            ).wait(_START_SECONDS)
        finally:
            password_file.unlink()
        if code != 0:
            raise Failure("the private Postgres cannot be initialised", f"read {self._log}")

    async def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.running():
            # The server takes no connection while it recovers from a crash.
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncio.TimeoutError):
                await catalogue.ensure_database(with_path(self.database_url, "postgres"), _DATABASE)
                return
            await asyncio.sleep(_POLL_SECONDS)
        await self.kill()
        raise Failure("the private Postgres does not start", f"read {self._log}")

    async def _clear_remains(self) -> None:
        """Ends a server that an earlier start left, and the pid file of one that is gone."""
        if self._server is not None:
            await self.kill()
        leftover = self._leftover()
        if leftover is not None:
            await end([leftover], _STOP_SECONDS, signal.SIGINT)
        # Postgres takes a foreign process with the recycled pid for itself and then refuses to start.
        with suppress(FileNotFoundError):
            (self._data / "postmaster.pid").unlink()

    def _leftover(self) -> ProcessId | None:
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return identify(pid) if str(self._data) in command_line(pid) else None


def _server_environment() -> dict[str, str]:
    # Nothing of ours that names a database or a locale: PGHOST, PGPORT, LC_ALL, ...
    return {"PATH": environment().get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "HOME": "/"}
