"""`up`, `down`, `ps`, `env`: the stack on this machine."""

import asyncio
import os
import shlex
import signal
from typing import Annotated, Any

import typer

from lifecycle.command import add
from lifecycle.exits import NotFound, Refused
from lifecycle.output import Output

_OUTSIDE = {
    "amqp_url": "LIFECYCLE_AMQP_URL",
    "database_url": "LIFECYCLE_DATABASE_URL",
    "management_url": "LIFECYCLE_MANAGEMENT_URL",
    "rmm_base_url": "LIFECYCLE_RMM_BASE_URL",
    "sealing_key_file": "LIFECYCLE_SEALING_KEY_FILE",
}

ScaleOption = Annotated[
    list[str] | None, typer.Option("--scale", metavar="SERVICE=N", help="Replicas of a service; may be repeated.")
]
SimulatorOption = Annotated[bool, typer.Option("--simulator/--no-simulator", help="Whether to start a simulated RMM.")]
DetachOption = Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is ready.")]
DevicesOption = Annotated[int, typer.Option("--devices", min=0, help="Devices in the simulated RMM.")]
CompaniesOption = Annotated[int, typer.Option("--companies", min=1, help="Companies in the simulated RMM.")]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed gives the same simulated fleet.")]
PurgeOption = Annotated[bool, typer.Option("--purge", "--volumes", help="Delete data, keys and logs as well.")]
EverythingOption = Annotated[bool, typer.Option("--all", "-a", help="Broker, database and simulator as well.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    add(app, "up")(up)
    add(app, "down")(down)
    add(app, "ps")(ps)
    add(app, "env")(env)


async def up(
    out: Output,
    *,
    scale: ScaleOption = None,
    simulator: SimulatorOption = True,
    detach: DetachOption = False,
    devices: DevicesOption = 2000,
    companies: CompaniesOption = 20,
    seed: SeedOption = 1,
) -> None:
    """Start a private broker and database, the simulated RMM and all services.

        lifecycle up                               stay in front, Ctrl-C ends it
        lifecycle up --detach                      return when everything is ready
        lifecycle up --scale writer=2 --devices 5000

    Broker and database are the first that work of: LIFECYCLE_AMQP_URL and LIFECYCLE_DATABASE_URL, Docker, servers
    installed on this machine. Nothing touches a server that was already running.
    """
    from lifecycle.session import stack_layout  # noqa: PLC0415 - `--help` is quick
    from lifecycle.stack.control import await_ready, running_state  # noqa: PLC0415 - the same
    from lifecycle.stack.plan import Plan, parse_scale  # noqa: PLC0415 - the same
    from lifecycle.stack.services import SERVICES  # noqa: PLC0415 - the same

    layout = stack_layout()
    plan = Plan(parse_scale(scale or [], [service.name for service in SERVICES]), simulator, devices, companies, seed)
    running = running_state(layout)
    if running is None and not detach:
        await _stay_in_front(out, plan)
        return
    if running is None:
        await _detach(out, plan)
        return
    if not detach:
        raise Refused("the stack is already up here", "see it with: lifecycle ps; end it with: lifecycle down")
    state = await await_ready(layout, running.supervisor, lambda _: None)
    out.message("the stack is already up")
    _show_addresses(out, state)


async def down(out: Output, *, purge: PurgeOption = False) -> None:
    """Stop what `lifecycle up` started here, and nothing else.

    lifecycle down
    lifecycle down --purge     delete its data, keys and logs as well
    """
    from lifecycle.session import stack_layout  # noqa: PLC0415 - `--help` is quick
    from lifecycle.stack import control  # noqa: PLC0415 - the same

    layout = stack_layout()
    with out.progress("stopping") as progress:
        count = await control.bring_down(layout, progress.step)
    if purge:
        control.purge(layout)
    if out.json_wanted:
        out.document({"stopped": count, "purged": purge})
    out.message(f"stopped {count} processes" if count else "nothing was running")


async def ps(out: Output, *, everything: EverythingOption = False) -> None:
    """List the processes of the stack.

    lifecycle ps
    lifecycle ps --json        [{"service", "replica", "pid", "health_url", ...}]
    """
    from lifecycle.session import stack_layout  # noqa: PLC0415 - `--help` is quick
    from lifecycle.stack.control import running_state  # noqa: PLC0415 - the same

    state = running_state(stack_layout())
    records = [] if state is None else [one for one in state.processes if everything or one.kind == "service"]
    rows: list[dict[str, Any]] = [
        {
            "service": one.service,
            "replica": one.replica,
            "pid": one.pid,
            "health_url": one.health_url,
            "ready": one.ready if one.kind != "server" else None,
            "restarts": one.restarts,
            "log": one.log,
        }
        for one in records
    ]
    if out.json_wanted:
        out.document(rows)
        return
    if state is None:
        out.message("no stack runs here; start one with: lifecycle up")
        return
    columns = ("service", "replica", "pid", "ready", "restarts", "health_url")
    out.table(columns, [[_word(row[column]) for column in columns] for row in rows])


async def env(out: Output) -> None:
    """Print the addresses of the stack, for a shell or for a script.

    eval "$(lifecycle env)"
    lifecycle env --json       {"amqp_url", "database_url", "console_url", "rmm_base_url", ...}
    """
    from lifecycle.session import stack_layout  # noqa: PLC0415 - `--help` is quick
    from lifecycle.stack.control import running_state  # noqa: PLC0415 - the same

    state = running_state(stack_layout())
    if state is None:
        raise NotFound("no stack runs here", "start one with: lifecycle up")
    document = _address_document(state)
    if out.json_wanted:
        out.document(document)
        return
    for name, variable in _OUTSIDE.items():
        if document[name] is not None:
            out.text(f"export {variable}={shlex.quote(str(document[name]))}")


async def _stay_in_front(out: Output, plan: Any) -> None:
    from lifecycle.session import stack_layout  # noqa: PLC0415 - `--help` is quick
    from lifecycle.settings import CommandSettings  # noqa: PLC0415 - the same
    from lifecycle.stack.control import await_ready  # noqa: PLC0415 - the same
    from lifecycle.stack.processes import identify  # noqa: PLC0415 - the same
    from lifecycle.stack.supervisor import Stop, Supervisor  # noqa: PLC0415 - the same

    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.ask)
    me = identify(os.getpid())
    layout = stack_layout()
    supervisor = Supervisor(layout, plan, CommandSettings(), (os.getpid(), me.started if me else ""), out.message)
    running = asyncio.create_task(supervisor.run(stop))
    if me is not None:
        ready = asyncio.create_task(await_ready(layout, me, lambda _: None))
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done() and not ready.cancelled() and ready.exception() is None:
            _show_addresses(out, ready.result())
            out.message("Ctrl-C stops it; twice at once")
        ready.cancel()
        await asyncio.gather(ready, return_exceptions=True)
    await running


async def _detach(out: Output, plan: Any) -> None:
    from lifecycle.session import stack_layout  # noqa: PLC0415 - `--help` is quick
    from lifecycle.stack import control  # noqa: PLC0415 - the same

    layout = stack_layout()
    with out.progress("starting") as progress:
        state = await control.start_detached(layout, plan, progress.done)
    _show_addresses(out, state)


def _show_addresses(out: Output, state: Any) -> None:
    document = _address_document(state)
    if out.json_wanted:
        out.document(document)
        return
    if document["console_url"] is not None:
        out.message(f"console: {document['console_url']}")
    out.message("processes: lifecycle ps; addresses: lifecycle env; end: lifecycle down")


def _address_document(state: Any) -> dict[str, Any]:
    from lifecycle.session import stack_layout  # noqa: PLC0415 - `--help` is quick

    layout = stack_layout()
    simulated = state.simulator_client_id is not None
    return {
        "amqp_url": state.amqp_url,
        "database_url": state.database_url,
        "console_url": state.console_url,
        "rmm_base_url": state.rmm_base_url,
        "management_url": state.management_url,
        "client_id": state.simulator_client_id,
        "client_secret_file": str(layout.simulator_secret_file) if simulated else None,
        "sealing_key_file": str(layout.sealing_key_file),
        "logs": str(layout.logs),
    }


def _word(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
