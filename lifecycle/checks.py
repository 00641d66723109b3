"""What `lifecycle doctor` looks at: each check with what to do where it is red."""

import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from pydantic import SecretStr

from lifecycle.exits import Failure, failure_of
from lifecycle.settings import CommandSettings
from lifecycle.stack import debian, management
from lifecycle.stack.binaries import find_postgres, find_rabbitmq, find_wheel_postgres, postgres_version
from lifecycle.stack.control import running_state
from lifecycle.stack.docker_engine import engine_answers
from lifecycle.stack.layout import Layout
from lifecycle.stack.ports import free_ports
from lifecycle.stack.servers import without_password
from lifecycle.stack.unprivileged import unprivileged_user

_OLDEST_PYTHON = (3, 11)
_LEAST_DISK = 2 * 1024**3
_SECONDS = 5.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `fix` is what to do where it is not good."""

    name: str
    good: bool
    found: str
    fix: str | None = None


async def checks(settings: CommandSettings, layout: Layout) -> AsyncIterator[Check]:
    """Every check, one after the other, in the order in which a start needs them."""
    everything: list[Callable[[CommandSettings, Layout], Awaitable[Check]]] = [
        _python,
        _disk,
        _ports,
        _user,
        _docker,
        _broker,
        _database,
        _stack,
    ]
    for look in everything:
        try:
            yield await look(settings, layout)
        except Failure as failure:
            yield Check(look.__name__.strip("_"), good=False, found=failure.message, fix=failure.next_step)


async def _python(_: CommandSettings, __: Layout) -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= _OLDEST_PYTHON
    return Check("python", good, found, None if good else "install Python 3.11 or newer, then: make setup")


async def _disk(_: CommandSettings, layout: Layout) -> Check:
    folder = next(parent for parent in (layout.root, *layout.root.parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    fix = f"free some space below {folder}, or set LIFECYCLE_LOCAL_DIR to another disk"
    good = free >= _LEAST_DISK
    return Check("disk", good, f"{free / 1024**3:.1f} GiB free at {folder}", None if good else fix)


async def _ports(_: CommandSettings, __: Layout) -> Check:
    try:
        free_ports(20)
    except OSError as error:
        return Check("ports", good=False, found=str(error), fix="end some of the programs that listen on 127.0.0.1")
    return Check("ports", good=True, found="there are free ports on 127.0.0.1")


async def _user(_: CommandSettings, __: Layout) -> Check:
    user = unprivileged_user()
    return Check("user", good=True, found="not root" if user is None else f"root; Postgres runs as user {user[0]}")


async def _docker(settings: CommandSettings, _: Layout) -> Check:
    if not settings.docker:
        return Check("docker", good=True, found="not to be used, by LIFECYCLE_DOCKER")
    return Check("docker", good=True, found="answers" if await engine_answers() else "does not answer; not needed")


async def _broker(settings: CommandSettings, _: Layout) -> Check:
    if settings.amqp_url is not None:
        return await _reach("broker", settings.amqp_url, _reach_broker)
    binaries = find_rabbitmq(settings.rabbitmq_bin)
    if binaries is not None:
        return Check("broker", good=True, found=f"RabbitMQ is installed in {binaries}")
    return await _to_be_had(settings, "broker", "rabbitmq-server")


async def _database(settings: CommandSettings, layout: Layout) -> Check:
    if settings.database_url is not None:
        return await _reach("database", settings.database_url, _reach_database)
    binaries = find_postgres(settings.postgres_bin) or find_wheel_postgres(layout)
    if binaries is not None:
        return Check("database", good=True, found=f"Postgres {postgres_version(binaries)} is in {binaries}")
    return await _to_be_had(settings, "database", "postgresql")


async def _to_be_had(settings: CommandSettings, name: str, package: str) -> Check:
    if settings.docker and await engine_answers():
        return Check(name, good=True, found="would run in Docker")
    if debian.can_install():
        return Check(name, good=True, found=f"would be installed: apt-get install {package}")
    fix = f"start Docker, or install {package}, or set LIFECYCLE_{'AMQP' if name == 'broker' else 'DATABASE'}_URL"
    return Check(name, good=False, found="none", fix=fix)


async def _reach(name: str, url: SecretStr, reach: Callable[[str], Awaitable[None]]) -> Check:
    shown = without_password(url.get_secret_value())
    try:
        await reach(url.get_secret_value())
    except Exception as error:  # noqa: BLE001 - whatever keeps us from it is the finding
        failure = failure_of(error)
        return Check(name, good=False, found=f"{shown}: {failure.message}", fix=failure.next_step)
    return Check(name, good=True, found=f"{shown} answers")


async def _reach_broker(url: str) -> None:
    import aio_pika  # noqa: PLC0415 - only where an address was given

    await (await aio_pika.connect(url, timeout=_SECONDS)).close()


async def _reach_database(url: str) -> None:
    import asyncpg  # noqa: PLC0415 - only where an address was given

    await (await asyncpg.connect(url, timeout=_SECONDS)).close()


async def _stack(_: CommandSettings, layout: Layout) -> Check:
    state = running_state(layout)
    if state is None:
        return Check("stack", good=True, found="not running; start it with: lifecycle up")
    waiting = [f"{one.service} {one.replica}" for one in state.processes if one.kind != "server" and not one.ready]
    if waiting:
        fix = f"read the logs in {layout.logs}"
        return Check("stack", good=False, found=f"running, but not ready: {', '.join(waiting)}", fix=fix)
    if state.management_url is not None and not await management.answers(state.management_url):
        return Check("stack", good=False, found="the broker does not answer", fix=f"read {layout.logs / 'broker.log'}")
    return Check("stack", good=True, found=f"running, {len(state.processes)} processes")
