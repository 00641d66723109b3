"""`demo`: everything once, on this machine, with a simulated RMM."""

import asyncio
import signal
from typing import Annotated, Any

import typer

from lifecycle.command import add
from lifecycle.exits import ExitCode, Refused
from lifecycle.output import Output

ExitOption = Annotated[bool, typer.Option("--exit", help="End by itself, with everything that was started.")]
DevicesOption = Annotated[int, typer.Option("--devices", min=1, help="Devices in the simulated RMM.")]
CompaniesOption = Annotated[int, typer.Option("--companies", min=1, help="Companies in the simulated RMM.")]


def register(app: typer.Typer) -> None:
    """Adds the command to the app."""
    add(app, "demo")(demo)


async def demo(
    out: Output, *, leave: ExitOption = False, devices: DevicesOption = 2000, companies: CompaniesOption = 20
) -> ExitCode:
    """Start everything with a simulated RMM, sync its devices, and see dates arrive there and here.

        lifecycle demo
        lifecycle demo --exit

    Stays up until Ctrl-C. A stack that was already up is used and left up.
    """
    from lifecycle.data.demonstration import never_silent  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import stack_layout  # noqa: PLC0415 - the same
    from lifecycle.stack import control  # noqa: PLC0415 - the same
    from lifecycle.stack.plan import Plan  # noqa: PLC0415 - the same

    layout = stack_layout()
    state = control.running_state(layout)
    was_up = state is not None
    async with never_silent(out, "starting") as say:
        if state is None:
            state = await control.start_detached(layout, Plan(devices=devices, companies=companies), say)
        else:
            say("the stack is already up")
            state = await control.await_ready(layout, state.supervisor, lambda _: None)
    try:
        code = await _show(out, state, layout.simulator_secret_file)
        _say_next(out, state, ends=leave and not was_up)
        if not leave and not was_up:
            await _until_interrupted(out)
    finally:
        if not was_up:
            async with never_silent(out, "stopping") as say:
                await control.bring_down(layout, say)
    return code


async def _show(out: Output, state: Any, secret_file: Any) -> ExitCode:
    """Syncs, lists assets, lets dates go both ways; one document at the end where that is wished."""
    from lifecycle.data import demonstration  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.demo_dates import both_ways  # noqa: PLC0415 - the same
    from lifecycle.data.simulated_rmm import SimulatedRmm  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    if state.simulator_client_id is None:
        raise Refused("the stack here runs without a simulated RMM", "run: lifecycle down, then: lifecycle demo")
    # The parts print as for a person; where one document is wished, to standard error only.
    part = (
        Output(json_wanted=False, color=out.color, quiet=out.quiet) if not out.json_wanted else _Silent(quiet=out.quiet)
    )
    async with connect() as session:
        key = demonstration.Key(state.simulator_client_id, secret_file)
        synced, run = await demonstration.sync_simulator(session, part, key)
        await demonstration.show_assets(session, part)
        seen, dates = await both_ways(session, part, SimulatedRmm(state.rmm_base_url))
    if out.json_wanted:
        out.document({"console_url": state.console_url, "rmm_base_url": state.rmm_base_url, "run": run, **dates})
    return synced if synced is not ExitCode.DONE else seen


class _Silent(Output):
    """Messages as ever; what belongs on standard output is left out."""

    def text(self, text: str) -> None:
        """Left out."""

    def table(self, *_: Any, **__: Any) -> None:
        """Left out."""


def _say_next(out: Output, state: Any, *, ends: bool) -> None:
    if ends:
        out.message("that was it; to stay and look around: lifecycle demo")
        return
    if state.console_url is not None:
        out.message(f"console: {state.console_url}")
    out.message(f"simulated RMM: {state.rmm_base_url}")
    out.message("look around in another terminal: lifecycle assets list; lifecycle status --watch; lifecycle ps")


async def _until_interrupted(out: Output) -> None:
    out.message("Ctrl-C ends it")
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    await interrupted.wait()
