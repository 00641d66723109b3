"""`assets list|show|export`; its dates and its identity have commands in `asset_dates` and `asset_identity`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from lifecycle.command import AccountOption, add
from lifecycle.commands import asset_dates, asset_identity
from lifecycle.exits import WrongUsage
from lifecycle.output import Output

_TABLE_ROWS = 50


class StateName(StrEnum):
    """How an asset stands."""

    ACTIVE = "active"
    MISSING = "missing"
    ARCHIVED = "archived"


class WarrantyName(StrEnum):
    """How its warranty stands."""

    EXPIRING = "expiring"
    EXPIRED = "expired"
    ACTIVE = "active"
    UNKNOWN = "unknown"


class FormatName(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    JSON = "json"


IntegrationOption = Annotated[str | None, typer.Option("--integration", help="Only what this integration sees.")]
CompanyOption = Annotated[str | None, typer.Option("--company", help="Only of this company, by its id or name.")]
StateOption = Annotated[StateName | None, typer.Option("--state", help="Only in this state.")]
SearchOption = Annotated[str | None, typer.Option("--search", help="Part of a name, a serial or a MAC address.")]
WarrantyOption = Annotated[WarrantyName | None, typer.Option("--warranty", help="Only with a warranty that is so.")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="How many; a table shows 50, --json gives all otherwise.")
]
AfterOption = Annotated[
    UUID | None,
    typer.Option("--after", metavar="ASSET_ID", help="Go on after this one, the last so far."),
]
FormatOption = Annotated[FormatName | None, typer.Option("--format", help="csv, or json.")]
FileOption = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; standard output otherwise.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    group = typer.Typer(help="The hardware assets.", no_args_is_help=True)
    add(group, "list")(list_assets)
    add(group, "show")(show)
    asset_dates.register(group)
    asset_identity.register(group)
    add(group, "export")(export)
    app.add_typer(group, name="assets")


async def list_assets(
    out: Output,
    *,
    integration: IntegrationOption = None,
    company: CompanyOption = None,
    state: StateOption = None,
    search: SearchOption = None,
    warranty: WarrantyOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    account: AccountOption = None,
) -> None:
    """List the assets by name.

    lifecycle assets list --company "Blue Mill" --warranty expiring
    lifecycle assets list --search 5CG1 --json | jq -r '.[].serial_number'
    """
    from lifecycle.data import asset_lists  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        wanted = await asset_lists.wanted(
            session,
            integration=integration,
            company=company,
            state=state,
            search=search,
            warranty=warranty,
            after=after,
            limit=limit if out.json_wanted else limit or _TABLE_ROWS,
        )
        await asset_lists.print_list(session, out, wanted)


async def show(out: Output, asset: asset_dates.AssetArgument, *, account: AccountOption = None) -> None:
    """Show one asset: facts, dates with their origin, its devices, and what the RMM sent.

    lifecycle assets show 5CG1234XYZ
    """
    from lifecycle.data import assets  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.asset_pages import show_asset  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        document = await assets.read_asset(session, await assets.find_asset(session, asset))
    if out.json_wanted:
        out.document(document)
    else:
        show_asset(out, document)


async def export(
    out: Output,
    *,
    file_format: FormatOption = None,
    output: FileOption = None,
    integration: IntegrationOption = None,
    company: CompanyOption = None,
    state: StateOption = None,
    search: SearchOption = None,
    warranty: WarrantyOption = None,
    account: AccountOption = None,
) -> None:
    """Write assets as CSV or JSON, any number of them.

    lifecycle assets export --output assets.csv
    lifecycle assets export --format json --warranty expired > ended.json
    """
    from lifecycle.data import asset_lists  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    chosen = file_format or (FormatName.JSON if out.json_wanted and output is None else FormatName.CSV)
    if out.json_wanted and output is None and chosen is FormatName.CSV:
        raise WrongUsage("--json and --format csv both want standard output", "name a file with --output")
    async with connect(account) as session:
        wanted = await asset_lists.wanted(
            session, integration=integration, company=company, state=state, search=search, warranty=warranty
        )
        await asset_lists.export(session, out, wanted, as_csv=chosen is FormatName.CSV, path=output)
