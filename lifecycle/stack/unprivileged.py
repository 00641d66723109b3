"""The user that Postgres runs as where we are root, which it refuses to run as."""

import os
import pwd
import shutil
from pathlib import Path

from lifecycle.exits import Failure


def unprivileged_user() -> tuple[int, int] | None:
    """User and group for Postgres; None where we are not root and it runs as we do."""
    if os.geteuid() != 0:
        return None
    if shutil.which("setpriv") is None:
        raise Failure(
            "Postgres refuses to run as root, and the program setpriv is not here to start it as somebody else",
            "run lifecycle as an ordinary user, or install util-linux",
        )
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise Failure("there is no unprivileged user to run Postgres as", "run lifecycle as an ordinary user")


def private_folder(folder: Path, user: tuple[int, int] | None) -> None:
    """Makes a folder that only its user may enter; what is above it can be passed by all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    if user is not None:
        os.chown(folder, *user)


def copy_for(source: Path, target: Path) -> Path:
    """A copy that everybody may read and run, for a user who cannot reach the original; made once."""
    if not target.is_dir():
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, partial, symlinks=True)
        partial.chmod(0o755)
        partial.rename(target)
    return target
