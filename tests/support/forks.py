"""Processes that are forked from one that has everything imported: to import a service takes more than a second.

A process from scratch is what the tests of the stack and the end-to-end test start.
"""

import asyncio
import ctypes
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final, Self

from lifecycle.settings import environment
from shared.runtime import main
from shared.topology import SERVICES

_PR_SET_PDEATHSIG = 1

FORKED: Final = multiprocessing.get_context("forkserver")
"""The process that they are forked from. It has no thread and no loop, so a child begins as if new."""

FORKED.set_forkserver_preload(
    [
        "tests.support.shell",
        *("shared.bus", "lifecycle.data.importing", "lifecycle.data.editing", "lifecycle.data.runs"),
        *(f"services.{name}.app" for name in (*SERVICES, "scheduler")),
    ]
)


class Fork:
    """A process in a session of its own, as `lifecycle.stack.processes.Child` is one, with what is asked of that here.

    Killed when the tests' process ends in whatever way.
    """

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    @classmethod
    def start(
        cls, run: Callable[..., Any], *arguments: Any, variables: Mapping[str, str], folder: Path, log: Path
    ) -> Self:
        """Start one that calls `run` and says what it says to the log; what it is told comes by its environment."""
        process = FORKED.Process(target=_live, args=(run, arguments, dict(variables), folder, log), daemon=True)
        process.start()
        return cls(process)

    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.exitcode

    async def wait(self, seconds: float | None = None) -> int | None:
        """Wait for its end; None where `seconds` ran out first."""
        if self.exit_code() is None:
            ended = asyncio.Event()
            loop, sentinel = asyncio.get_running_loop(), self._process.sentinel
            loop.add_reader(sentinel, ended.set)
            try:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), seconds)
            finally:
                loop.remove_reader(sentinel)
        return self.exit_code()

    def send(self, number: signal.Signals) -> None:
        """Signal the process; nothing happens where it has ended."""
        if self.exit_code() is None and self._process.pid is not None:
            os.kill(self._process.pid, number)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.send(signal.SIGKILL)
        # One that stands still ends at once on most systems, and on some only when it is woken.
        self.send(signal.SIGCONT)
        await self.wait()

    async def stop(self, seconds: float) -> None:
        """Ask it to end, and kill it where it has not after `seconds`."""
        self.send(signal.SIGTERM)
        if await self.wait(seconds) is None:
            await self.kill()


class Lives:
    """Starts processes of one service, one after another or at once. `log` is what all of them have said."""

    def __init__(self, service: str, folder: Path, settings: Mapping[str, Any]) -> None:
        self.log = folder / f"{service}-lives.log"
        self._create_app = import_module(f"services.{service}.app").create_app
        self._variables = variables_of(settings)
        self._folder = folder
        self._started: list[Fork] = []

    @classmethod
    @asynccontextmanager
    async def of(cls, service: str, folder: Path, **settings: Any) -> AsyncIterator[Self]:
        """The lives of a service with these settings; those that are left are killed at the end."""
        lives = cls(service, folder, settings)
        try:
            yield lives
        finally:
            for life in lives._started:
                await life.kill()

    def start(self) -> Fork:
        """Start one; it begins to consume by itself."""
        life = Fork.start(main, self._create_app, variables=self._variables, folder=self._folder, log=self.log)
        self._started.append(life)
        return life


def variables_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a service that is to have these settings, and none of the tests' own."""
    inherited = {name: value for name, value in environment().items() if not name.startswith("LIFECYCLE_")}
    told = {
        f"LIFECYCLE_{name.upper()}": json.dumps(value) if isinstance(value, (list, tuple)) else str(value)
        for name, value in settings.items()
    }
    return {**inherited, **told}


def _live(
    run: Callable[..., Any], arguments: tuple[Any, ...], variables: Mapping[str, str], folder: Path, log: Path
) -> None:
    """Be the process, from its streams and its environment on."""
    os.setsid()
    # One of them would keep the process that we are forked from alive.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if sys.platform == "linux":
        # The one that we are forked from ends when the tests' process does.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    said = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(said, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for text in (sys.stdout, sys.stderr):
        text.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()  # noqa: TID251 - it is a process of its own from here on
    os.environ.update(variables)  # noqa: TID251 - the same
    os.chdir(folder)
    run(*arguments)
