"""Processes that we start, watch and end, each known by pid *and* start time, so that no stranger is ever hit."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_POLL_SECONDS = 0.05
_LARGEST_LOG = 20 * 1024 * 1024
_STATE, _PARENT, _START_TIME = 0, 1, 19  # of /proc/PID/stat, counted after the name in brackets


@dataclass(frozen=True)
class ProcessId:
    """A pid with the time at which its process began; a recycled pid has another time."""

    pid: int
    started: str


def identify(pid: int) -> ProcessId | None:
    """The process that has the pid now; None where there is none, or only a zombie."""
    if sys.platform != "linux":
        return _identify_by_ps(pid)
    fields = _stat(pid)
    if fields is None or fields[_STATE] in {"Z", "X"}:
        return None
    return ProcessId(pid, f"{_boot_id()}/{fields[_START_TIME]}")


def is_running(process: ProcessId) -> bool:
    """Whether this very process still runs."""
    return identify(process.pid) == process


def command_line(pid: int) -> str:
    """The arguments of a process, joined by spaces; empty where it cannot be read."""
    if sys.platform != "linux":
        listed = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607 - a pid is a number
        return listed.stdout.strip()
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def children_of(pid: int) -> list[ProcessId]:
    """The direct children of a process; empty on systems without /proc."""
    found: list[ProcessId] = []
    for entry in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        fields = _stat(int(entry.name))
        if fields is not None and int(fields[_PARENT]) == pid:
            child = identify(int(entry.name))
            if child is not None:
                found.append(child)
    return found


def send(process: ProcessId, number: signal.Signals) -> bool:
    """Signals this very process; False where it is gone."""
    if not hasattr(os, "pidfd_open"):
        if not is_running(process):
            return False
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
        return True
    try:
        # The descriptor stays with one process, so nothing can slip in between the check and the signal.
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if not is_running(process):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


async def wait_gone(processes: Sequence[ProcessId], seconds: float) -> list[ProcessId]:
    """Waits for the processes to end; those that still run after `seconds`."""
    deadline = time.monotonic() + seconds
    remaining = [process for process in processes if is_running(process)]
    while remaining and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        remaining = [process for process in remaining if is_running(process)]
    return remaining


async def end(processes: Sequence[ProcessId], seconds: float, first: signal.Signals = signal.SIGTERM) -> None:
    """Asks the processes to end and kills those that have not after `seconds`."""
    for process in processes:
        send(process, first)
    remaining = await wait_gone(processes, seconds)
    for process in remaining:
        send(process, signal.SIGKILL)
    await wait_gone(remaining, 5)


@dataclass(frozen=True)
class Start:
    """How a process is started.

    `parent_death` is the signal that it gets when we die, where the system can do that: nothing is left behind by
    a killed supervisor or test run. None for what is to outlive us.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    folder: Path
    user: tuple[int, int] | None = None
    parent_death: signal.Signals | None = signal.SIGTERM


@dataclass
class Child:
    """A process that we started, in a session of its own.

    Made on `subprocess.Popen` and polled: unlike asyncio's processes it belongs to no event loop, so a fixture may
    start it in one loop and a test end it in another.
    """

    identity: ProcessId
    popen: "subprocess.Popen[bytes]" = field(repr=False)

    @classmethod
    def start(cls, start: Start) -> "Child":
        """Starts the process; raises OSError where it cannot be run."""
        start.log.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if start.log.stat().st_size > _LARGEST_LOG:
                start.log.replace(start.log.with_suffix(".log.old"))
        descriptor = os.open(start.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            popen = subprocess.Popen(  # noqa: S603 - the arguments are ours
                [*_wrapper(start), *start.arguments],
                env=dict(start.environment),
                cwd=start.folder,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        return cls(identify(popen.pid) or ProcessId(popen.pid, "ended"), popen)

    @property
    def pid(self) -> int:
        """The pid of the process."""
        return self.popen.pid

    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self.popen.poll()

    async def wait(self, seconds: float | None = None) -> int | None:
        """Waits for its end; None where `seconds` ran out first."""
        if hasattr(os, "pidfd_open") and self.exit_code() is None:
            # Not reaped by anybody but us, so the pid is still its own.
            await _wait_end(self.pid, seconds)
            return self.exit_code()
        deadline = None if seconds is None else time.monotonic() + seconds
        while (code := self.exit_code()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            await asyncio.sleep(_POLL_SECONDS)
        return code

    def send(self, number: signal.Signals) -> None:
        """Signals the process; nothing happens where it has ended."""
        # Not yet reaped by us, so the pid is still its own.
        self.popen.send_signal(number)

    def leave(self) -> None:
        """Lets go of the process: it goes on after we end."""
        self.popen.returncode = 0  # or Popen warns of a process that nobody waited for

    async def stop(self, seconds: float, first: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end, and kills it where it has not after `seconds`."""
        self.send(first)
        code = await self.wait(seconds)
        if code is None:
            self.send(signal.SIGKILL)
            code = await self.wait()
        return code if code is not None else -signal.SIGKILL


async def _wait_end(pid: int, seconds: float | None) -> None:
    """Waits for the end of a child without looking again and again; returns after `seconds` at the latest."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(pid)
    try:
        loop.add_reader(descriptor, ended.set)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), seconds)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _wrapper(start: Start) -> list[str]:
    setpriv = shutil.which("setpriv")
    options: list[str] = []
    if start.parent_death is not None:
        options += ["--pdeathsig", start.parent_death.name.removeprefix("SIG")]
    if start.user is not None:
        user, group = start.user
        options += [f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    return [setpriv, *options, "--"] if setpriv is not None and options else []


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name may hold spaces and brackets of its own; the last bracket ends it.
    return text.rpartition(")")[2].split()


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return ""


def _identify_by_ps(pid: int) -> ProcessId | None:
    listed = subprocess.run(  # noqa: S603 - a pid is a number
        ["ps", "-o", "lstart=,state=", "-p", str(pid)],  # noqa: S607 - the system's own
        capture_output=True,
        text=True,
        check=False,
    )
    started, _, state = listed.stdout.strip().rpartition(" ")
    return ProcessId(pid, started.strip()) if started and not state.startswith("Z") else None
