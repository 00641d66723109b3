"""`replay`."""

from typing import Annotated

import typer

from lifecycle.command import add
from lifecycle.exits import ExitCode
from lifecycle.output import Output

FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="WHEN", help="Events made at or after this: 2h ago, a day, or an RFC 3339 time."),
]
ToOption = Annotated[str, typer.Option("--to", metavar="WHEN", help="Events made before this.")]
TypeOption = Annotated[
    list[str] | None,
    typer.Option("--type", help="Only events of this type; can be given again. Else all that go there."),
]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="NAME_OR_ID", help="Only events of this account; else of all.")
]
IntegrationOption = Annotated[str | None, typer.Option("--integration", help="Only events of this integration.")]
DeviceOption = Annotated[
    str | None, typer.Option("--device", metavar="ID", help="Only events of this device of the RMM; its pages whole.")
]
IntoOption = Annotated[str | None, typer.Option("--into", metavar="QUEUE", help="The queue that they go to.")]
RateOption = Annotated[
    float | None, typer.Option("--rate", min=0.1, max=10_000, help="Messages a second at most; 50 if not said.")
]
ApplyOption = Annotated[bool, typer.Option("--apply", "--yes", "-y", help="Send them; it is a preview otherwise.")]
WriteOption = Annotated[
    bool, typer.Option("--allow-write-back", help="Into a queue of write-back, which may write to an RMM.")
]
ResumeOption = Annotated[str | None, typer.Option("--resume", metavar="ID", help="Go on with a replay that stopped.")]


def register(app: typer.Typer) -> None:
    """Adds the command to the app."""
    add(app, "replay")(replay)


async def replay(
    out: Output,
    *,
    since: FromOption = None,
    until: ToOption = "now",
    types: TypeOption = None,
    account: AccountOption = None,
    integration: IntegrationOption = None,
    device: DeviceOption = None,
    into: IntoOption = None,
    rate: RateOption = None,
    apply: ApplyOption = False,
    allow_write_back: WriteOption = False,
    resume: ResumeOption = None,
) -> ExitCode:
    """Send events that a journal keeps to one queue again; without --apply say what would be sent.

    lifecycle replay --from 2h --into writer.pages
    lifecycle replay --from 2026-11-24T10:00Z --to 2026-11-24T12:00Z --into normalizer.pages --apply
    lifecycle replay --from 1d --type date.edited --into writeback.edits --apply --allow-write-back
    """
    from lifecycle.data import replay_work  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    order = replay_work.Order(
        since, until, tuple(types or ()), account, integration, device, into, rate, apply, allow_write_back, resume
    )
    order.check()
    async with connect(account) as session:
        return await replay_work.replay(session, out, order)
