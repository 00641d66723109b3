"""`status`: how everything stands, once or as it changes."""

from typing import Annotated

import typer

from lifecycle.command import AccountOption, add
from lifecycle.exits import ExitCode
from lifecycle.output import Output

WatchOption = Annotated[bool, typer.Option("--watch", "-w", help="Again and again until Ctrl-C.")]
IntegrationOption = Annotated[str | None, typer.Option("--integration", help="Only this integration and its syncs.")]


def register(app: typer.Typer) -> None:
    """Adds the command to the app."""
    add(app, "status")(status)


async def status(
    out: Output, *, watch: WatchOption = False, integration: IntegrationOption = None, account: AccountOption = None
) -> ExitCode:
    """Show how everything stands: what needs a person, syncs, integrations, services and queues.

        lifecycle status
        lifecycle status --watch
        lifecycle status --watch --json     an object a line, every second

    Ends with 6 where the broker does not answer.
    """
    from lifecycle.data.naming import find_optional  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.overview import read_overview  # noqa: PLC0415 - the same
    from lifecycle.data.overview_page import overview_page  # noqa: PLC0415 - the same
    from lifecycle.data.watching import watch as keep_watching  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        chosen = await find_optional(session, integration)
        if watch:
            await keep_watching(session, out, chosen)
        document = await read_overview(session, session.connection, chosen)
    if out.json_wanted:
        out.document(document)
    else:
        out.results.print(overview_page(document))
    return ExitCode.DONE if document["broker"]["reachable"] else ExitCode.UNREACHABLE
