"""The secrets of a deployment as files: random, made once, each in the folder of those who may read it.

For containers: a volume for each folder, mounted where it is read and nowhere else. There is no default password.
"""

import secrets
from collections.abc import Callable
from pathlib import Path

from shared.secrets import PrivateKeyRing, generate_keypair

_USER = "lifecycle"


def make_secrets(
    folder: Path,
    *,
    broker: str = "rabbitmq:5672",
    management: str = "rabbitmq:15672",
    database: str = "postgres:5432",
) -> list[Path]:
    """Makes what is missing and returns its paths; twice is harmless, and nothing is ever overwritten."""
    made: list[Path] = []

    def keep(path: Path, make: Callable[[], str]) -> str:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # The servers' images read with users of their own; who mounts the volume decides who reads.
            path.write_text(make())
            path.chmod(0o644)
            made.append(path)
        return path.read_text()

    def password() -> str:
        return secrets.token_urlsafe(32)

    database_password = keep(folder / "postgres" / "password", password)
    broker_file = folder / "rabbitmq" / "20-login.conf"
    broker_password = keep(broker_file, lambda: _broker_login(password())).rpartition("default_pass = ")[2].strip()
    keep(folder / "services" / "database_url", lambda: f"postgresql://{_USER}:{database_password}@{database}/{_USER}")
    keep(folder / "services" / "amqp_url", lambda: f"amqp://{_USER}:{broker_password}@{broker}/?heartbeat=10")
    keep(folder / "services" / "management_url", lambda: f"http://{_USER}:{broker_password}@{management}")
    _make_keys(folder / "private" / "secret-keys", folder / "public" / "sealing-key", keep)
    return made


def _broker_login(password: str) -> str:
    # The broker's own default is 50 MB: a quorum queue that meets a full disk ends, and the node with it.
    # The password stays last: it is read from there.
    return f"disk_free_limit.absolute = 2GB\nlog.console = true\ndefault_user = {_USER}\ndefault_pass = {password}\n"


def _make_keys(private: Path, public: Path, keep: Callable[[Path, Callable[[], str]], str]) -> None:
    text = keep(private, lambda: generate_keypair().private_text.get_secret_value() + "\n")
    keep(public, lambda: PrivateKeyRing.from_text(text).public().text() + "\n")
