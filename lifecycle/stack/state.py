"""What runs, as the supervisor writes it down and the other commands read it: `.local/stack.json`."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from lifecycle.exits import Refused
from lifecycle.stack.processes import ProcessId

Phase = Literal["starting", "ready", "stopping", "stopped", "failed"]
Kind = Literal["service", "server", "simulator"]


@dataclass(frozen=True)
class ProcessRecord:
    """One process of the stack."""

    kind: Kind
    service: str
    replica: int
    pid: int
    started: str
    health_url: str | None = None
    ready: bool = False
    restarts: int = 0
    log: str | None = None

    @property
    def identity(self) -> ProcessId:
        """The process, told from any other that may get its pid later."""
        return ProcessId(self.pid, self.started)


@dataclass(frozen=True)
class StackState:
    """The stack at one moment. Holds passwords: the file is readable by its owner only."""

    phase: Phase = "starting"
    supervisor_pid: int = 0
    supervisor_started: str = ""
    steps: tuple[str, ...] = ()
    error: str | None = None
    error_code: int = 1
    next_step: str | None = None
    amqp_url: str | None = None
    management_url: str | None = None
    database_url: str | None = None
    console_url: str | None = None
    rmm_base_url: str | None = None
    simulator_client_id: str | None = None
    containers: tuple[str, ...] = ()
    processes: tuple[ProcessRecord, ...] = field(default=())

    @property
    def supervisor(self) -> ProcessId:
        """The process that watches all the others."""
        return ProcessId(self.supervisor_pid, self.supervisor_started)


def read_state(path: Path) -> StackState | None:
    """The state that was written last; None where there is none that this version can read."""
    try:
        stored: dict[str, Any] = json.loads(path.read_text())
        processes = tuple(ProcessRecord(**record) for record in stored.pop("processes"))
        for name in ("steps", "containers"):
            stored[name] = tuple(stored[name])
        return replace(StackState(**stored), processes=processes)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_state(path: Path, state: StackState) -> None:
    """Replaces the state in one step, so that a reader sees the old one or the new one."""
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(state), file, indent=1)
    partial.replace(path)


@contextmanager
def sole_supervisor(lock_file: Path) -> Generator[None]:
    """Held by the one supervisor of this folder; raises `Refused` where another has it.

    The system lets go of the lock when the process ends, however it ends.
    """
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("a stack is already running here", "see it with: lifecycle ps") from None
        yield
    finally:
        os.close(descriptor)


def is_supervised(lock_file: Path) -> bool:
    """Whether a supervisor lives."""
    try:
        with sole_supervisor(lock_file):
            return False
    except Refused:
        return True
    except OSError:
        return False  # no folder yet
