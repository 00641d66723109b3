"""CPU and memory of processes, read from /proc: whole trees, with those of their children that have ended."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PARENT, _OWN_TIMES, _ENDED_TIMES = 1, slice(11, 13), slice(13, 15)  # of /proc/PID/stat, after the name in brackets
_IDLE, _IOWAIT, _STEAL, _GUEST = 3, 4, 7, 8  # of the first line of /proc/stat


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name may hold spaces and brackets of its own; the last bracket ends it.
    return text.rpartition(")")[2].split()


def _all() -> dict[int, list[str]]:
    pids = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return {pid: fields for pid in pids if (fields := _stat(pid)) is not None}


def trees(roots: Iterable[int]) -> set[int]:
    """The processes with these pids and all that descend from them."""
    return _trees(roots, _all())


def _trees(roots: Iterable[int], everything: dict[int, list[str]]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, fields in everything.items():
        children.setdefault(int(fields[_PARENT]), []).append(pid)
    found: set[int] = set()
    waiting = [pid for pid in roots if pid in everything]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def _seconds(fields: list[str]) -> float:
    # A child that has ended and was waited for is in its parent's second pair; a living one counts for itself.
    return sum(map(int, (*fields[_OWN_TIMES], *fields[_ENDED_TIMES]))) / _TICK


@dataclass(frozen=True)
class CpuReading:
    """CPU seconds since each process began: by name, of everything that we started, and of the machine."""

    at: float
    by_name: dict[str, float]
    ours: float
    machine: float
    stolen: float


@dataclass(frozen=True)
class CpuSpent:
    """CPU seconds between two readings; `others` is what strangers used."""

    wall: float
    by_name: dict[str, float]
    others: float
    stolen: float

    def of(self, *names: str) -> float:
        """The sum over names."""
        return sum(self.by_name.get(name, 0.0) for name in names)


def read_cpu(roots: dict[str, list[int]]) -> CpuReading:
    """Read the CPU times of the trees below the named pids, of our own tree and of the whole machine."""
    everything = _all()
    by_name = {name: _sum(everything, _trees(pids, everything)) for name, pids in roots.items()}
    busy, stolen = _machine_seconds()
    return CpuReading(time.monotonic(), by_name, _sum(everything, _trees([os.getpid()], everything)), busy, stolen)


def _sum(everything: dict[int, list[str]], pids: set[int]) -> float:
    return sum(_seconds(everything[pid]) for pid in pids)


def cpu_between(before: CpuReading, after: CpuReading) -> CpuSpent:
    """What was spent between two readings. A process that ended in between without a parent of ours is lost."""
    names = before.by_name.keys() | after.by_name.keys()
    spent = {name: max(after.by_name.get(name, 0.0) - before.by_name.get(name, 0.0), 0.0) for name in names}
    ours = after.ours - before.ours
    return CpuSpent(
        after.at - before.at, spent, max(after.machine - before.machine - ours, 0.0), after.stolen - before.stolen
    )


def _machine_seconds() -> tuple[float, float]:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    busy = sum(fields[:_GUEST]) - fields[_IDLE] - fields[_IOWAIT] - fields[_STEAL]
    return busy / _TICK, fields[_STEAL] / _TICK


def peak_rss_mib(pid: int) -> float:
    """The most resident memory that a process has had (VmHWM); zero where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    peak = next((line for line in lines if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(peak.split()[1]) / 1024


def describe() -> dict[str, str | int]:
    """What kind of machine this is, for the head of a table."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "unknown processor")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // (1024 * 1024)
    return {"cores": len(os.sched_getaffinity(0)), "processor": cpu, "memory_gib": memory}
