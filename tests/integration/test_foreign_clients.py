"""The examples of the contract page, run as they stand there by a user with the rights that the page names."""

import asyncio
import os
import re
import shlex
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import UUID, uuid4

import aio_pika
import aio_pika.exceptions
import httpx
import pytest

from docs.generate import EXAMPLES
from shared import topology
from shared.dates.calendar import WARRANTY
from tests.integration.test_writeback import MakeWorld, World, world  # noqa: F401 - a fixture
from tests.support.queues import journal, publish
from tests.support.stage import Stage
from tests.support.waiting import until

SECONDS = 60.0
PAGE = EXAMPLES.parent / "date-edited.md"
Command = Sequence[str]


@asynccontextmanager
async def acme(stage: Stage) -> AsyncIterator[dict[str, str]]:
    """The environment of a program of another system, with a user of its own on the test's broker."""
    user, password = f"acme-{uuid4().hex}", uuid4().hex
    broker, management = urlsplit(stage.amqp_url), urlsplit(stage.management_url)
    vhost = broker.path.removeprefix("/")
    bare = urlunsplit(management._replace(netloc=_host(management.netloc)))
    configure, write, read = said_rights("set_permissions acme")
    rights = {"configure": configure, "write": write, "read": read}
    exchange, write, read = said_rights("set_topic_permissions acme")
    topics = {"exchange": exchange, "write": write, "read": read}
    login = (management.username or "", management.password or "")
    async with httpx.AsyncClient(base_url=bare, auth=login, trust_env=False, timeout=SECONDS) as client:
        for path, body in (
            (f"/api/users/{user}", {"password": password, "tags": "management"}),
            (f"/api/permissions/{vhost}/{user}", rights),
            (f"/api/topic-permissions/{vhost}/{user}", topics),
        ):
            (await client.put(path, json=body)).raise_for_status()
        yield {
            "PATH": os.defpath,
            "LIFECYCLE_AMQP_URL": urlunsplit(broker._replace(netloc=f"{user}:{password}@{_host(broker.netloc)}")),
            "LIFECYCLE_MANAGEMENT_URL": urlunsplit(
                management._replace(netloc=f"{user}:{password}@{_host(management.netloc)}")
            ),
            "LIFECYCLE_VHOST": vhost if "%" in vhost else quote(vhost, safe=""),
            "LIFECYCLE_ACCOUNT_ID": str(stage.account_id),
        }
        (await client.delete(f"/api/users/{user}")).raise_for_status()


def said_rights(command: str) -> list[str]:
    """The words after a command of `rabbitmqctl` on the contract page."""
    (line,) = [each for each in PAGE.read_text().splitlines() if each.startswith(f"rabbitmqctl {command} ")]
    return shlex.split(line.removeprefix(f"rabbitmqctl {command} "))


def relied_on() -> list[str]:
    """The types of events that the contract page says to rely on."""
    found = re.search(r"Rely on (.*?);", PAGE.read_text(), re.DOTALL)
    assert found
    return re.findall(r"`([a-z_.]+)`", found[1])


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2]


async def python(_: Path) -> Command:
    return [sys.executable, str(EXAMPLES / "publish_edit.py")]


async def node(folder: Path) -> Command:
    """Node with amqplib beside the example, where that can be had."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        pytest.skip("no node or no npm on PATH: the example for Node was not run")
    install = await asyncio.create_subprocess_exec(
        npm, "install", "--no-save", "--no-audit", "--no-fund", "amqplib@^2", cwd=folder, stdout=PIPE, stderr=PIPE
    )
    try:
        _, error = await asyncio.wait_for(install.communicate(), SECONDS)
    except TimeoutError:
        install.kill()
        await install.wait()
        pytest.skip(f"npm did not install amqplib within {SECONDS:g} s: the example for Node was not run")
    if install.returncode:
        pytest.skip(f"npm can't install amqplib: the example for Node was not run: {error.decode()[-200:]}")
    return [program, shutil.copy(EXAMPLES / "publish_edit.mjs", str(folder))]


async def curl(_: Path) -> Command:
    if shutil.which("curl", path=os.defpath) is None:
        pytest.skip(f"no curl in {os.defpath}: the example for curl was not run")
    return ["/bin/sh", str(EXAMPLES / "publish_edit.sh")]


@pytest.mark.parametrize("client", [python, node, curl], ids=["python", "node", "curl"])
async def test_an_example_edits_a_date_and_hears_what_came_of_it(
    client: Callable[[Path], Awaitable[Command]],
    world: MakeWorld,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    command = await client(tmp_path)
    w = await world()
    await w.start()
    serial = (await w.asset(0))["serial_number"]
    async with acme(w.stage) as environment, watching(environment, "watch_outcomes.py", "2") as watcher:
        good = await run([*command, serial, "purchase_date", "2025-03-01"], environment)
        wrong = await run([*command, "no such serial", "purchase_date", "2025-03-01"], environment)
        heard = await outcomes(w, watcher)
    assert sorted(heard) == sorted([f"{good} written", f"{wrong} refused: unknown_asset"])
    assert all(str(UUID(each)) == each for each in (good, wrong))
    assert await w.there(0) == "2025-03-01"


async def test_the_rights_of_the_page_let_a_system_hear_all_that_it_may_rely_on_and_nothing_between_services(
    stage: Stage,
) -> None:
    assert {"date.written_back", "integration.paused"} < set(relied_on())
    async with acme(stage) as environment:
        connection = await aio_pika.connect(environment["LIFECYCLE_AMQP_URL"])
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("acme.all", exclusive=True)
            for event_type in relied_on():
                await queue.bind("lifecycle.events", routing_key=event_type)
            for wanted in ("integration.credentials_replaced", "integration.*", "#", "device.page_fetched"):
                with pytest.raises(aio_pika.exceptions.ChannelClosed, match="refused"):
                    await (await (await connection.channel()).get_queue("acme.all", ensure=False)).bind(
                        "lifecycle.events", routing_key=wanted
                    )
            await stage.bus.publish_raw(
                topology.EVENTS, "integration.paused", b'{"specversion": "1.0"}', content_type="application/json"
            )

            async def heard() -> aio_pika.abc.AbstractIncomingMessage | None:
                return await queue.get(no_ack=True, fail=False)

            message = await until("the pause is heard", heard)
            assert message is not None
            assert message.routing_key == "integration.paused"


async def test_the_example_that_watches_dates_hears_a_changed_one_once(world: MakeWorld) -> None:  # noqa: F811 - the fixture
    w = await world(switched=False)
    await w.start()
    first, second = w.event(0, "2025-03-01"), w.event(0, "2028-03-01", of=WARRANTY)
    async with acme(w.stage) as environment, watching(environment, "watch_dates.py", "2") as watcher:
        await w.publish(first)
        told = await until("it is told", lambda: journal(w.stage.amqp_url, "asset.dates_changed"))
        await publish(w.stage.amqp_url, told)
        await w.publish(second)
        heard = await outcomes(w, watcher)
    asset_id = (await w.asset(0))["id"]
    assert heard == [
        f"{asset_id} purchase_date None -> 2025-03-01 (a person set it)",
        f"{asset_id} warranty_expiration_date None -> 2028-03-01 (a person set it)",
    ]


@asynccontextmanager
async def watching(environment: dict[str, str], example: str, how_many: str) -> AsyncIterator[Process]:
    """An example that consumes until it has heard so many; its queue is bound."""
    script = str(EXAMPLES / example)
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, how_many, env=environment, stdout=PIPE, stderr=PIPE
    )
    try:
        assert process.stdout is not None
        first = await asyncio.wait_for(process.stdout.readline(), SECONDS)
        assert first == b"watching\n", (await process.communicate())[1].decode()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def outcomes(w: World, watcher: Process) -> list[str]:
    """The lines of the watcher, which ends by itself."""
    try:
        output, error = await asyncio.wait_for(watcher.communicate(), SECONDS)
    except TimeoutError:
        rows = await w.desk.rows("select event_id, status, reason from date_edits")
        raise AssertionError(f"the watcher heard nothing; edits: {rows}; parked: {await w.desk.parked()}") from None
    assert watcher.returncode == 0, error.decode()
    return output.decode().splitlines()


async def run(command: Command, environment: dict[str, str]) -> str:
    """Run a program to its good end; returns what it printed."""
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
    output, error = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0, error.decode()
    return output.decode().strip()
