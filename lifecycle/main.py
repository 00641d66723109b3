"""The `lifecycle` command: one app, and one place where failures become a sentence and an exit code."""

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import typer

from lifecycle.exits import ExitCode, Failure, Interrupted, WrongUsage, failure_of, is_expected
from lifecycle.output import Output

# One module for each group, each with `register(app)`; in the order of `lifecycle --help`.
_GROUPS = (
    "stack",
    "demo",
    "doctor",
    "status",
    "integrations",
    "runs",
    "assets",
    "dates",
    "parked",
    "replay",
    "migrate",
    "topology",
    "secrets",
)


def make_app() -> typer.Typer:
    """The app with every command that this version has."""
    app = typer.Typer(
        name="lifecycle",
        help="Keeps ConnectWise RMM devices and a lifecycle asset store in step, both ways.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
        # Plain help: quick to print, and the examples stay as they are written.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in _GROUPS:
        module = f"lifecycle.commands.{name}"
        if find_spec(module) is not None:
            importlib.import_module(module).register(app)
    return app


def main() -> None:
    """What the console script calls."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; every failure has become a sentence by then."""
    # Drivers log what they also raise; a person gets the sentence alone.
    logging.getLogger().addHandler(logging.NullHandler())
    out = Output("--json" in arguments, color="--no-color" not in arguments)
    try:
        return _run(out, arguments)
    except BrokenPipeError:
        # The reader has what it wanted (`| head`); what is left in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE


def _run(out: Output, arguments: Sequence[str]) -> int:
    try:
        # Not as a program of its own: that prints errors in its own way, and usage errors under --json too.
        result: Any = make_app()(args=list(arguments), prog_name="lifecycle", standalone_mode=False)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the one place where whatever is left becomes a sentence
        return _fail(out, error)
    code = result if isinstance(result, int) else ExitCode.DONE
    if code == ExitCode.INTERRUPTED:
        out.failure(Interrupted("interrupted"))
    return int(code)


def _fail(out: Output, error: Exception) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{error}\n")
        return int(ExitCode.USAGE)
    failure = _usage_failure(error) or failure_of(error)
    if failure.next_step is None and not is_expected(error):
        failure = Failure(failure.message, _keep_traceback(error))
    out.failure(failure)
    return int(failure.code)


def _usage_failure(error: Exception) -> Failure | None:
    # Typer carries its own copy of click, so its errors are known by what they can do.
    say = getattr(error, "format_message", None)
    return WrongUsage(str(say()), "see: lifecycle --help") if say is not None else None


def _keep_traceback(error: Exception) -> str | None:
    """Writes the traceback to a file for whoever mends it; a person at a terminal is told where it is."""
    with suppress(Exception):  # no settings or no room for it: the sentence must do
        from lifecycle.session import stack_layout  # noqa: PLC0415 - only here
        from lifecycle.settings import CommandSettings  # noqa: PLC0415 - only here

        if CommandSettings().debug:
            traceback.print_exception(error)
        layout = stack_layout()
        layout.create()
        path = layout.logs / "command-errors.log"
        path.touch(mode=0o600)
        with path.open("a") as file:
            file.write(f"{datetime.now(UTC).isoformat()}\n{''.join(traceback.format_exception(error))}\n")
        return f"this is a fault of the program; its traceback is in {path}"
    return None
