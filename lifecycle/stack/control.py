"""Starting, watching and ending a stack from another process than its supervisor."""

import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lifecycle.exits import Failure, Refused, failure_with
from lifecycle.settings import environment
from lifecycle.stack.docker_engine import remove_volumes
from lifecycle.stack.layout import Layout, project_root, reachable
from lifecycle.stack.plan import Plan
from lifecycle.stack.processes import Child, ProcessId, Start, end, is_running, send, wait_gone
from lifecycle.stack.remains import clear_remains
from lifecycle.stack.state import StackState, is_supervised, read_state

_POLL_SECONDS = 0.1
# Each step has a limit of its own; this one is for a supervisor that hangs between them. A system's packages may
# have to be installed first.
_UP_SECONDS = 1_800.0
_DOWN_SECONDS = 120.0
_HALF_STARTED_SECONDS = 60.0

Say = Callable[[str], None]


def running_state(layout: Layout) -> StackState | None:
    """The state of the stack that runs now; None where no supervisor lives."""
    return read_state(layout.state_file) if is_supervised(layout.lock_file) else None


def start_supervisor(layout: Layout, plan: Plan) -> Child:
    """Starts a supervisor that outlives us."""
    layout.create()
    arguments = (sys.executable, "-m", "lifecycle.stack.daemon", str(layout.root), plan.to_json())
    variables = {**environment(), "PYTHONUNBUFFERED": "1", "PYTHONPATH": _python_path()}
    start = Start(arguments, variables, layout.logs / "supervisor.log", Path.cwd(), parent_death=None)
    return Child.start(start)


async def start_detached(layout: Layout, plan: Plan, say: Say) -> StackState:
    """Starts a stack that outlives us and waits until it is ready; ends it again where it does not get there."""
    supervisor = start_supervisor(layout, plan)
    try:
        state = await await_ready(layout, supervisor.identity, say)
    except BaseException:
        # Ctrl-C, or it failed: a half started stack helps nobody.
        await supervisor.stop(_HALF_STARTED_SECONDS)
        raise
    supervisor.leave()
    return state


async def await_ready(layout: Layout, supervisor: ProcessId, say: Say) -> StackState:
    """Waits until the stack is ready, and says each step; raises `Failure` where it does not get there."""
    deadline = time.monotonic() + _UP_SECONDS
    said = 0
    while time.monotonic() < deadline:
        alive = is_running(supervisor)
        state = read_state(layout.state_file)
        if state is not None and state.supervisor_pid == supervisor.pid:
            for step in state.steps[said:]:
                say(step)
            said = len(state.steps)
            if state.phase == "ready":
                return state
            if state.phase == "failed":
                raise failure_with(state.error_code, state.error or "the stack does not start", state.next_step)
        if not alive:
            raise Failure("the supervisor ended before the stack was ready", f"read {layout.logs / 'supervisor.log'}")
        await asyncio.sleep(_POLL_SECONDS)
    raise Failure("the stack is not ready after 30 minutes", f"read {layout.logs / 'supervisor.log'}")


async def bring_down(layout: Layout, say: Say) -> int:
    """Ends what `up` started here and nothing else; how many processes that were.

    A supervisor that lives ends its own; what one left that was killed is ended by pid and start time.
    """
    state = read_state(layout.state_file)
    count = 0
    if is_supervised(layout.lock_file):
        if state is None or not is_running(state.supervisor):
            raise Refused("a stack is just starting or ending here", "try again in a moment")
        count = len(state.processes) + 1
        await _end_supervisor(layout, state.supervisor, say)
        state = read_state(layout.state_file)
    return count + (await clear_remains(state) if state is not None else 0)


def purge(layout: Layout) -> None:
    """Deletes the data, keys and logs of a stack that does not run."""
    remove_volumes(layout.root, layout.keys)
    stand_in = reachable(layout.root)
    shutil.rmtree(layout.root, ignore_errors=True)
    if stand_in != layout.root:
        shutil.rmtree(stand_in, ignore_errors=True)


async def _end_supervisor(layout: Layout, supervisor: ProcessId, say: Say) -> None:
    send(supervisor, signal.SIGTERM)
    said = len(state.steps) if (state := read_state(layout.state_file)) is not None else 0
    deadline = time.monotonic() + _DOWN_SECONDS
    while is_running(supervisor) and time.monotonic() < deadline:
        state = read_state(layout.state_file)
        for step in state.steps[said:] if state is not None else ():
            say(step)
            said += 1
        await wait_gone([supervisor], _POLL_SECONDS)
    await end([supervisor], 0)


def _python_path() -> str:
    given = environment().get("PYTHONPATH")
    return f"{project_root()}:{given}" if given else str(project_root())
