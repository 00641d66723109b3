"""One measurement: seconds, CPU by process, and write-ahead log, around a piece of work."""

import asyncio
import resource
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bench.machine import CpuSpent, cpu_between, read_cpu
from bench.stack import Rmm, Servers
from lifecycle.exits import Failure
from lifecycle.settings import environment
from lifecycle.stack.layout import project_root

PEERS = {
    "dlt as shipped": ("bench.peers.load_dlt", "default"),
    "dlt arrow": ("bench.peers.load_dlt", "arrow"),
    "script many": ("bench.peers.script", "many"),
    "script page": ("bench.peers.script", "page"),
}


@dataclass(frozen=True)
class Load:
    """A load of a whole fleet. `seconds` of the pipeline are from the request to the end of the run."""

    devices: int
    seconds: float
    cpu: CpuSpent
    wal_bytes: int = 0

    @property
    def rate(self) -> float:
        """Devices a second."""
        return self.devices / self.seconds

    @property
    def worked(self) -> float:
        """CPU seconds of whoever loaded, of the broker and of Postgres; the simulator is left out."""
        return sum(seconds for name, seconds in self.cpu.by_name.items() if name != "simulator")

    def plain(self) -> dict[str, object]:
        """For the file of raw values."""
        return {
            "devices": self.devices,
            "seconds": self.seconds,
            "wal_bytes": self.wal_bytes,
            "cpu": self.cpu.by_name,
            "strangers_cpu": self.cpu.others,
            "stolen_cpu": self.cpu.stolen,
        }


async def spent(
    roots: Callable[[], dict[str, list[int]]], work: Callable[[], Awaitable[float]]
) -> tuple[float, CpuSpent]:
    """The seconds that the work says it took, and the CPU that was spent meanwhile."""
    before = read_cpu(roots())
    seconds = await work()
    return seconds, cpu_between(before, read_cpu(roots()))


def peer_python() -> Path:
    """The interpreter of the peers' own environment."""
    return project_root() / ".local" / "bench-venv" / "bin" / "python"


async def install_peers() -> None:
    """Make the peers' environment where it is missing, unfinished or of other requirements."""
    folder = peer_python().parent.parent
    requirements = project_root() / "bench" / "requirements.txt"
    finished = folder / "installed.txt"  # what was asked for, written when it is all there
    if finished.is_file() and finished.read_text() == requirements.read_text():
        return
    sys.stderr.write("installing the peers into an environment of their own (about a minute)\n")
    for words in (
        (sys.executable, "-m", "venv", "--clear", str(folder)),
        (str(peer_python()), "-m", "pip", "install", "--quiet", "-r", str(requirements)),
    ):
        process = await asyncio.create_subprocess_exec(*words)
        if await process.wait():
            raise Failure("the peers can't be installed", f"see what {' '.join(words)} says")
    finished.write_text(requirements.read_text())


async def load_by_peer(servers: Servers, name: str, database_url: str, rmm: Rmm) -> Load:
    """Run a peer as a whole process, cold. It doesn't count its devices: who asked for it does."""
    module, mode = PEERS[name]
    loop = asyncio.get_running_loop()

    async def work() -> float:
        began = loop.time()
        process = await asyncio.create_subprocess_exec(
            str(peer_python()),
            "-m",
            module,
            *("--mode", mode, "--url", rmm.url, "--database-url", database_url),
            *("--client-id", rmm.client_id, "--client-secret", rmm.client_secret),
            env={**environment(), "PYTHONPATH": str(project_root())},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode:
            raise Failure(f"{name} ended with {process.returncode}", said.decode(errors="replace")[-2000:])
        return loop.time() - began

    # The peer is the only child that ends and is waited for meanwhile; the servers go on, and we are no child.
    before = of_ended_children()
    seconds, cpu = await spent(servers.roots, work)
    cpu.by_name["peer"] = of_ended_children() - before
    del cpu.by_name["broker"]  # it stands idle beside a peer
    return Load(0, seconds, cpu)


def of_ended_children() -> float:
    """CPU seconds of all children that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
