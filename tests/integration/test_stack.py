"""The stack on this machine, for real: servers that are killed and come back, and a stack that ends what it started."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import httpx
import pytest

from lifecycle.settings import CommandSettings, environment
from lifecycle.stack.binaries import find_postgres, find_rabbitmq, find_wheel_postgres
from lifecycle.stack.broker import LocalBroker
from lifecycle.stack.control import purge
from lifecycle.stack.database import LocalPostgres
from lifecycle.stack.layout import Layout
from lifecycle.stack.processes import Child, ProcessId, Start, end, identify, is_running, send
from lifecycle.stack.service_process import ServiceProcess
from lifecycle.stack.services import installed_services
from tests.support.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
NO_SERVICES = ",".join(f"{service.name}=0" for service in installed_services())
SERVERS_ONLY = ("--no-simulator", "--scale", NO_SERVICES)
QUORUM = {"x-queue-type": "quorum"}
# Until then a kill -9 of a single node may lose what a new quorum queue has confirmed.
QUEUE_AGE_SECONDS = 3.5


def python(program: str, folder: Path) -> Start:
    """A process that runs a line of Python."""
    return Start((sys.executable, "-c", program), environment(), folder / "log", folder)


async def eventually(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.05)


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def ask_database(url: str, query: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout(tmp_path / "local")
    layout.create()
    yield layout
    purge(layout)


async def test_a_process_is_asked_to_end_before_it_is_killed(tmp_path: Path) -> None:
    polite = Child.start(python("import signal; signal.pause()", tmp_path))
    stubborn = Child.start(
        python("import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); signal.pause()", tmp_path)
    )
    await eventually(lambda: "deaf" in (tmp_path / "log").read_text())

    assert await polite.stop(10) == -signal.SIGTERM
    assert await stubborn.stop(0.3) == -signal.SIGKILL


async def test_a_stranger_with_a_recycled_pid_is_never_hit(tmp_path: Path) -> None:
    stranger = Child.start(python("import signal; signal.pause()", tmp_path))
    remembered = ProcessId(stranger.pid, "another boot/1")

    assert not send(remembered, signal.SIGKILL)
    await end([remembered], 0.1)

    assert stranger.exit_code() is None
    assert identify(stranger.pid) == stranger.identity
    await stranger.stop(5)
    assert not is_running(stranger.identity)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
async def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    program = (
        "import os, signal; from pathlib import Path; from lifecycle.stack.processes import Child, Start\n"
        "import sys\n"
        "words = (sys.executable, '-c', 'import signal; signal.pause()')\n"
        "start = Start(words, dict(os.environ), Path('log2'), Path('.'))\n"
        "print(Child.start(start).pid, flush=True); signal.pause()"
    )
    parent = Child.start(python(program, tmp_path))
    await eventually(lambda: (tmp_path / "log").read_text().strip().isdigit())
    child = identify(int((tmp_path / "log").read_text()))
    assert child is not None

    parent.send(signal.SIGKILL)

    await eventually(lambda: not is_running(child))
    await parent.wait()


async def test_a_service_that_ends_is_started_again_ever_more_slowly(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    process = ServiceProcess("brief", 1, python("print('up', flush=True)", tmp_path), never)
    running = asyncio.create_task(process.keep_running())
    await eventually(lambda: process.restarts >= 3)
    began = time.monotonic()
    await eventually(lambda: process.restarts >= 4)

    assert time.monotonic() - began > 1
    assert process.last_words() == "up"
    await process.stop()
    await asyncio.wait_for(running, PATIENCE_SECONDS)


async def test_a_killed_broker_comes_back_with_its_address_and_messages(layout: Layout) -> None:
    binaries = find_rabbitmq(CommandSettings().rabbitmq_bin)
    if binaries is None:
        pytest.skip("RabbitMQ is not installed on this machine, so none is started from here")
    async with LocalBroker(layout.broker, binaries, throwaway=True) as broker:
        url = await broker.create_vhost("a/b")
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel()
            await channel.declare_queue("q", durable=True, arguments=QUORUM)
            await asyncio.sleep(QUEUE_AGE_SECONDS)
            message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, "q")
        ours = [process.identity for process in broker.processes()]
        assert len(ours) == 3

        await broker.kill()
        assert not broker.running()
        assert not [process for process in ours if is_running(process)]
        await broker.start()

        async with await aio_pika.connect(url) as connection:
            queue = await (await connection.channel()).get_queue("q")
            received = await queue.get(timeout=10)
            assert received is not None
            assert received.body == b"kept"
            await received.ack()
    assert not [process for process in ours if is_running(process)]


async def test_a_node_whose_shell_was_killed_is_found_and_ended_by_the_next_start(layout: Layout) -> None:
    binaries = find_rabbitmq(CommandSettings().rabbitmq_bin)
    if binaries is None:
        pytest.skip("RabbitMQ is not installed on this machine, so none is started from here")
    async with LocalBroker(layout.broker, binaries, throwaway=True) as broker:
        first = {process.name: process.identity for process in broker.processes()}
        send(first["broker"], signal.SIGKILL)
        await eventually(lambda: not broker.running())

        await broker.start()

        assert not is_running(first["broker-node"])
        assert not is_running(first["broker-epmd"])
        assert broker.running()


@pytest.mark.parametrize("source", ["installed", "wheel"])
async def test_a_killed_database_comes_back_with_its_address_and_rows(layout: Layout, source: str) -> None:
    binaries = find_postgres() if source == "installed" else find_wheel_postgres(layout)
    if binaries is None:
        pytest.skip(f"no Postgres is {source} here, so none is started from there")
    async with LocalPostgres(layout.database, binaries, throwaway=True) as postgres:
        url = await postgres.create_database("a b")
        connection = await asyncpg.connect(url)
        await connection.execute("create table kept (x int); insert into kept values (1)")
        assert await connection.fetchval("show fsync") == "on"

        await postgres.kill()
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            await connection.fetchval("select 1")
        connection.terminate()
        await postgres.start()

        connection = await asyncpg.connect(url)
        assert await connection.fetchval("select count(*) from kept") == 1
        await connection.close()
        await postgres.restart()
        await postgres.create_database("copy", template="a b")
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("select count(*) from kept") == 1
        await connection.close()


async def test_a_wrong_password_is_refused(layout: Layout) -> None:
    binaries = find_postgres() or find_wheel_postgres(layout)
    assert binaries is not None
    async with LocalPostgres(layout.database, binaries, throwaway=True) as postgres:
        wrong = postgres.database_url.replace("lifecycle:", "lifecycle:not-", 1)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(wrong)


class Stack:
    """The command, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**environment(), "LIFECYCLE_LOCAL_DIR": str(folder / "local")}

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "lifecycle", *words]
        pipe, same = subprocess.PIPE, subprocess.STDOUT
        return subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=pipe, stderr=same, text=True)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lifecycle", *words]
        return subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
        )

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def state(self) -> dict[str, Any]:
        path = self.folder / "local/stack.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def processes(self) -> list[ProcessId]:
        found = [identify(row["pid"]) for row in self.json("ps", "--all")]
        return [process for process in found if process is not None]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path)
    yield stack
    stack.run("down", "--purge")


def test_up_gives_a_ready_stack_that_mends_itself_and_down_ends_all_of_it(stack: Stack) -> None:
    up = stack.run("up", "--detach", "--json", "--scale", "writer=2", "--devices", "50", "--companies", "2")
    assert up.returncode == 0, up.stderr
    addresses = json.loads(up.stdout)
    assert stack.json("env") == addresses
    assert Path(addresses["client_secret_file"]).stat().st_mode & 0o777 == 0o600
    assert "50 devices" in up.stderr

    services = stack.json("ps")
    names = sorted(f"{row['service']} {row['replica']}" for row in services)
    assert names == sorted([*(f"{service.name} 1" for service in installed_services()), "writer 2"])
    with httpx.Client(trust_env=False) as client:
        for row in services:
            assert client.get(f"{row['health_url']}/ready").status_code == 200
            assert client.get(str(row["health_url"]).replace("/health", "/metrics")).status_code == 200

    # A second one changes nothing.
    assert stack.json("up", "--detach") == addresses
    assert stack.run("up").returncode == 4
    assert [row["pid"] for row in stack.json("ps")] == [row["pid"] for row in services]

    # Killed, it is started again, and ps knows the new pid.
    victim = services[0]
    os.kill(int(str(victim["pid"])), signal.SIGKILL)
    wait_until(lambda: [row for row in stack.json("ps") if row["restarts"] and row["ready"]])
    (again,) = [row for row in stack.json("ps") if row["restarts"]]
    assert (again["service"], again["health_url"]) == (victim["service"], victim["health_url"])
    assert again["pid"] != victim["pid"]

    everything = stack.processes()
    assert stack.run("down").returncode == 0
    assert not [process for process in everything if is_running(process)]
    assert stack.json("ps") == []


def test_what_a_killed_supervisor_leaves_is_ended_and_its_data_stay(stack: Stack) -> None:
    first = json.loads(stack.run("up", *SERVERS_ONLY, "--detach", "--json").stdout)
    everything = stack.processes()
    ask_database(first["database_url"], "create table kept ()")

    os.kill(stack.state()["supervisor_pid"], signal.SIGKILL)
    second = json.loads(stack.run("up", *SERVERS_ONLY, "--detach", "--json").stdout)

    assert second["database_url"] == first["database_url"]
    assert second["amqp_url"] == first["amqp_url"]
    assert not [process for process in everything if is_running(process)]
    assert ask_database(second["database_url"], "select to_regclass('kept')") == "kept"


def test_in_front_ctrl_c_ends_it_cleanly(stack: Stack) -> None:
    front = stack.start("up", *SERVERS_ONLY)
    wait_until(lambda: stack.state().get("phase") == "ready")

    front.send_signal(signal.SIGINT)
    shown, _ = front.communicate(timeout=90)

    assert front.returncode == 0, shown
    assert "everything is ready" in shown
    assert "Traceback" not in shown
    assert stack.json("ps") == []


def test_servers_whose_addresses_are_given_are_used_and_left_alone(stack: Stack, tmp_path: Path) -> None:
    other = Stack(tmp_path / "other")
    try:
        given = json.loads(other.run("up", *SERVERS_ONLY, "--detach", "--json").stdout)
        for name in ("amqp_url", "database_url"):
            stack.environment[f"LIFECYCLE_{name.upper()}"] = given[name]

        assert stack.json("up", *SERVERS_ONLY, "--detach")["amqp_url"] == given["amqp_url"]
        assert stack.processes() == []
        assert stack.run("down", "--purge").returncode == 0

        assert ask_database(given["database_url"], "select count(*) from accounts") == 1
        assert other.run("topology", "check").returncode == 0
    finally:
        other.run("down", "--purge")
