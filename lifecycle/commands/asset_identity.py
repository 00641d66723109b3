"""`assets ambiguities|settle-ambiguity`: devices that may be the same hardware as another asset."""

from typing import Annotated

import typer

from lifecycle.command import AccountOption, add
from lifecycle.output import Output

IntegrationOption = Annotated[str | None, typer.Option("--integration", help="Only devices of this integration.")]
AmbiguityArgument = Annotated[
    str, typer.Argument(metavar="AMBIGUITY", help="Id of the ambiguity; its first six characters will do.")
]
SameOption = Annotated[
    bool, typer.Option("--same/--different", help="One machine, whose devices become one asset; or two, kept apart.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="With --same: do not ask.")]


def register(group: typer.Typer) -> None:
    """Adds the commands to the group `assets`."""
    add(group, "ambiguities")(ambiguities)
    add(group, "settle-ambiguity")(settle_ambiguity)


async def ambiguities(out: Output, *, integration: IntegrationOption = None, account: AccountOption = None) -> None:
    """List the devices that claim to be the hardware of another asset and are kept apart, newest first.

    lifecycle assets ambiguities
    """
    from lifecycle.data import ambiguities as questions  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_optional  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        one = await find_optional(session, integration)
        found = await questions.list_ambiguities(session, integration_id=one)
    if out.json_wanted:
        out.document(found)
    elif not found:
        out.message("there is no open ambiguity")
    else:
        out.table(questions.COLUMNS, [questions.table_row(each) for each in found], whole={"ambiguity id"})
        out.message("settle one with: lifecycle assets settle-ambiguity AMBIGUITY --same|--different")


async def settle_ambiguity(
    out: Output,
    ambiguity: AmbiguityArgument,
    *,
    same: SameOption,
    yes: YesOption = False,
    account: AccountOption = None,
) -> None:
    """Say whether a device is the same hardware as the other asset; it is not asked again.

    lifecycle assets settle-ambiguity 5f0c2a --different
    lifecycle assets settle-ambiguity 5f0c2a --same --yes
    """
    from lifecycle.data import ambiguities as questions  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        await questions.settle(session, out, ambiguity, "same" if same else "different", yes=yes)
