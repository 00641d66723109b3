"""Reading a client secret: from a file, a pipe or a prompt, never from the command line."""

import sys
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from lifecycle.data.saying import warn
from lifecycle.data.settings import sealing_key_text
from lifecycle.exits import WrongUsage
from lifecycle.output import Output
from lifecycle.session import Session
from shared.integrations.changes import BadInput, Credentials
from shared.secrets import PublicKeyRing

STDIN: Final = "-"
_MOST: Final = 8192
_HOW: Final = "give it with --client-secret-file FILE, or pipe it in with: --client-secret-file -"


def read_credentials(client_id: str, secret_file: str | None) -> Credentials:
    """The pair; raises `WrongUsage` with what is wrong, and never with the secret."""
    try:
        return Credentials(client_id, _read_secret(secret_file))
    except BadInput as error:
        raise WrongUsage(str(error), _HOW if error.field == "client_secret" else error.next_action) from None


def key_ring(session: Session) -> PublicKeyRing:
    """The public key that secrets are sealed to; raises `WrongUsage` where there is none, or no key is in it."""
    return PublicKeyRing.from_text(sealing_key_text(session.addresses.sealing_key_file))


def warn_of_region(out: Output, region: str, client_id: str) -> None:
    """One sentence where the client id looks like another region's; a person may be right all the same."""
    from shared.rmm.regions import Region, wrong_region  # noqa: PLC0415 - a word at the end

    warning = wrong_region(Region(region), client_id)
    if warning:
        warn(out, warning)


def _read_secret(secret_file: str | None) -> SecretStr:
    if secret_file is not None and secret_file != STDIN:
        return _from_file(Path(secret_file))
    if sys.stdin.isatty():
        import typer  # noqa: PLC0415 - only here

        text: str = typer.prompt("client secret", hide_input=True, err=True)
        return SecretStr(text.strip())
    if secret_file is None:
        raise WrongUsage("the client secret is missing, and there is no terminal to ask for it", _HOW)
    return SecretStr(sys.stdin.read(_MOST).strip())


def _from_file(path: Path) -> SecretStr:
    try:
        with path.open(encoding="utf-8") as file:
            return SecretStr(file.read(_MOST).strip())
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise WrongUsage(f"the file of the client secret cannot be read: {path}: {reason}", _HOW) from None
    except UnicodeDecodeError:
        raise WrongUsage(f"the file of the client secret is not text: {path}", _HOW) from None
