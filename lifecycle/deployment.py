"""The secrets of a deployment as files: random, made once, each in the folder of those who may read it.

For containers: a volume for each folder, mounted where it is read and nowhere else. Each program logs in to broker and
database as somebody of its own (docs/adr/0030). There is no default password.
"""

import json
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lifecycle.rights import broker as broker_rights
from lifecycle.rights import database as database_rights
from shared.secrets import PrivateKeyRing, generate_keypair

OWNER = "owner"
_OWNER_ROLE = "lifecycle"


class _Files:
    """Files of one folder: kept as they are, or made. Who mounts the volume decides who reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.made: list[Path] = []

    def keep(self, name: str, make: Callable[[], str]) -> str:
        """The text of a file; `make` says it where there is none."""
        path = self._folder / name
        if not path.exists():
            self._write(path, make())
        return path.read_text()

    def follow(self, name: str, text: str) -> None:
        """A file that says nothing of its own: written where it says something else."""
        path = self._folder / name
        if not path.exists() or path.read_text() != text:
            self._write(path, text)

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The servers' images read with users of their own.
        path.write_text(text)
        path.chmod(0o644)
        self.made.append(path)


def make_secrets(
    folder: Path,
    *,
    broker: str = "rabbitmq:5672",
    management: str = "rabbitmq:15672",
    database: str = "postgres:5432/lifecycle",
    vhost: str = "/",
    broker_folder: str = "/secrets",
) -> list[Path]:
    """Makes what is missing and returns its paths; twice is harmless, and no password or key is ever overwritten.

    `broker_folder` is where the broker sees its own folder. What the servers are told (definitions, verifiers) is made
    anew from the passwords where this version has another queue or another program.
    """
    files = _Files(folder)
    _make_owner(files, database)
    _make_roles(files, database)
    _make_users(files, broker, management, vhost, broker_folder)
    private = files.keep("private/secret-keys", lambda: generate_keypair().private_text.get_secret_value() + "\n")
    files.keep("public/sealing-key", lambda: PrivateKeyRing.from_text(private).public().text() + "\n")
    return files.made


def _make_owner(files: _Files, database: str) -> None:
    password = files.keep("postgres/password", _password)
    files.keep(f"{OWNER}/database_url", lambda: f"postgresql://{_OWNER_ROLE}:{password}@{database}")


def _make_roles(files: _Files, database: str) -> None:
    verifiers: dict[str, str] = {}
    for part in database_rights.PARTS:
        role = database_rights.role_of(part)
        url = files.keep(f"{part}/database_url", partial(_address, "postgresql", role, database))
        verifiers[role] = database_rights.verifier(_password_in(url))
    files.follow(f"{OWNER}/roles.json", json.dumps(verifiers, indent=1) + "\n")


def _make_users(files: _Files, broker: str, management: str, vhost: str, folder: str) -> None:
    path = "" if vhost == "/" else vhost
    passwords: dict[str, str] = {}
    for rights in broker_rights.all_rights():
        user = rights.user
        url = files.keep(f"{rights.part}/amqp_url", partial(_address, "amqp", user, f"{broker}/{path}?heartbeat=10"))
        passwords[rights.part] = _password_in(url)
        if rights.tags:
            files.keep(
                f"{rights.part}/management_url",
                partial(_address, "http", user, management, passwords[rights.part]),
            )
    files.follow("rabbitmq/definitions.json", json.dumps(broker_rights.definitions(passwords, vhost), indent=1) + "\n")
    # Of a folder of configuration the broker reads every file, whatever its name: the definitions stand beside it.
    files.follow("rabbitmq/conf/node.conf", _node(f"{folder}/definitions.json"))


def _node(definitions: str) -> str:
    # The broker's own default is 50 MB: a quorum queue that meets a full disk ends, and the node with it.
    # A broker that imports definitions makes no default user.
    return f"disk_free_limit.absolute = 2GB\nlog.console = true\nload_definitions = {definitions}\n"


def _address(scheme: str, user: str, rest: str, password: str | None = None) -> str:
    return f"{scheme}://{user}:{password or _password()}@{rest}"


def _password() -> str:
    return secrets.token_urlsafe(32)


def _password_in(url: str) -> str:
    return url.partition("://")[2].partition("@")[0].partition(":")[2]
