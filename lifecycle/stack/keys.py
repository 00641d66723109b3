"""The keys of this stack: made once, and kept for as long as the data that is sealed to them."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from lifecycle.settings import CommandSettings
from lifecycle.stack.layout import Layout

SIMULATOR_CLIENT_ID = "lifecycle-simulator"


@dataclass(frozen=True)
class KeyFiles:
    """Where the two halves are."""

    private: Path
    sealing: Path


def ensure_keys(layout: Layout, settings: CommandSettings) -> KeyFiles:
    """The key files from the environment, else those of this stack, which are made where they are missing."""
    if settings.secret_keys_file is not None and settings.sealing_key_file is not None:
        return KeyFiles(settings.secret_keys_file.absolute(), settings.sealing_key_file.absolute())
    files = KeyFiles(layout.private_keys_file, layout.sealing_key_file)
    if not (files.private.is_file() and files.sealing.is_file()):
        from shared.secrets import generate_keypair  # noqa: PLC0415 - cryptography takes a while to import

        pair = generate_keypair()
        write_secret(files.private, pair.private_text.get_secret_value() + "\n")
        write_secret(files.sealing, pair.public_text + "\n")
    return files


def ensure_simulator_secret(layout: Layout) -> str:
    """The client secret that the simulator of this stack accepts."""
    path = layout.simulator_secret_file
    if not path.is_file():
        write_secret(path, secrets.token_urlsafe(32) + "\n")
    return path.read_text().strip()


def write_secret(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, from its first byte on; a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600, exist_ok=False)
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
