"""`migrate`: bring the database to the version of this program."""

from pathlib import Path
from typing import Annotated

import typer

from lifecycle.command import add
from lifecycle.output import Output

CheckOption = Annotated[bool, typer.Option("--check", help="Change nothing; say what would be applied.")]
RolesOption = Annotated[
    Path | None, typer.Option("--roles", help="Give each service a role of its own; the file of `secrets deployment`.")
]


def register(app: typer.Typer) -> None:
    """Adds the command to the app."""
    add(app, "migrate")(migrate)


async def migrate(out: Output, *, check: CheckOption = False, roles: RolesOption = None) -> None:
    """Bring the database to the version that this program needs.

        lifecycle migrate
        lifecycle migrate --check     say what is missing and change nothing

    Twice is harmless, and so is running it in several places at once. A new database gets its first account. With
    --roles, which a deployment has, every service, the command and the change of keys get a role each, with the rights
    that it needs and no others; without it all use the owner's.
    """
    from lifecycle.accounts import ensure_first_account  # noqa: PLC0415 - `--help` is quick
    from lifecycle.rights.database import grant, read_verifiers  # noqa: PLC0415 - the same
    from lifecycle.session import database_url  # noqa: PLC0415 - the same
    from shared import migrations  # noqa: PLC0415 - the same

    url = database_url()
    verifiers = read_verifiers(roles) if roles is not None else {}
    names = await (migrations.pending(url) if check else migrations.migrate(url))
    if not check:
        await ensure_first_account(url)
        if verifiers:
            await grant(url, verifiers)
    if out.json_wanted:
        out.document({"pending" if check else "applied": names})
    for name in names:
        out.message(f"{'missing' if check else 'applied'}: {name}")
    if not names:
        out.message("the database is up to date")
