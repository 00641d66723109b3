"""How a command is added: its common options, its event loop, and where its failures go.

    @add(app, "ps")
    async def ps(out: Output, *, everything: EverythingOption = False) -> None: ...

gives `lifecycle ps` with `--json`, `--no-color` and `--quiet` beside its own options. The function stays callable
as it is, so that one command can be composed of others and a test can call it.
"""

import asyncio
import inspect
import signal
import textwrap
import threading
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from lifecycle.exits import ExitCode
from lifecycle.output import Output

P = ParamSpec("P")
Body = Callable[Concatenate[Output, P], Coroutine[Any, Any, ExitCode | None]]

AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="NAME_OR_ID", help="The account that is meant; `default` otherwise.")
]

_EXAMPLES = ("    ", "lifecycle ", 'eval "')
_COMMON = {
    "json_wanted": Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")],
    "no_color": Annotated[bool, typer.Option("--no-color", help="No colours, as with NO_COLOR.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Results and errors only.")],
}


def add(app: typer.Typer, name: str | None = None) -> Callable[[Body[P]], Body[P]]:
    """Adds an async function to the app as a command; its first parameter gets the `Output`."""

    def register(body: Body[P]) -> Body[P]:
        takes_account = "account" in inspect.signature(body).parameters

        def run(**given: Any) -> None:
            chosen = {option: given.pop(option) for option in _COMMON}
            if not takes_account:
                given.pop("account")
            out = Output(chosen["json_wanted"], color=not chosen["no_color"], quiet=chosen["quiet"])
            call: Callable[..., Coroutine[Any, Any, ExitCode | None]] = body
            try:
                code = asyncio.run(_until_terminated(call(out, **given)))
            except asyncio.CancelledError:
                raise KeyboardInterrupt from None
            if code is not None and code is not ExitCode.DONE:
                raise typer.Exit(int(code))

        _describe(run, body)
        app.command(name)(run)
        return body

    return register


async def _until_terminated(work: Coroutine[Any, Any, ExitCode | None]) -> ExitCode | None:
    """Runs the command; SIGTERM breaks it off as Ctrl-C does, so that it cleans up. `up` has a way of its own."""
    task = asyncio.current_task()
    if task is not None and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _describe(run: Callable[..., None], body: Callable[..., object]) -> None:
    """Gives `run` the signature that Typer reads: the body's own options and the common ones."""
    signature = inspect.signature(body, eval_str=True)
    own = list(signature.parameters.values())[1:]
    common = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for option, annotation in _COMMON.items()
    ]
    if "account" not in signature.parameters:
        # Every command takes it, so that a script can say it everywhere; these concern all accounts.
        account = Annotated[str | None, typer.Option("--account", hidden=True)]
        common.append(inspect.Parameter("account", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=account))
    parameters = [*(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own), *common]
    run.__signature__ = signature.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__ = getattr(body, "__name__", "run")
    run.__doc__ = _help_text(body.__doc__ or "")


def _help_text(docstring: str) -> str:
    """The docstring as Typer wants it: a backspace keeps the lines of a paragraph of examples as they are.

    Known by their first words too: where nothing but examples follows the first line, formatters take the indent away.
    """
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(_verbatim(one) if one.startswith(_EXAMPLES) else one for one in paragraphs)


def _verbatim(paragraph: str) -> str:
    return "\b\n" + textwrap.indent(textwrap.dedent(paragraph), "    ")
