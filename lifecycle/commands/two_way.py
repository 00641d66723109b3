"""`integrations two-way`."""

from enum import StrEnum
from typing import Annotated

import typer

from lifecycle.command import AccountOption
from lifecycle.output import Output


class FieldChoice(StrEnum):
    """The two dates, one or both."""

    PURCHASE = "purchase_date"
    WARRANTY = "warranty_expiration_date"
    BOTH = "both"


class PolicyChoice(StrEnum):
    """Who is right where somebody changes a manual date in the RMM."""

    KEEP_MANUAL = "keep_manual"
    REMOTE_WINS = "remote_wins"


IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Name or id; the first six characters of it will do.")]
FieldOption = Annotated[FieldChoice, typer.Option("--field", help="Which dates.")]
OnOption = Annotated[bool | None, typer.Option("--on/--off", help="Write these dates to the RMM, or stop.")]
PreviewOption = Annotated[
    bool, typer.Option("--preview", help="Show what writing history would write; change nothing.")
]
HistoryOption = Annotated[
    bool, typer.Option("--write-history", help="With --on: write the dates that stand already too.")
]
PolicyOption = Annotated[
    PolicyChoice | None,
    typer.Option("--policy", help="Who is right where a manual date is changed in the RMM."),
]
ResumeOption = Annotated[
    bool,
    typer.Option("--resume-writing", help="The key has the right that it lacked: write again, what is held first."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


async def two_way(
    out: Output,
    integration: IdArgument,
    *,
    field: FieldOption = FieldChoice.BOTH,
    on: OnOption = None,
    preview: PreviewOption = False,
    write_history: HistoryOption = False,
    policy: PolicyOption = None,
    resume_writing: ResumeOption = False,
    yes: YesOption = False,
    account: AccountOption = None,
) -> None:
    """Show or switch the writing of dates to an RMM; off until chosen.

        lifecycle integrations two-way Acme
        lifecycle integrations two-way Acme --preview
        lifecycle integrations two-way Acme --field purchase_date --on
        lifecycle integrations two-way Acme --on --write-history --yes
        lifecycle integrations two-way Acme --resume-writing

    Dates that stand already are written only with --write-history. Off ends what waits to be written; it stays here.
    """
    from lifecycle.data.naming import find_integration  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.two_way import Wish  # noqa: PLC0415 - the same
    from lifecycle.data.two_way import two_way as carry_out  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same
    from shared.dates.calendar import FIELDS, DateField  # noqa: PLC0415 - the same

    fields: list[DateField] = [name for name in FIELDS if field.value in {name, "both"}]
    wish = Wish(fields, on, preview, write_history, policy.value if policy is not None else None, resume_writing)
    async with connect(account) as session:
        found = await find_integration(session, integration)
        await carry_out(session, out, found, wish, yes=yes)
