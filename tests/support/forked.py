"""Lives of one service as real processes, each forked from one that has everything imported: a start costs no second.

For tests that kill a process a hundred times. What a process is told at its start comes by the environment, as ever.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from lifecycle.settings import environment
from lifecycle.stack.layout import project_root
from shared.runtime import main


class Lives:
    """Starts, freezes, wakes and kills processes of a service. `log` is what all of them have said."""

    def __init__(self, parent: asyncio.subprocess.Process, log: Path) -> None:
        self._parent = parent
        self.log = log
        self._alive: set[int] = set()

    @classmethod
    @asynccontextmanager
    async def of(cls, service: str, folder: Path, **settings: Any) -> AsyncIterator[Self]:
        """The lives of a service with these settings; those that are left are killed at the end."""
        log = folder / f"{service}-lives.log"
        inherited = {name: value for name, value in environment().items() if not name.startswith("LIFECYCLE_")}
        told = {f"LIFECYCLE_{name.upper()}": _text(value) for name, value in settings.items()}
        with log.open("ab") as said:
            parent = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.support.forked", f"services.{service}.app"),
                env={**inherited, **told, "PYTHONPATH": str(project_root())},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=said,
                cwd=folder,
            )
        lives = cls(parent, log)
        try:
            yield lives
        finally:
            for pid in tuple(lives._alive):
                await lives.kill(pid)
            assert parent.stdin is not None
            parent.stdin.close()
            await parent.wait()

    async def start(self) -> int:
        """Start one and return its pid; it begins to consume by itself."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(b"start\n")
        pid = int(await self._parent.stdout.readline())
        self._alive.add(pid)
        return pid

    async def kill(self, pid: int) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(f"kill {pid}\n".encode())
        assert int(await self._parent.stdout.readline()) == pid
        self._alive.discard(pid)

    def freeze(self, pid: int) -> None:
        """SIGSTOP: it stands still wherever it is."""
        os.kill(pid, signal.SIGSTOP)

    def wake(self, pid: int) -> None:
        """SIGCONT: it goes on and knows of no pause."""
        os.kill(pid, signal.SIGCONT)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (list, tuple)) else str(value)


def _serve(app: str) -> None:
    """Fork for every line that says so. Nothing here has a thread or a loop, so the child begins as if new."""
    create_app = import_module(app).create_app
    answers = os.dup(1)
    os.dup2(2, 1)
    alive: set[int] = set()
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "kill":
            pid = int(rest)
            _end(pid)
            alive.discard(pid)
        else:
            pid = os.fork()
            if pid == 0:
                os.close(answers)
                _live(create_app)
            alive.add(pid)
        os.write(answers, f"{pid}\n".encode())
    # Whoever asked has ended, perhaps without a word.
    for pid in alive:
        _end(pid)


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    # One that stands still ends at once on most systems, and on some only when it is woken.
    os.kill(pid, signal.SIGCONT)
    os.waitpid(pid, 0)


def _live(create_app: Any) -> None:
    """Be a process of the service, and never return."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        main(create_app)
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
