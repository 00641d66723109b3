"""Installs what is missing, and nothing else: `make setup`.

Runs on the system's Python with its standard library alone. A stamp in the virtual environment says what it was made
from, so a second run ends at once.
"""
# ruff: noqa: INP001 - a program, not part of a package

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
COMMAND = VENV / "bin" / "lifecycle"
LOCK = ROOT / "requirements-dev.lock"
STAMP = VENV / "lifecycle-setup.stamp"
OLDEST = (3, 11)
HEARTBEAT_SECONDS = 5.0

# A shell line first, as pip writes it: a `#!` line is cut where the path is long or has a blank.
LAUNCHER = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
'''
from lifecycle.main import main

main()
"""


class SetupError(Exception):
    """What is wrong and what to do, in one sentence."""


def main() -> int:
    """Brings the virtual environment and the servers to what this checkout needs; the exit code."""
    began = time.monotonic()
    wanted = fingerprint()
    if is_current(wanted):
        return 0
    try:
        check_python()
        make_environment()
        install_packages()
        install_command()
    except SetupError as error:
        say(f"error: {error}")
        return 1
    provide_servers()
    STAMP.write_text(wanted)
    say(f"done in {time.monotonic() - began:.0f} s; the command is {COMMAND.relative_to(ROOT)}")
    return 0


def fingerprint() -> str:
    """What an environment is made from: the lock, this program and the Python below it."""
    content = LOCK.read_bytes() + Path(__file__).read_bytes() + sys.version.encode() + str(ROOT).encode()
    return hashlib.sha256(content).hexdigest()


def is_current(wanted: str) -> bool:
    """Whether the environment was made from just that."""
    try:
        return STAMP.read_text() == wanted and PYTHON.exists() and COMMAND.exists()
    except OSError:
        return False


def check_python() -> None:
    """Refuses a Python that is too old."""
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:2])
        raise SetupError(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {found}: make PYTHON=python3.12")


def make_environment() -> None:
    """Makes .venv where there is none with a pip in it."""
    if (VENV / "bin" / "pip").exists() and PYTHON.exists():
        return
    if not can_make_environments():
        install_venv_package()
    say("making .venv")
    run([sys.executable, "-m", "venv", "--clear", str(VENV)], "the virtual environment cannot be made")


def can_make_environments() -> bool:
    """Debian and Ubuntu take the modules for it out of Python and into a package of their own."""
    asked = subprocess.run([sys.executable, "-c", "import venv, ensurepip"], capture_output=True, check=False)
    return asked.returncode == 0


def install_venv_package() -> None:
    """Installs that package where we may."""
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SetupError(f"this Python cannot make virtual environments: sudo apt-get install {package}, then again")
    say(f"installing {package}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}  # noqa: TID251 - no settings module without packages
    run(["apt-get", "-q", "update"], "apt-get update failed", environment)
    options = ["-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    run(["apt-get", "install", *options, package], f"{package} cannot be installed", environment)


def install_packages() -> None:
    """Installs exactly what the lock names, each file checked by its hash."""
    count = sum(1 for line in LOCK.read_text().splitlines() if line and line[0].isalpha())
    say(f"installing {count} packages from {LOCK.name}")
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    # pip would compile them one after the other, on one core.
    run([*command, "--no-compile", "--require-hashes", "-r", str(LOCK)], "the packages cannot be installed")
    say("compiling them")
    # What cannot be compiled is said when it is imported: some packages have files for another Python than this.
    subprocess.run([PYTHON, "-m", "compileall", "-qq", "-j", "0", packages_folder()], check=False)  # noqa: S603 - our own interpreter


def packages_folder() -> str:
    """Where the packages are."""
    asked = subprocess.run(  # noqa: S603 - our own interpreter
        [PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.strip()


def install_command() -> None:
    """Makes this checkout importable and `lifecycle` a command: what an editable install would do, without a build."""
    (Path(packages_folder()) / "lifecycle_sync_checkout.pth").write_text(f"{ROOT}\n")
    COMMAND.write_text(LAUNCHER.format(python=PYTHON))
    COMMAND.chmod(0o755)


def provide_servers() -> None:
    """Finds a broker and a database for this machine, and installs them where none is and we may."""
    say("looking for RabbitMQ and Postgres")
    with heartbeat("still looking or installing"):
        subprocess.run([PYTHON, "-m", "lifecycle.stack.provide"], cwd=ROOT, check=False)  # noqa: S603 - our own interpreter


def run(command: Sequence[str], failure: str, environment: dict[str, str] | None = None) -> None:
    """Runs a long step: a sign of life every few seconds, its output only where it fails."""
    with heartbeat("still at it"):
        pipe, same = subprocess.PIPE, subprocess.STDOUT
        done = subprocess.run(command, env=environment, stdout=pipe, stderr=same, text=True, check=False)  # noqa: S603 - our own list
    if done.returncode != 0:
        say("\n".join(done.stdout.splitlines()[-30:]))
        raise SetupError(failure)


@contextlib.contextmanager
def heartbeat(text: str) -> Generator[None]:
    """Says every five seconds that it is still going."""
    ended = threading.Event()
    began = time.monotonic()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            say(f"  {text}, {time.monotonic() - began:.0f} s")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def say(text: str) -> None:
    """A line for the person who waits."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
