"""Ending what a supervisor that is gone has left, and nothing else."""

import asyncio

from lifecycle.stack.docker_engine import remove_container
from lifecycle.stack.processes import ProcessId, end, is_running
from lifecycle.stack.state import StackState

_SERVICE_SECONDS = 30.0
_SERVER_SECONDS = 30.0


async def clear_remains(state: StackState) -> int:
    """Ends the processes that still run of those the state names, services before servers; how many there were.

    Each is known by pid and start time: a stranger that got the pid is left alone.
    """
    services = [record.identity for record in state.processes if record.kind != "server"]
    servers = [record.identity for record in state.processes if record.kind == "server"]
    found = _running(services) + _running(servers)
    await end(_running(services), _SERVICE_SECONDS)
    await end(_running(servers), _SERVER_SECONDS)
    for container in state.containers:
        await asyncio.to_thread(remove_container, container)
    return len(found) + len(state.containers)


def _running(processes: list[ProcessId]) -> list[ProcessId]:
    return [process for process in processes if is_running(process)]
