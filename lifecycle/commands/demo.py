"""`demo`: everything once, on this machine, with a simulated RMM."""

import asyncio
import signal
from typing import Annotated, Any

import typer

from lifecycle.command import add
from lifecycle.exits import ExitCode, Refused
from lifecycle.output import Output

_NAME = "Demo"

ExitOption = Annotated[bool, typer.Option("--exit", help="End by itself, with everything that was started.")]
DevicesOption = Annotated[int, typer.Option("--devices", min=1, help="Devices in the simulated RMM.")]
CompaniesOption = Annotated[int, typer.Option("--companies", min=1, help="Companies in the simulated RMM.")]


def register(app: typer.Typer) -> None:
    """Adds the command to the app."""
    add(app, "demo")(demo)


async def demo(
    out: Output, *, leave: ExitOption = False, devices: DevicesOption = 3000, companies: CompaniesOption = 20
) -> ExitCode:
    """Start everything with a simulated RMM, add it as an integration and sync its devices.

        lifecycle demo
        lifecycle demo --exit

    Stays up until Ctrl-C. A stack that was already up is used and left up.
    """
    from lifecycle.session import stack_layout  # noqa: PLC0415 - `--help` is quick
    from lifecycle.stack import control  # noqa: PLC0415 - the same
    from lifecycle.stack.plan import Plan  # noqa: PLC0415 - the same

    layout = stack_layout()
    state = control.running_state(layout)
    was_up = state is not None
    if state is None:
        with out.progress("starting") as progress:
            plan = Plan(devices=devices, companies=companies)
            state = await control.start_detached(layout, plan, progress.done)
    try:
        code = await _sync(out, state, layout.simulator_secret_file)
        await _show(out)
        if not leave and not was_up:
            await _until_interrupted(out, state)
    finally:
        if not was_up:
            with out.progress("stopping") as progress:
                await control.bring_down(layout, progress.step)
    return code


async def _sync(out: Output, state: Any, secret_file: Any) -> ExitCode:
    """Adds the integration and waits for its first sync, or syncs it again where an earlier demo has added it."""
    from lifecycle.data import syncing  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.adding import add_one  # noqa: PLC0415 - the same
    from lifecycle.data.naming import find_integration  # noqa: PLC0415 - the same
    from lifecycle.data.waiting import Waiting  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    if state.simulator_client_id is None:
        raise Refused("the stack here runs without a simulated RMM", "run: lifecycle down, then: lifecycle demo")
    # One document comes at the end, and it is ours.
    out = Output(color=out.color, quiet=out.quiet)
    async with connect() as session:
        query = "select exists (select from integrations where name = $1 and status <> 'removed')"
        if not await session.connection.fetchval(query, _NAME):
            return await add_one(
                session,
                out,
                name=_NAME,
                region="eu",
                client_id=state.simulator_client_id,
                secret_file=str(secret_file),
                sync=True,
                waiting=Waiting(None),
            )
        found = await find_integration(session, _NAME)
        wanted = await syncing.what_is_wanted(session, found, None, None)
        run, code = await syncing.sync(session, out, found, wanted, waiting=Waiting(None))
        syncing.say_end(out, run, code)
        return code


async def _show(out: Output) -> None:
    from lifecycle.session import connect  # noqa: PLC0415 - `--help` is quick

    query = "select asset_type, count(*) from assets where account_id = $1 group by 1 order by 2 desc"
    async with connect() as session:
        rows = await session.connection.fetch(query, session.account_id)
    if out.json_wanted:
        out.document({row["asset_type"]: row["count"] for row in rows})
    else:
        out.table(("type", "assets"), [tuple(row) for row in rows])


async def _until_interrupted(out: Output, state: Any) -> None:
    if state.console_url is not None:
        out.message(f"console: {state.console_url}")
    out.message("look around in another terminal: lifecycle integrations list; lifecycle ps; Ctrl-C ends it")
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    await interrupted.wait()
