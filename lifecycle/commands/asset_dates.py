"""`assets edit|clear|edits|exclude|include|conflicts|settle`: the two dates of an asset."""

from enum import StrEnum
from typing import Annotated

import typer

from lifecycle.command import AccountOption, add
from lifecycle.exits import ExitCode
from lifecycle.output import Output

_TABLE_ROWS = 50


class FieldName(StrEnum):
    """The two dates."""

    PURCHASE = "purchase_date"
    WARRANTY = "warranty_expiration_date"


class EditStatus(StrEnum):
    """What became of an edit."""

    RECORDED = "recorded"
    SUPERSEDED = "superseded"
    WAITING = "waiting"
    WRITING = "writing"
    WRITTEN = "written"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    FAILED = "failed"
    HELD = "held"


class TakeName(StrEnum):
    """The sides of a conflict."""

    OURS = "ours"
    THEIRS = "theirs"


AssetArgument = Annotated[
    str, typer.Argument(metavar="ASSET", help="Id or the start of it, serial number, name, or device id in the RMM.")
]
SomeAssetArgument = Annotated[
    str | None, typer.Argument(metavar="[ASSET]", help="Only edits of this asset, or that named one so.")
]
FieldOption = Annotated[FieldName, typer.Option("--field", help="Which of the two dates.")]
ValueOption = Annotated[str, typer.Option("--value", metavar="YYYY-MM-DD", help="The date.")]
VersionOption = Annotated[
    int | None, typer.Option("--if-version", min=1, help="Refuse it where the asset has another version by now.")
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Return when it stands in the RMM, or will not.")]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0, metavar="SECONDS", help="With --wait: the longest wait.")
]
StatusOption = Annotated[EditStatus | None, typer.Option("--status", help="Only with this status.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only received since: 2h, 7d, a day, or RFC 3339.")
]
ActorOption = Annotated[str | None, typer.Option("--actor", help="Only made by this person or program.")]
EventOption = Annotated[str | None, typer.Option("--event", metavar="ID", help="Only of this event, by its id.")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="How many; a table shows 50, --json gives all otherwise.")
]
SourceOption = Annotated[str, typer.Option("--source", metavar="SOURCE", help="lookup:NAME or integration:NAME_OR_ID.")]
TakeOption = Annotated[TakeName, typer.Option("--take", help="The manual date, or the RMM's.")]
IntegrationOption = Annotated[
    str | None, typer.Option("--integration", help="Only the conflict with this integration.")
]


def register(group: typer.Typer) -> None:
    """Adds the commands to the group `assets`."""
    add(group, "edit")(edit)
    add(group, "clear")(clear)
    add(group, "edits")(edits)
    add(group, "exclude")(exclude)
    add(group, "include")(include)
    add(group, "conflicts")(conflicts)
    add(group, "settle")(settle)


async def edit(
    out: Output,
    asset: AssetArgument,
    *,
    field: FieldOption,
    value: ValueOption,
    if_version: VersionOption = None,
    wait: WaitOption = False,
    seconds: TimeoutOption = 300,
    account: AccountOption = None,
) -> ExitCode:
    """Set a date by hand; it is written to the RMM where two-way is on.

        lifecycle assets edit 5CG1234XYZ --field purchase_date --value 2027-03-01 --wait
        lifecycle assets edit 5CG1234XYZ --field purchase_date --value 2027-03-01 --if-version 7

    With --wait it ends with 0 for written, unchanged and recorded, 4 for refused, 1 for failed, 5 where it is kept
    until the integration works again, and 124 when the time ran out.
    """
    from lifecycle.data.assets import find_asset  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.editing import Wish, read_value, send  # noqa: PLC0415 - the same
    from lifecycle.data.waiting import Waiting  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    read = read_value(value)
    async with connect(account) as session:
        wish = Wish(await find_asset(session, asset), field.value, read, if_version)
        return await send(session, out, wish, Waiting(seconds) if wait else None)


async def clear(
    out: Output,
    asset: AssetArgument,
    *,
    field: FieldOption,
    if_version: VersionOption = None,
    wait: WaitOption = False,
    seconds: TimeoutOption = 300,
    account: AccountOption = None,
) -> ExitCode:
    """Take a manual date back; what the other sources say counts again.

    lifecycle assets clear 5CG1234XYZ --field purchase_date --wait
    """
    from lifecycle.data.assets import find_asset  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.editing import Wish, send, wish_to_clear  # noqa: PLC0415 - the same
    from lifecycle.data.waiting import Waiting  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        asset_id = await find_asset(session, asset)
        out.message(await wish_to_clear(session, asset_id, field.value))
        wish = Wish(asset_id, field.value, None, if_version)
        return await send(session, out, wish, Waiting(seconds) if wait else None)


async def edits(
    out: Output,
    asset: SomeAssetArgument = None,
    *,
    status: StatusOption = None,
    since: SinceOption = None,
    actor: ActorOption = None,
    event: EventOption = None,
    limit: LimitOption = None,
    account: AccountOption = None,
) -> None:
    """List what became of edits, refused ones too, newest first.

    lifecycle assets edits --status refused --since 2h
    lifecycle assets edits --event 2f6c1a7e-0a53-4c1e-9f0f-1d0c3a5b7e21 --json
    """
    from lifecycle.data import edits as ledger  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.moments import read_moment  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    chosen = ledger.Chosen(
        status=status.value if status else None,
        since=read_moment("--since", since) if since is not None else None,
        actor=actor,
        event=event,
        limit=limit if out.json_wanted else limit or _TABLE_ROWS,
    )
    async with connect(account) as session:
        wanted = await ledger.choose(session, asset, chosen)
        found = await ledger.list_edits(session.connection, session.account_id, wanted)
    if out.json_wanted:
        out.document(found)
    elif not found:
        out.message("there is no such edit; make one with: lifecycle assets edit ASSET --field F --value YYYY-MM-DD")
    else:
        out.table(ledger.COLUMNS, [ledger.table_row(one) for one in found], whole=ledger.WHOLE)
        ledger.say_next_actions(out, found)


async def exclude(
    out: Output, asset: AssetArgument, *, field: FieldOption, source: SourceOption, account: AccountOption = None
) -> None:
    """Let one source's date not count.

    lifecycle assets exclude 5CG1234XYZ --field warranty_expiration_date --source lookup:dell
    """
    await _count(out, asset, field, source, account, excluded=True)


async def include(
    out: Output, asset: AssetArgument, *, field: FieldOption, source: SourceOption, account: AccountOption = None
) -> None:
    """Let a source's date that was excluded count again.

    lifecycle assets include 5CG1234XYZ --field warranty_expiration_date --source lookup:dell
    """
    await _count(out, asset, field, source, account, excluded=False)


async def conflicts(out: Output, *, integration: IntegrationOption = None, account: AccountOption = None) -> None:
    """List where a person's date and an RMM's differ, newest first.

    lifecycle assets conflicts
    """
    from lifecycle.data import date_choices  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_optional  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        one = await find_optional(session, integration)
        found = await date_choices.list_conflicts(session, integration_id=one)
    if out.json_wanted:
        out.document(found)
    elif not found:
        out.message("there is no open conflict")
    else:
        out.table(date_choices.CONFLICT_COLUMNS, [date_choices.conflict_row(each) for each in found])
        out.message("settle one with: lifecycle assets settle ASSET --field F --take ours|theirs")


async def settle(
    out: Output,
    asset: AssetArgument,
    *,
    field: FieldOption,
    take: TakeOption,
    integration: IntegrationOption = None,
    account: AccountOption = None,
) -> None:
    """Take one side of a conflict: the manual date is written again, or the RMM's counts from now on.

        lifecycle assets settle 5CG1234XYZ --field purchase_date --take ours

    Where two-way is off for that date nothing is written: the manual date counts here, and the RMM keeps its own.
    """
    from lifecycle.data import date_choices  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        await date_choices.settle(session, out, asset, field.value, take.value, integration)


async def _count(
    out: Output, asset: str, field: FieldName, source: str, account: str | None, *, excluded: bool
) -> None:
    from lifecycle.data import date_choices  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.assets import find_asset  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        asset_id = await find_asset(session, asset)
        read = await date_choices.read_source(session, source)
        await date_choices.exclude(session, out, asset_id, field.value, read, excluded=excluded)
