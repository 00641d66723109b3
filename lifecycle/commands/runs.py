"""`runs list|show|cancel|accept`."""

from typing import Annotated

import typer

from lifecycle.command import AccountOption, add
from lifecycle.output import Output

RunArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the run; its first six characters will do.")]
IntegrationOption = Annotated[str | None, typer.Option("--integration", help="Only of this integration.")]
RejectsOption = Annotated[int, typer.Option("--rejects", min=1, help="How many rejected devices of each reason.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    group = typer.Typer(help="Syncs that were, and the ones that go.", no_args_is_help=True)
    add(group, "list")(list_runs)
    add(group, "show")(show)
    add(group, "cancel")(cancel)
    add(group, "accept")(accept)
    app.add_typer(group, name="runs")


async def list_runs(
    out: Output, *, integration: IntegrationOption = None, limit: LimitOption = 20, account: AccountOption = None
) -> None:
    """List the syncs, newest first.

    lifecycle runs list
    lifecycle runs list --integration Acme --limit 100 --json
    """
    from lifecycle.data import runs  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_optional  # noqa: PLC0415 - the same
    from lifecycle.data.pages import RUN_COLUMNS, run_row  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        wanted = await find_optional(session, integration)
        found = await runs.list_runs(session.connection, session.account_id, integration_id=wanted, limit=limit)
    if out.json_wanted:
        out.document(found)
    elif found:
        out.table(RUN_COLUMNS, [run_row(run) for run in found])
    else:
        out.message("there was no sync yet; start one with: lifecycle integrations sync NAME")


async def show(out: Output, run: RunArgument, *, rejects: RejectsOption = 3, account: AccountOption = None) -> None:
    """Show one sync: its balance, its lists, what was rejected and why.

    lifecycle runs show 2f6c1a
    lifecycle runs show 2f6c1a --rejects 500 --json | jq '.rejects[].examples[].sent'
    """
    from lifecycle.data.naming import find_run  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.run_pages import read_run_page, show_run  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        found = await find_run(session, run)
        page = await read_run_page(session.connection, session.account_id, found, examples=rejects)
    if out.json_wanted:
        out.document(page)
    else:
        show_run(out, page)


async def cancel(out: Output, run: RunArgument, *, account: AccountOption = None) -> None:
    """End a sync that goes; what it has read stays.

    lifecycle runs cancel 2f6c1a
    """
    from lifecycle.data import run_changes  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_run  # noqa: PLC0415 - the same
    from lifecycle.data.words import outcome  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        found = await run_changes.cancel(session, out, await find_run(session, run))
    if out.json_wanted:
        out.document(found)
    out.message(outcome(found))


async def accept(out: Output, run: RunArgument, *, account: AccountOption = None) -> None:
    """Take a sync that waits for review as true: the devices it did not see are missing then.

        lifecycle runs accept 2f6c1a

    Look at it first with: lifecycle runs show
    """
    from lifecycle.data import run_changes  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_run  # noqa: PLC0415 - the same
    from lifecycle.data.words import outcome  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        found = await run_changes.accept(session, await find_run(session, run))
    if out.json_wanted:
        out.document(found)
    out.message(outcome(found))
