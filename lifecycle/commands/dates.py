"""`dates import`: dates of many assets from a file."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lifecycle.command import AccountOption, add
from lifecycle.exits import ExitCode, WrongUsage
from lifecycle.output import Output


class OriginName(StrEnum):
    """Who says the dates."""

    LOOKUP = "lookup"
    MANUAL = "manual"


class StyleName(StrEnum):
    """Which of two numbers comes first."""

    DMY = "dmy"
    MDY = "mdy"


FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="CSV with serial numbers and dates.")]
OriginOption = Annotated[OriginName, typer.Option("--origin", help="lookup: a catalogue says so; manual: a person.")]
NameOption = Annotated[str | None, typer.Option("--name", help="Of the lookup, such as dell; each has one say.")]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Only say what would be done; this is the default.")]
ApplyOption = Annotated[bool, typer.Option("--apply", help="Send the edits.")]
StyleOption = Annotated[
    StyleName | None, typer.Option("--date-style", help="How to read 03/04/2027: day first, or month first.")
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write every date with its outcome as CSV.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    group = typer.Typer(help="The dates of many assets.", no_args_is_help=True)
    # A group of one command would be taken for the command itself.
    group.callback()(lambda: None)
    add(group, "import")(import_dates)
    app.add_typer(group, name="dates")


async def import_dates(
    out: Output,
    file: FileArgument,
    *,
    origin: OriginOption,
    name: NameOption = None,
    preview: PreviewOption = False,
    apply: ApplyOption = False,
    date_style: StyleOption = None,
    report: ReportOption = None,
    account: AccountOption = None,
) -> ExitCode:
    """Take dates from a CSV file, as a maker's portal exports it.

        lifecycle dates import dell.csv --origin lookup --name dell --preview
        lifecycle dates import dell.csv --origin lookup --name dell --apply --report outcome.csv

    The file needs a column of serial numbers (Serial Number, Service Tag, Asset Tag) and one of dates or both
    (Purchase Date or Ship Date, Warranty Expiration Date or Warranty End Date). The same file again is no second
    edit. Ends with 5 where some rows are refused: `lifecycle assets edits --status refused --since 1h` lists each with
    its line, its reason and what to do.
    """
    from lifecycle.data import importing  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.import_page import say_end, show_import  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    if preview and apply:
        raise WrongUsage("--preview and --apply exclude each other", "give one of them")
    if (origin is OriginName.LOOKUP) != bool(name and name.strip()):
        raise WrongUsage(
            "a lookup has a name, and a manual edit has none",
            "give --origin lookup with --name, such as --name dell, or --origin manual without",
        )
    order = importing.ImportOrder(file, origin.value, name, date_style.value if date_style else None)
    async with connect(account) as session:
        judged = await importing.judge(session, out, order)
        document = {**await importing.summary(session, judged), "applied": apply}
        if report:
            await importing.write_report(session, judged, report)
        if not out.json_wanted:
            show_import(out, document)
        if apply:
            document |= await importing.send(session, out, judged)
    if out.json_wanted:
        out.document(document)
    say_end(out, document)
    return ExitCode.PARTIAL if apply and document["refused"] else ExitCode.DONE
