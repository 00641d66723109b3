"""Installing the servers on Debian and Ubuntu where we are root, without letting a package start a service."""

import os
import shutil
import signal
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lifecycle.exits import Failure
from lifecycle.settings import environment
from lifecycle.stack.processes import Child, Start

_POLICY = Path("/usr/sbin/policy-rc.d")
_DENY = "#!/bin/sh\n# put here by lifecycle for the time of an installation\nexit 101\n"
_SECONDS = 900.0


def can_install() -> bool:
    """Whether we are root on a system with apt-get."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


async def install(packages: Sequence[str], units: Sequence[str], log: Path) -> None:
    """Installs the packages; their services neither start now nor at the next boot. Raises `Failure`."""
    with no_service_starts():
        await _run(("apt-get", "-q", "update"), log)
        options = ("-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120")
        await _run(("apt-get", "install", *options, *packages), log)
    if shutil.which("systemctl") is not None:
        await _run(("systemctl", "disable", *units), log, strict=False)


@contextmanager
def no_service_starts(policy: Path = _POLICY) -> Generator[None]:
    """Puts a policy in place that denies every start, and afterwards the one that was there before."""
    kept = policy.with_name("policy-rc.d.lifecycle-kept")
    if policy.exists() and policy.read_text() != _DENY and not kept.exists():
        policy.rename(kept)
    policy.write_text(_DENY)
    policy.chmod(0o755)
    try:
        yield
    finally:
        if kept.exists():
            kept.replace(policy)
        else:
            policy.unlink()


async def _run(arguments: Sequence[str], log: Path, *, strict: bool = True) -> None:
    variables = {**environment(), "DEBIAN_FRONTEND": "noninteractive"}
    child = Child.start(Start(tuple(arguments), variables, log, Path("/"), None, signal.SIGTERM))
    code = await child.wait(_SECONDS)
    if code is None:
        await child.stop(10)
    if code != 0 and strict:
        raise Failure(f"{' '.join(arguments[:2])} failed", f"read {log}")
