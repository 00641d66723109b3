"""`integrations add|list|show|sync|replace-credentials|enable|disable|remove|restore|preflight|two-way`."""

from enum import StrEnum
from typing import Annotated

import typer

from lifecycle.command import AccountOption, add
from lifecycle.commands.two_way import two_way
from lifecycle.exits import ExitCode
from lifecycle.output import Output


class RegionName(StrEnum):
    """The vendor's regions."""

    NA = "na"
    EU = "eu"
    AU = "au"


IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Name or id; the first six characters of it will do.")]
NameOption = Annotated[str, typer.Option("--name", help="What people call it.")]
RegionOption = Annotated[RegionName, typer.Option("--region", case_sensitive=False, help="Where the RMM is.")]
ClientIdOption = Annotated[str, typer.Option("--client-id", help="The key's client id.")]
SecretOption = Annotated[
    str | None,
    typer.Option("--client-secret-file", metavar="FILE", help="File of the client secret; - reads standard input."),
]
SyncOption = Annotated[bool, typer.Option("--sync/--no-sync", help="Whether the first sync starts at once.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Return when it has ended.")]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", min=0, metavar="SECONDS", help="With --wait: the longest wait.")
]
CompanyOption = Annotated[str | None, typer.Option("--company", help="Only this company, by its id or name.")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="Only this device, by its id in the RMM.")]
AllOption = Annotated[bool, typer.Option("--all", help="Those that were removed too.")]
NowOption = Annotated[bool, typer.Option("--now", help="Delete its data at once: there is no way back.")]
NewNameOption = Annotated[str | None, typer.Option("--name", help="Another name, where its own is taken by now.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
CreateOption = Annotated[
    bool, typer.Option("--create-definitions", help="Create the custom fields of the two dates that are missing.")
]
PatienceOption = Annotated[float, typer.Option("--timeout", min=0, metavar="SECONDS", help="The longest wait.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    group = typer.Typer(help="The RMMs that devices are read from.", no_args_is_help=True)
    add(group, "add")(add_integration)
    add(group, "list")(list_integrations)
    add(group, "show")(show)
    add(group, "sync")(sync)
    add(group, "replace-credentials")(replace_credentials)
    add(group, "enable")(enable)
    add(group, "disable")(disable)
    add(group, "remove")(remove)
    add(group, "restore")(restore)
    add(group, "preflight")(preflight)
    add(group, "two-way")(two_way)
    app.add_typer(group, name="integrations")


async def add_integration(
    out: Output,
    *,
    name: NameOption,
    region: RegionOption,
    client_id: ClientIdOption,
    client_secret_file: SecretOption = None,
    sync: SyncOption = True,
    wait: WaitOption = False,
    seconds: TimeoutOption = None,
    account: AccountOption = None,
) -> ExitCode:
    """Add an RMM and start its first sync.

        lifecycle integrations add --name Acme --region eu --client-id ID --client-secret-file FILE
        pass show rmm | lifecycle integrations add --name Acme --region eu --client-id ID --client-secret-file -

    Without a file the secret is asked for. With --wait the command ends with the first sync. Nothing is written to
    the RMM.
    """
    from lifecycle.data.adding import add_one  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.waiting import Waiting  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        return await add_one(
            session,
            out,
            name=name,
            region=region.value,
            client_id=client_id,
            secret_file=client_secret_file,
            sync=sync,
            waiting=Waiting(seconds) if wait else None,
        )


async def list_integrations(out: Output, *, every: AllOption = False, account: AccountOption = None) -> None:
    """List the integrations, those that need a person first.

    lifecycle integrations list
    lifecycle integrations list --all
    lifecycle integrations list --json | jq -r '.[].name'
    """
    from lifecycle.data import integrations  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        documents = await integrations.list_integrations(session.connection, session.account_id, removed=every)
    if out.json_wanted:
        out.document(documents)
        return
    if not documents:
        out.message("there is no integration yet; add one with: lifecycle integrations add")
        return
    out.table(integrations.COLUMNS, [integrations.table_row(document) for document in documents])
    integrations.say_attention(out, documents)


async def show(out: Output, integration: IdArgument, *, account: AccountOption = None) -> None:
    """Show one integration: status, devices, last syncs and who changed what.

    lifecycle integrations show Acme
    """
    from lifecycle.data import integrations  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_integration  # noqa: PLC0415 - the same
    from lifecycle.data.pages import show_integration  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        found = await find_integration(session, integration)
        document = await integrations.read_integration(session.connection, session.account_id, found.id)
    if out.json_wanted:
        out.document(document)
    else:
        show_integration(out, document)


async def sync(
    out: Output,
    integration: IdArgument,
    *,
    company: CompanyOption = None,
    device: DeviceOption = None,
    wait: WaitOption = False,
    seconds: TimeoutOption = None,
    account: AccountOption = None,
) -> ExitCode:
    """Read the devices of an integration now; while a sync is going the request joins it.

        lifecycle integrations sync Acme
        lifecycle integrations sync Acme --wait
        lifecycle integrations sync Acme --company "Blue Mill" --wait --timeout 300

    With --wait it ends with 0 where the sync succeeded, 5 where it did in part, 1 where it failed, and 124 where the
    time is up and the sync goes on.
    """
    from lifecycle.data import syncing  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_integration  # noqa: PLC0415 - the same
    from lifecycle.data.waiting import Waiting  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        found = await find_integration(session, integration)
        wanted = await syncing.what_is_wanted(session, found, company, device)
        waiting = Waiting(seconds) if wait else None
        run, code = await syncing.sync(session, out, found, wanted, waiting=waiting)
    if out.json_wanted:
        out.document(run)
    if wait:
        syncing.say_end(out, run, code)
    return code


async def replace_credentials(
    out: Output,
    integration: IdArgument,
    *,
    client_id: ClientIdOption,
    client_secret_file: SecretOption = None,
    wait: WaitOption = False,
    seconds: TimeoutOption = None,
    account: AccountOption = None,
) -> ExitCode:
    """Store a new key; a paused integration goes on by itself where it works.

        lifecycle integrations replace-credentials Acme --client-id ID --client-secret-file FILE --wait

    With --wait the key is tried, and the command ends with 1 where the RMM does not take it.
    """
    from lifecycle.data import switching  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_integration  # noqa: PLC0415 - the same
    from lifecycle.data.waiting import Waiting  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        return await switching.replace(
            session,
            out,
            await find_integration(session, integration),
            client_id=client_id,
            secret_file=client_secret_file,
            waiting=Waiting(seconds) if wait else None,
        )


async def enable(out: Output, integration: IdArgument, *, account: AccountOption = None) -> None:
    """Switch a disabled integration on again; it catches up by itself.

    lifecycle integrations enable Acme
    """
    from lifecycle.data import switching  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_integration  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        await switching.enable(session, out, await find_integration(session, integration))


async def disable(out: Output, integration: IdArgument, *, account: AccountOption = None) -> None:
    """Switch an integration off: nothing is read or written, all data stays.

    lifecycle integrations disable Acme
    """
    from lifecycle.data import switching  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_integration  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        await switching.disable(session, out, await find_integration(session, integration))


async def remove(
    out: Output,
    integration: IdArgument,
    *,
    now: NowOption = False,
    yes: YesOption = False,
    account: AccountOption = None,
) -> None:
    """Remove an integration with its devices and credentials; what others see and people edited stays.

        lifecycle integrations remove Acme
        lifecycle integrations remove Acme --yes     for scripts

    It shows what goes and asks for the name first. From then on nothing is read or written. The data is deleted after
    LIFECYCLE_REMOVAL_UNDO_SECONDS, a day as a rule; until then `restore` brings it back. With --now it goes at once.
    """
    from lifecycle.data import removing  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        await removing.remove(session, out, integration, yes=yes, now=now)


async def restore(
    out: Output, integration: IdArgument, *, name: NewNameOption = None, account: AccountOption = None
) -> None:
    """Bring back a removed integration as it was, while its data is there; a catch-up sync follows.

    lifecycle integrations restore Acme
    lifecycle integrations restore 1f0c3a --name "Acme 2"
    """
    from lifecycle.data import removing  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        await removing.restore(session, out, integration, name=name)


async def preflight(
    out: Output,
    integration: IdArgument,
    *,
    create_definitions: CreateOption = False,
    seconds: PatienceOption = 60.0,
    account: AccountOption = None,
) -> ExitCode:
    """Try the stored key and say what it can do, for each date too; changes nothing in the RMM unless told to.

        lifecycle integrations preflight Acme
        lifecycle integrations preflight Acme --create-definitions

    Ends with 1 where a check fails, and with 124 where nobody answered. A key that may not read dates still reads
    lists, so that alone is no failure.
    """
    from lifecycle.data import switching  # noqa: PLC0415 - `--help` is quick
    from lifecycle.data.naming import find_integration  # noqa: PLC0415 - the same
    from lifecycle.data.waiting import Waiting  # noqa: PLC0415 - the same
    from lifecycle.session import connect  # noqa: PLC0415 - the same

    async with connect(account) as session:
        found = await find_integration(session, integration)
        return await switching.preflight(session, out, found, Waiting(seconds), create_definitions=create_definitions)
