"""`secrets keygen|rotate|deployment`: the keys that credentials are sealed with, and a deployment's passwords."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lifecycle.command import add
from lifecycle.exits import NotFound, Refused
from lifecycle.output import Output

PrivateOption = Annotated[Path, typer.Option("--private", help="File for the private key; nobody else may read it.")]
IntoOption = Annotated[Path, typer.Option("--into", help="Folder that gets a folder for each reader.")]
KeptPrivateOption = Annotated[
    Path | None, typer.Option("--private", help="File of the private keys; the stack's otherwise.")
]
KeptPublicOption = Annotated[
    Path | None, typer.Option("--public", help="File of the public key; the stack's otherwise.")
]
ForgetOption = Annotated[bool, typer.Option("--forget", help="Drop the old private keys in the second run.")]
PublicOption = Annotated[Path, typer.Option("--public", help="File for the public key.")]


_DEPLOYMENT_HINT = "make it: lifecycle secrets deployment (with compose: docker compose run --rm secrets)"


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    group = typer.Typer(help="The keys that credentials are sealed with.", no_args_is_help=True)
    add(group, "keygen")(keygen)
    add(group, "rotate")(rotate)
    add(group, "deployment")(deployment)
    app.add_typer(group, name="secrets")


async def deployment(out: Output, *, into: IntoOption) -> None:
    """Make the passwords, addresses and keys of a deployment, each where it is missing.

    lifecycle secrets deployment --into /secrets

    One folder for each reader: the two servers, the owner of the database (migrate), who declares the topology, each
    service, the command (cli), the change of keys; private keys (fetcher and writeback only), and the public one.
    """
    from lifecycle.deployment import make_secrets  # noqa: PLC0415 - `--help` is quick

    made = [str(path) for path in make_secrets(into)]
    if out.json_wanted:
        out.document({"made": made})
    out.message(f"made {len(made)} files" if made else "everything was there")


async def rotate(
    out: Output, *, private: KeptPrivateOption = None, public: KeptPublicOption = None, forget: ForgetOption = False
) -> None:
    """Change the key that stored secrets are sealed with; run it twice, with a restart between.

        lifecycle secrets rotate

    The first run gives the private key file a new key beside the old ones. Restart the fetcher and writeback, so that
    they have it, and run it again: it changes the public key and seals every stored secret anew.
    """
    from lifecycle import rotation  # noqa: PLC0415 - `--help` is quick
    from lifecycle.session import database, stack_layout  # noqa: PLC0415 - the same

    layout = stack_layout()
    # Files that were named belong to a deployment, which makes its own: there is no stack here to bring up.
    hint = "run: lifecycle up" if private is None and public is None else _DEPLOYMENT_HINT
    private, public = private or layout.private_keys_file, public or layout.sealing_key_file
    for path in (private, public):
        if not path.is_file():
            raise NotFound(f"there is no key file {path}", f"name it with --private or --public, or {hint}")
    async with database() as connection:
        if await rotation.begun(connection, private, public):
            done = await rotation.reseal(connection, private, public, forget=forget)
            words = f"key {done.key_id} is in use; {done.resealed} stored secrets were sealed anew"
        else:
            done = rotation.add_key(private)
            words = f"key {done.key_id} added to {private}; restart the fetcher and writeback, then run this again"
    if out.json_wanted:
        out.document(asdict(done))
    out.message(words)


async def keygen(out: Output, *, private: PrivateOption, public: PublicOption) -> None:
    """Make a key pair in two files.

        lifecycle secrets keygen --private secret-keys --public sealing-key

    The private key goes to the fetcher and to writeback (LIFECYCLE_SECRET_KEYS_FILE) and nowhere else, the public
    one to the console and to this command (LIFECYCLE_SEALING_KEY_FILE). No file is overwritten: without the
    private key what was sealed to it cannot be read any more.
    """
    from lifecycle.stack.keys import write_secret  # noqa: PLC0415 - `--help` is quick
    from shared.secrets import generate_keypair  # noqa: PLC0415 - the same

    for path in (private, public):
        if path.exists():
            raise Refused(f"{path} is already there", "name another file, or move it away")
    pair = generate_keypair()
    write_secret(private, pair.private_text.get_secret_value() + "\n")
    write_secret(public, pair.public_text + "\n")
    if out.json_wanted:
        out.document({"key_id": pair.key_id, "private": str(private), "public": str(public)})
    out.message(f"key {pair.key_id}: private in {private}, public in {public}")
