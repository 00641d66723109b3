"""Where the files of the stack on this machine are: one folder for each checkout, so two stacks never meet."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path


def project_root() -> Path:
    """The checkout that this package is in, or the current folder where it is installed elsewhere."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else Path.cwd()


@dataclass(frozen=True)
class Layout:
    """The folder of one stack and what is where in it."""

    root: Path

    @property
    def state_file(self) -> Path:
        """What runs, with pids and addresses; written by the supervisor only."""
        return self.root / "stack.json"

    @property
    def lock_file(self) -> Path:
        """Locked for as long as a supervisor lives."""
        return self.root / "stack.lock"

    @property
    def logs(self) -> Path:
        """One log for each process."""
        return self.root / "logs"

    @property
    def keys(self) -> Path:
        """Private and public key of this stack, and the simulator's client secret."""
        return self.root / "keys"

    @property
    def broker(self) -> Path:
        """Configuration and data of the private broker."""
        return self.root / "broker"

    @property
    def database(self) -> Path:
        """Data of the private database, at a place that an unprivileged user can reach where we are root."""
        return reachable(self.root) / "postgres"

    @property
    def private_keys_file(self) -> Path:
        """The keys that open secrets."""
        return self.keys / "secret-keys"

    @property
    def sealing_key_file(self) -> Path:
        """The key that seals secrets and opens none."""
        return self.keys / "sealing-key"

    @property
    def simulator_secret_file(self) -> Path:
        """The client secret that the simulator accepts."""
        return self.keys / "simulator-client-secret"

    def create(self) -> None:
        """Makes the folder and its sub-folders; only their owner may list those with secrets."""
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in (self.logs, self.keys, self.broker):
            folder.mkdir(mode=0o700, exist_ok=True)


def layout(local_dir: Path | None) -> Layout:
    """The layout at `local_dir`, else in `.local/` of this checkout."""
    return Layout((local_dir or project_root() / ".local").absolute())


def reachable(folder: Path) -> Path:
    """`folder`, or a stand-in for it where we are root and others may not pass on the way to it.

    Postgres refuses to run as root, and the user it runs as cannot enter a checkout below a home of mode 700.
    """
    if os.geteuid() != 0 or all(_passable(parent) for parent in (folder, *folder.parents)):
        return folder
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return Path("/var/lib/lifecycle-sync") / name


def _passable(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & stat.S_IXOTH)
    except FileNotFoundError:
        return True  # ours to make, and made passable
