"""`parked list|show|retry|discard`."""

from enum import StrEnum
from typing import Annotated

import typer

from lifecycle.command import AccountOption, add
from lifecycle.exits import ExitCode, WrongUsage
from lifecycle.output import Output


class StatusName(StrEnum):
    """What became of a parked message."""

    PARKED = "parked"
    RETRIED = "retried"
    DISCARDED = "discarded"
    ALL = "all"


IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the message; its first six characters will do.")]
IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of messages.")]
SomeIdsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of messages.")]
QueueOption = Annotated[str | None, typer.Option("--queue", help="Only from this queue.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="CODE", help="Only with this reason code.")]
IntegrationOption = Annotated[str | None, typer.Option("--integration", help="Only of this integration.")]
StatusOption = Annotated[StatusName, typer.Option("--status", help="Parked ones, or what was decided about others.")]
GroupsOption = Annotated[bool, typer.Option("--groups", help="Count them by reason and queue.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")]
AllOption = Annotated[bool, typer.Option("--all", help="All that fit the filters.")]
ApplyOption = Annotated[bool, typer.Option("--yes", "-y", "--apply", help="Do it; --all says otherwise what it would.")]
NoteOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why they are not needed; it is kept.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    group = typer.Typer(help="Messages that no service could handle, kept for a person.", no_args_is_help=True)
    add(group, "list")(list_parked)
    add(group, "show")(show)
    add(group, "retry")(retry)
    add(group, "discard")(discard)
    app.add_typer(group, name="parked")


async def list_parked(
    out: Output,
    *,
    queue: QueueOption = None,
    reason: ReasonOption = None,
    integration: IntegrationOption = None,
    status: StatusOption = StatusName.PARKED,
    groups: GroupsOption = False,
    limit: LimitOption = 100,
    account: AccountOption = None,
) -> None:
    """List the messages that wait for a person, newest first.

    lifecycle parked list --groups
    lifecycle parked list --queue writer.pages --reason bug
    """
    from lifecycle.data import parked  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_optional  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    if groups and status is not StatusName.PARKED:
        raise WrongUsage("--groups counts what is parked now", "leave --status away")
    async with connect(account) as session:
        word = None if status is StatusName.ALL else status.value
        chosen = parked.Chosen(queue, reason, await find_optional(session, integration), word)
        found = await (parked.list_groups(session, chosen) if groups else parked.list_parked(session, chosen, limit))
    if out.json_wanted:
        out.document(found)
    elif not found:
        out.message("nothing is parked" if status is StatusName.PARKED else "there is none")
    elif groups:
        out.table(parked.GROUP_COLUMNS, [parked.group_row(one) for one in found])
    else:
        out.table(parked.COLUMNS, [parked.table_row(one) for one in found])
        out.message("see one with: lifecycle parked show ID; send it again with: lifecycle parked retry ID")


async def show(out: Output, message: IdArgument, *, account: AccountOption = None) -> None:
    """Show one message: why it is parked, what to do, and its body.

    lifecycle parked show 2f6c1a
    """
    from lifecycle.data import parked  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_parked  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        document = await parked.read_parked(session, await find_parked(session, message))
    if out.json_wanted:
        out.document(document)
    else:
        parked.show_parked(out, document)


async def retry(
    out: Output,
    messages: IdsArgument = None,
    *,
    everything: AllOption = False,
    queue: QueueOption = None,
    reason: ReasonOption = None,
    integration: IntegrationOption = None,
    apply: ApplyOption = False,
    account: AccountOption = None,
) -> ExitCode:
    """Send messages to their own queues again.

    lifecycle parked retry 2f6c1a
    lifecycle parked retry --all --queue writer.pages          say what it would send
    lifecycle parked retry --all --queue writer.pages --yes    send it
    """
    from lifecycle.data import parked, parked_work  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_optional  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    if messages and (queue or reason or integration):
        raise WrongUsage("filters go with --all, not with ids", "give one or the other")
    async with connect(account) as session:
        chosen = parked.Chosen(queue, reason, await find_optional(session, integration))
        return await parked_work.retry(session, out, messages or [], chosen, everything=everything, apply=apply)


async def discard(
    out: Output,
    messages: SomeIdsArgument,
    *,
    reason: NoteOption,
    yes: YesOption = False,
    account: AccountOption = None,
) -> None:
    """Give messages up, with a reason that is kept; the rows stay.

    lifecycle parked discard 2f6c1a 99ab00 --reason "the tenant is gone"
    """
    from lifecycle.data import parked_work  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        await parked_work.discard(session, out, messages, reason, yes=yes)
