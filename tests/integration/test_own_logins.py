"""A deployment in which every program logs in as somebody of its own, as compose.yaml has it, on real servers.

Database, broker and programs are processes here; what compose does with volumes is said by addresses.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import aio_pika
import asyncpg
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused, ChannelClosed

from lifecycle.deployment import make_secrets
from lifecycle.rights.broker import all_rights, password_hash
from lifecycle.rights.database import PARTS
from lifecycle.settings import CommandSettings, environment
from lifecycle.stack.binaries import find_rabbitmq
from lifecycle.stack.broker import LocalBroker
from lifecycle.stack.broker_files import USER, NodeFiles
from lifecycle.stack.choice import choose_broker, choose_database
from lifecycle.stack.control import purge
from lifecycle.stack.database import LocalPostgres
from lifecycle.stack.layout import Layout, project_root
from lifecycle.stack.servers import login_of, with_path
from shared import topology
from tests.conftest import MakeRmm
from tests.support import queues
from tests.support.desk import Desk
from tests.support.keys import Keys
from tests.support.pipelines import SERVICES, ProcessPipeline
from tests.support.queues import Said
from tests.support.rmm import LISTS
from tests.support.shell import Shell
from tests.support.stage import attach_stage
from tests.support.waiting import until

VHOST: Final = "deployment"
DATABASE: Final = "deployment"
COMMAND_SECONDS: Final = 120.0
# In the words of Postgres, of RabbitMQ, of the client, and of our own health look.
_ONE_SEEN: Final = """
    select a.id, a.serial_number, d.device_id from assets a join devices d on d.asset_id = a.id
    where a.serial_claim is not null and a.asset_type <> 'virtual_machine' and a.warranty_expiration_date is null
    order by d.device_id limit 1
"""
REFUSALS: Final = ("permission denied", "access_refused", "access refused", "ACCESS_REFUSED", "may not keep")


@dataclass(frozen=True)
class Deployment:
    """Both servers, and the folder with the folder of each program."""

    layout: Layout
    broker: LocalBroker
    database: LocalPostgres
    secrets: Path

    def address(self, part: str, of: str) -> str:
        """What stands in a file of a program's own folder."""
        return (self.secrets / part / of).read_text()

    def server_logs(self) -> str:
        """What both servers have said."""
        paths = (*(self.layout.broker / "log").glob("*.log"), self.layout.logs / "database.log")
        return "\n".join(path.read_text(errors="replace") for path in paths)

    async def run(self, part: str, *words: str, **files: Path) -> Any:
        """The document of a command that must succeed, with the login of this program and nothing else."""
        inherited = {name: value for name, value in environment().items() if not name.startswith("LIFECYCLE_")}
        own = {path.name: path for path in (self.secrets / part).iterdir()} | files
        variables = {
            **inherited,
            **{f"LIFECYCLE_{name.upper()}_FILE": str(path) for name, path in own.items()},
            "LIFECYCLE_LOCAL_DIR": str(self.secrets / "no-stack"),
            "PYTHONPATH": str(project_root()),
        }
        async with asyncio.timeout(COMMAND_SECONDS):
            done = await Shell(variables, self.secrets)(*words, "--json")
        assert done.code == 0, f"{part}: lifecycle {' '.join(words)}: {done.out} {done.err[-2000:]}"
        return done.json


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Migrated and declared by their own programs; the broker came up with the definitions, as a new one does."""
    if find_rabbitmq(CommandSettings().rabbitmq_bin) is None:
        pytest.skip("RabbitMQ is not installed on this machine, so none is started with users of its own")
    layout = Layout(tmp_path_factory.mktemp("deployment"))
    layout.create()
    made = asyncio.run(_deploy(layout, tmp_path_factory.mktemp("secrets")))
    yield made
    asyncio.run(_end(made))


async def _deploy(layout: Layout, secrets: Path) -> Deployment:
    files = NodeFiles.load(layout.broker)
    files.write()
    settings = CommandSettings(amqp_url=None, database_url=None, docker=False)
    broker = await choose_broker(layout, settings, print, throwaway=True)
    database = await choose_database(layout, settings, print, throwaway=True)
    assert isinstance(broker, LocalBroker)
    assert isinstance(database, LocalPostgres)
    await database.start()
    owner_url = await database.create_database(DATABASE)
    (secrets / "postgres").mkdir()
    (secrets / "postgres/password").write_text(login_of(owner_url)[1])
    make_secrets(
        secrets,
        broker=f"127.0.0.1:{files.ports.amqp}",
        management=f"127.0.0.1:{files.ports.management}",
        database=owner_url.rpartition("@")[2],
        vhost=VHOST,
        broker_folder=str(secrets / "rabbitmq"),
    )
    _add_administrator(secrets / "rabbitmq/definitions.json", files.password)
    # Where a private node looks for more files, as the one of compose.yaml does in /secrets/conf.
    (layout.broker / "conf/none").symlink_to(secrets / "rabbitmq/conf")
    made = Deployment(layout, broker, database, secrets)
    await broker.start()
    await made.run("owner", "migrate", "--roles", str(secrets / "owner/roles.json"))
    await made.run("topology", "topology", "declare")
    return made


def _add_administrator(definitions: Path, password: str) -> None:
    """The user that a private node is started and looked at with; a deployment has none."""
    told = json.loads(definitions.read_text())
    told["users"].append(
        {
            "name": USER,
            "password_hash": password_hash(password),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"],
        }
    )
    told["permissions"].append({"user": USER, "vhost": VHOST, "configure": ".*", "write": ".*", "read": ".*"})
    definitions.write_text(json.dumps(told))


async def _end(made: Deployment) -> None:
    await asyncio.gather(made.broker.kill(), made.database.kill())
    purge(made.layout)


async def test_a_sync_and_an_edit_with_a_login_for_each_program(
    deployment: Deployment, simulator: MakeRmm, tmp_path: Path
) -> None:
    rmm = await simulator(devices=300, companies=4)
    secret = tmp_path / "client-secret"
    pair = await rmm.key()
    secret.write_text(pair["client_secret"])
    sealing = {"sealing_key": deployment.secrets / "public/sealing-key"}
    keys = Keys.read(deployment.secrets / "private/secret-keys", deployment.secrets / "public/sealing-key")
    owner_url = deployment.address("owner", "database_url")

    async def cli(*words: str) -> Any:
        return await deployment.run("cli", *words, **sealing)

    async with attach_stage(with_path(deployment.broker.amqp_url, VHOST), owner_url, keys) as stage:
        desk = Desk(stage)
        flows: list[ProcessPipeline] = []
        for service in SERVICES:
            logins = {
                "amqp_url": deployment.address(service, "amqp_url"),
                "database_url": deployment.address(service, "database_url"),
            }
            flow = ProcessPipeline(replace(stage, **logins), rmm.url, tmp_path, max_attempts=2)
            flows.append(flow)
        try:
            await asyncio.gather(*(flow.start(name) for flow, name in zip(flows, SERVICES, strict=True)))
            # One list is refused once: it goes to a delay and comes back.
            armed = await rmm.fault({"path": LISTS, "times": 1}, status=503)
            add = ["integrations", "add", "--region", "na", "--client-id", pair["client_id"]]
            add += ["--client-secret-file", str(secret)]
            await cli(*add, "--name", "Acme", "--wait")
            assert await rmm.fired(armed) >= 1
            added = (await cli("integrations", "list"))[0]
            assert added["last_run"]["status"] == "succeeded"
            assert len(await cli("assets", "list")) == len(await rmm.devices())

            await cli("integrations", "two-way", "Acme", "--on", "--yes")
            seen = await desk.row(_ONE_SEEN)
            assert seen is not None
            edit = ("assets", "edit", str(seen["id"]), "--field", "purchase_date", "--value", "2024-02-29")
            assert (await cli(*edit, "--wait"))["status"] == "written"
            assert "2024-02-29" in json.dumps(await rmm.control("GET", f"devices/{seen['device_id']}"))

            await _parked_and_retried(deployment, cli, desk)
            await _looked_at(cli, tmp_path, seen["serial_number"])
            await _rotated(deployment, desk)
            await cli("integrations", "sync", "Acme", "--wait")
            await cli("integrations", "disable", "Acme")
            await cli("integrations", "enable", "Acme")
            await _removed(cli, add, desk)
            await asyncio.gather(*(flow.ready() for flow in flows))
            await asyncio.gather(*(flow.stop() for flow in flows))
        finally:
            await asyncio.gather(*(flow.end() for flow in flows))
        logs = {name: text for flow in flows for name, text in flow.logs().items()}
        assert len(logs) == len(SERVICES)
        for name, text in {**logs, "the servers": deployment.server_logs()}.items():
            assert [line for line in text.splitlines() if any(word in line for word in REFUSALS)] == [], name
        assert await desk.value("select count(*) from outbox") == 0


async def _parked_and_retried(deployment: Deployment, cli: Callable[..., Awaitable[Any]], desk: Desk) -> None:
    """A message that no one can read is parked by whoever took it, sent back by the command, and parked again."""
    url = with_path(deployment.broker.amqp_url, VHOST)
    for queue in topology.WORK_QUEUES:
        await queues.publish(url, [Said(queue.event_types[0], b'{"data": "nobody"}', {})])
    expected = len(topology.WORK_QUEUES)

    async def parked(rounds: int) -> bool:
        return bool(await desk.value("select count(*) from parked_messages") >= expected * rounds)

    await until("they are parked", lambda: parked(1))
    await cli("parked", "retry", "--all", "--yes")
    await until("they are parked again", lambda: parked(2))
    ids = [str(row["id"]) for row in await desk.parked()]
    await cli("parked", "discard", *ids, "--reason", "a test", "--yes")


async def _looked_at(cli: Callable[..., Awaitable[Any]], folder: Path, serial: str) -> None:
    """What the command only shows, imports, or sends again."""
    checked = await cli("topology", "check")
    assert all(each["present"] for each in checked)
    assert len(checked) == len(topology.EXCHANGES) + len(topology.queues())
    assert all(each["present"] for each in (await cli("status"))["queues"])
    for words in (("runs", "list"), ("parked", "list"), ("integrations", "show", "Acme"), ("assets", "show", serial)):
        await cli(*words)
    table = folder / "dates.csv"
    table.write_text(f"serial,warranty_expiration_date\n{serial},2031-05-06\n")
    await cli("dates", "import", str(table), "--origin", "lookup", "--name", "maker", "--apply")
    for queue in ("normalizer.pages", "fetcher.syncs"):
        assert (await cli("replay", "--from", "1h", "--into", queue, "--apply"))["sent"] > 0


async def _rotated(deployment: Deployment, desk: Desk) -> None:
    """Both steps of the change of keys; the services keep theirs, which open what was sealed before."""
    files = ("--private", str(deployment.secrets / "private/secret-keys"))
    files += ("--public", str(deployment.secrets / "public/sealing-key"))
    before = await desk.value("select client_secret_sealed from integrations")
    private = (deployment.secrets / "private/secret-keys").read_text()
    public = (deployment.secrets / "public/sealing-key").read_text()
    await deployment.run("keys", "secrets", "rotate", *files)
    await deployment.run("keys", "secrets", "rotate", *files)
    assert await desk.value("select client_secret_sealed from integrations") != before
    # The services of this test are not started again: what they can open comes back.
    (deployment.secrets / "private/secret-keys").write_text(private)
    (deployment.secrets / "public/sealing-key").write_text(public)
    await desk.execute("update integrations set client_secret_sealed = $1", before)
    await desk.execute("delete from rmm_tokens")


async def _removed(cli: Callable[..., Awaitable[Any]], add: Sequence[str], desk: Desk) -> None:
    """One integration goes at once, by the command; the other when its time is over, by the scheduler."""
    await cli(*add, "--name", "Second", "--wait")
    await cli("integrations", "remove", "Second", "--now", "--yes")
    await cli("integrations", "remove", "Acme", "--yes")
    await desk.execute("update integrations set forget_at = now() where status = 'removed'")

    async def forgotten() -> bool:
        return not await desk.value("select count(*) from integrations where forgotten_at is null")

    await until("the scheduler lets its data go", forgotten)
    assert await desk.value("select count(*) from rmm_tokens") == 0


# -- what is refused -----------------------------------------------------------------------------------------------

Try = Callable[[AbstractChannel], Awaitable[object]]


@asynccontextmanager
async def _channel(url: str) -> AsyncGenerator[AbstractChannel]:
    connection = await aio_pika.connect(url, timeout=10)
    async with connection:
        yield await connection.channel()


async def _is_refused(url: str, attempt: Try) -> bool:
    async with _channel(url) as channel:
        try:
            await attempt(channel)
        except (ChannelAccessRefused, ChannelClosed) as error:
            return "ACCESS_REFUSED" in str(error)
    return False


def _consume(name: str) -> Try:
    async def attempt(channel: AbstractChannel) -> None:
        queue = await channel.get_queue(name, ensure=False)
        await queue.get(fail=False)

    return attempt


def _purge(name: str) -> Try:
    async def attempt(channel: AbstractChannel) -> None:
        await (await channel.get_queue(name, ensure=False)).purge()

    return attempt


def _delete(name: str) -> Try:
    return lambda channel: channel.queue_delete(name)


def _declare(name: str) -> Try:
    return lambda channel: channel.declare_queue(name, durable=True)


def _publish(exchange: str, key: str) -> Try:
    async def attempt(channel: AbstractChannel) -> None:
        target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        await target.publish(aio_pika.Message(b"{}"), key)

    return attempt


def _bind(queue: str, exchange: str, key: str) -> Try:
    async def attempt(channel: AbstractChannel) -> None:
        await (await channel.get_queue(queue, ensure=False)).bind(exchange, key)

    return attempt


@pytest.mark.parametrize("part", [rights.part for rights in all_rights()])
async def test_the_broker_refuses_what_a_user_may_not_do(deployment: Deployment, part: str) -> None:
    url = deployment.address(part, "amqp_url")
    own = {queue.name for queue in topology.WORK_QUEUES if queue.service == part}
    own |= {topology.DEAD_QUEUE} if part == topology.SCHEDULER else set()
    # Nobody can purge a stream, whatever he may.
    own |= set(topology.JOURNALS) if part == "cli" else set()
    attempts: dict[str, Try] = {
        "publish past the exchanges": _publish("", "writer.pages"),
        "publish an event that nobody may": _publish(topology.EVENTS, "no.such_event"),
        "declare a queue of its own": _declare(f"{part}.more"),
        "bind a foreign queue": _bind("amq.some", topology.EVENTS, "#"),
    }
    if part != "topology":
        foreign = [queue.name for queue in topology.queues() if queue.name not in own and ".retry." not in queue.name]
        attempts |= {f"consume {name}": _consume(name) for name in foreign}
        attempts |= {f"purge {name}": _purge(name) for name in foreign}
        attempts |= {f"delete {queue.name}": _delete(queue.name) for queue in topology.queues()}
        attempts |= {f"bind {name} to all": _bind(name, topology.EVENTS, "#") for name in [*own, *foreign]}
    if part != "cli":
        attempts["have a date edited"] = _publish(topology.EVENTS, "date.edited")
        attempts["send to a work queue"] = _publish(topology.WORK, topology.work_key("writeback.edits"))
    if part == topology.SCHEDULER:
        del attempts["have a date edited"]  # it sweeps the outbox, where an edit may lie
    refused = {what: await _is_refused(url, attempt) for what, attempt in attempts.items()}
    assert [what for what, is_refused in refused.items() if not is_refused] == []


@pytest.mark.parametrize("part", SERVICES)
async def test_a_service_consumes_its_own_queues(deployment: Deployment, part: str) -> None:
    url = deployment.address(part, "amqp_url")
    for queue in topology.WORK_QUEUES:
        if queue.service == part:
            assert not await _is_refused(url, _consume(queue.name))


def test_every_program_has_a_folder_of_its_own(deployment: Deployment) -> None:
    folders = {path.name for path in deployment.secrets.iterdir() if (path / "database_url").is_file()}
    assert folders == {*PARTS, "owner"}


async def test_what_is_refused_stands_in_the_logs_of_the_servers(deployment: Deployment) -> None:
    connection = await asyncpg.connect(deployment.address("normalizer", "database_url"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("select from assets")
    await connection.close()
    assert await _is_refused(deployment.address("normalizer", "amqp_url"), _declare("normalizer.more"))

    async def said() -> bool:
        log = deployment.server_logs()
        return "permission denied for table assets" in log and "access to queue 'normalizer.more'" in log

    await until("both servers have said so", said, within=10)
