"""`doctor`: what this machine lacks, and how to mend it."""

from dataclasses import asdict

import typer

from lifecycle.command import add
from lifecycle.exits import ExitCode
from lifecycle.output import Output


def register(app: typer.Typer) -> None:
    """Adds the command to the app."""
    add(app, "doctor")(doctor)


async def doctor(out: Output) -> ExitCode:
    """Look at this machine and at the stack on it; each finding comes with what to do.

        lifecycle doctor
        lifecycle doctor --json

    Ends with 1 where something is red.
    """
    from lifecycle.checks import Check, checks  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import stack_layout  # noqa: PLC0415 - the same
    from lifecycle.settings import CommandSettings  # noqa: PLC0415 - the same

    settings = CommandSettings()
    found: list[Check] = []
    async for check in checks(settings, stack_layout(settings)):
        found.append(check)
        if not out.json_wanted:
            out.text(f"{'ok ' if check.good else 'RED'}  {check.name:<9} {check.found}")
            if check.fix is not None:
                out.text(f"     {'':<9} -> {check.fix}")
    if out.json_wanted:
        out.document([asdict(check) for check in found])
    return ExitCode.DONE if all(check.good for check in found) else ExitCode.FAILED
