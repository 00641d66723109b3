"""A Docker engine: whether one answers, has an image or can get it, and what is ours in it."""

import asyncio
import hashlib
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lifecycle.settings import environment

BROKER_IMAGE = "rabbitmq:4-management"
DATABASE_IMAGE = "postgres:17"
PASSWORD_FILE = "container-password"  # noqa: S105 - the name of a file
_ENGINE_SECONDS = 5
_PULL_SECONDS = 180.0


async def engine_answers() -> bool:
    """Whether there is a Docker engine that we can talk to."""
    return _can_ask() and await asyncio.to_thread(_pings)


async def engine_has(image: str, say: Callable[[str], None]) -> bool:
    """Whether an engine answers and has the image, or gets it in three minutes; False where anything is amiss."""
    if not await engine_answers():
        return False
    say(f"getting the image {image} where the engine does not have it")
    result: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        found = _has_or_pulls(image)
        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(_answer, result, found)

    # A pull cannot be broken off; a daemon thread does not keep the command from ending.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return await asyncio.wait_for(result, _PULL_SECONDS)
    except TimeoutError:
        return False


def _answer(result: "asyncio.Future[bool]", found: bool) -> None:  # noqa: FBT001 - what it was waited for
    if not result.done():
        result.set_result(found)


def _can_ask() -> bool:
    return find_spec("testcontainers") is not None and find_spec("docker") is not None


def _pings() -> bool:
    # The client library leaves its socket open where nobody listens, and takes a while to import.
    if not _listens():
        return False
    docker = _docker()
    try:
        client = docker.from_env(timeout=_ENGINE_SECONDS)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except (docker.errors.DockerException, OSError):
        return False


def _listens() -> bool:
    address = urlsplit(environment().get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    try:
        if address.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(_ENGINE_SECONDS)
                client.connect(address.path)
        else:
            socket.create_connection((address.hostname or "", address.port or 2375), _ENGINE_SECONDS).close()
    except OSError:
        return False
    return True


def _has_or_pulls(image: str) -> bool:
    docker = _docker()
    try:
        client = docker.from_env(timeout=_ENGINE_SECONDS)
        try:
            client.images.get(image)
        except docker.errors.ImageNotFound:
            puller = docker.from_env(timeout=int(_PULL_SECONDS))
            puller.images.pull(*image.split(":"))
            puller.close()
        finally:
            client.close()
    except (docker.errors.DockerException, OSError):
        return False
    return True


def _docker() -> Any:
    # Comes with testcontainers, which is for developers; imported where an engine is asked for, and untyped.
    import_module("docker.errors")
    return import_module("docker")


def remove_container(container_id: str) -> None:
    """Removes a container that an ended supervisor left; nothing happens where it is gone."""
    docker = _docker()
    with suppress(docker.errors.DockerException, OSError):
        docker.from_env(timeout=_ENGINE_SECONDS).containers.get(container_id).remove(force=True)


def container_name(root: Path, what: str) -> str:
    """The name of a stack's container and of its volume: another one for each checkout."""
    return f"lifecycle-{what}-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"


def remove_volumes(root: Path, keys: Path) -> None:
    """Removes what a stack's containers have stored; nothing happens where it never had any."""
    if not (keys / PASSWORD_FILE).is_file() or not _can_ask():
        return
    docker = _docker()
    for what in ("broker", "database"):
        with suppress(docker.errors.DockerException, OSError):
            docker.from_env(timeout=_ENGINE_SECONDS).volumes.get(container_name(root, what)).remove(force=True)
