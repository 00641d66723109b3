"""Health on real servers: ready turns red with a sentence that says what to do, and green again by itself."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
import structlog
from aio_pika.abc import AbstractIncomingMessage

from lifecycle.stack.management import missing_bindings
from lifecycle.stack.servers import login_of
from services.writer.app import WriterSettings, create_app
from shared import declaration, runtime, topology
from shared.bus import Bus
from shared.declaration import declare
from shared.errors import BrokerUnavailable, StoreUnavailable
from shared.observability import health as health_module
from shared.observability.health import BROKER_LOOK_SECONDS, BrokerLook, Health
from shared.postgres import connection, open_pool
from tests.support import queues
from tests.support.servers import TestServers
from tests.support.waiting import PATIENCE_SECONDS, until
from tests.support.wires import wire

WRITER = topology.WRITER_PAGES.name


async def ready(health: Health) -> tuple[int, dict[str, Any]]:
    answer = await health.ready(None)  # type: ignore[arg-type]
    return answer.status_code, json.loads(bytes(answer.body))


async def turns(health: Health, status: int) -> dict[str, Any]:
    """The checks, once ready answers with this status."""

    async def ask() -> dict[str, Any] | None:
        found, body = await ready(health)
        return body["checks"] if found == status else None

    return await until(f"ready answers {status}", ask)


@asynccontextmanager
async def writing(amqp_url: str, database_url: str) -> AsyncIterator[Health]:
    """The health of a running writer."""
    service = create_app(WriterSettings(amqp_url=amqp_url, database_url=database_url))  # type: ignore[arg-type]
    async with service.running():
        await turns(service.health, 200)
        yield service.health


@asynccontextmanager
async def user_with(rights: dict[str, str], servers: TestServers, amqp_url: str) -> AsyncIterator[str]:
    """The broker's address for a user of its own with these rights."""
    user, password = f"lesser-{uuid4().hex}", uuid4().hex
    broker, management = urlsplit(amqp_url), urlsplit(servers.broker.management_url or "")
    login, host = login_of(management.geturl()), management.netloc.rpartition("@")[2]
    vhost = quote(broker.path.removeprefix("/"), safe="%")
    async with httpx.AsyncClient(base_url=f"http://{host}", auth=login, trust_env=False) as client:
        (await client.put(f"/api/users/{user}", json={"password": password, "tags": ""})).raise_for_status()
        (await client.put(f"/api/permissions/{vhost}/{user}", json=rights)).raise_for_status()
        yield broker._replace(netloc=f"{user}:{password}@{broker.netloc.rpartition('@')[2]}").geturl()
        (await client.delete(f"/api/users/{user}")).raise_for_status()


@asynccontextmanager
async def no_database(database_url: str) -> AsyncIterator[None]:
    """Nobody is let into the database, and whoever was in is thrown out."""
    parts = urlsplit(database_url)
    name = parts.path.removeprefix("/")
    admin = await asyncpg.connect(parts._replace(path="/postgres").geturl())
    try:
        await admin.execute(f'alter database "{name}" with allow_connections false')
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        yield
        await admin.execute(f'alter database "{name}" with allow_connections true')
    finally:
        await admin.close()


async def test_a_service_that_does_its_job_is_ready(amqp_url: str, database_url: str) -> None:
    async with writing(amqp_url, database_url) as health:
        status, body = await ready(health)
    assert (status, body["service"], body["status"]) == (200, "writer", "ready")
    assert body["checks"] == {"database": "ok", "broker": "ok"}
    assert body["up_seconds"] >= 0


async def test_a_queue_that_is_gone_is_named_with_what_to_do_until_it_is_back(amqp_url: str, database_url: str) -> None:
    async with writing(amqp_url, database_url) as health:
        await queues.delete(amqp_url, WRITER)
        assert await turns(health, 503) == {
            "database": "ok",
            "broker": f"queue {WRITER} is missing: run `lifecycle topology declare`",
        }
        await declare(amqp_url, settle=False)
        await turns(health, 200)


async def test_a_binding_that_is_gone_is_made_again_by_the_service_itself_and_no_later_event_is_lost(
    servers: TestServers, amqp_url: str, database_url: str, bus: Bus
) -> None:
    """Nobody asks for health here, and no publisher hears of it: the journal takes every event."""
    async with writing(amqp_url, database_url), queues.open_channel(amqp_url) as channel:
        dead = await channel.get_queue(topology.DEAD_QUEUE)
        written = await channel.get_queue(WRITER)
        (bindings,) = (queue.bindings for queue in topology.queues() if queue.name == WRITER)
        for exchange, key in bindings:
            await written.unbind(exchange, key)

        async def arrives() -> bool:
            await bus.publish_body("asset.page_normalized", b"{}", "story")
            # What is no page ends dead at once, and so tells that it got to the writer.
            return await dead.get(fail=False, no_ack=True) is not None

        await until("an event reaches the writer", arrives, within=4 * BROKER_LOOK_SECONDS)
        assert servers.broker.management_url is not None
        assert await missing_bindings(servers.broker.management_url, amqp_url) == []


@pytest.mark.parametrize("trouble", [asyncio.CancelledError, ConnectionResetError, RuntimeError])
async def test_a_connection_that_is_lost_during_a_look_does_not_end_the_looking(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch, trouble: type[BaseException]
) -> None:
    looks = 0

    async def lost(*_: object) -> declaration.Finding:
        nonlocal looks
        looks += 1
        raise trouble

    monkeypatch.setattr(health_module, "BROKER_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(declaration, "_look", lost)
    look = BrokerLook(amqp_url, (WRITER,))
    with pytest.raises(BrokerUnavailable):
        await look()
    looking = asyncio.create_task(look.keep_looking())

    async def goes_on() -> bool:
        return looks > 3

    await until("it looks again and again", goes_on)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking


def test_every_queue_has_one_service_that_keeps_its_bindings() -> None:
    kept = [queue.name for service in (*topology.SERVICES, topology.SCHEDULER) for queue in topology.kept_by(service)]
    assert sorted(kept) == sorted(queue.name for queue in topology.queues())


async def test_a_delay_queue_that_is_gone_is_named_with_what_to_do(amqp_url: str, database_url: str) -> None:
    async with writing(amqp_url, database_url) as health:
        await queues.delete(amqp_url, "writer.retry.30s")
        checks = await turns(health, 503)
        assert checks["broker"].startswith("writer.retry.30s can't be bound (NOT_FOUND - no queue ")
        assert checks["broker"].endswith(": run `lifecycle topology declare`")
        await declare(amqp_url, settle=False)
        await turns(health, 200)


@pytest.mark.parametrize("may_bind", [False, True], ids=["may-not-bind", "may-bind"])
async def test_a_user_without_the_right_to_bind_is_told_once_and_ready(
    servers: TestServers, amqp_url: str, *, may_bind: bool
) -> None:
    rights = {"configure": "^$", "write": r"^lifecycle\.(events|retry)$", "read": r"^writer\."}
    if may_bind:
        rights |= {"write": r"^(writer\..*|lifecycle\.(events|retry))$", "read": r"^(writer\..*|lifecycle\.\w+)$"}
    kept = topology.kept_by("writer")
    async with user_with(rights, servers, amqp_url) as lesser, queues.open_channel(amqp_url) as channel:
        queue = await channel.get_queue(WRITER)
        await queue.consume(asyncio.Queue[AbstractIncomingMessage]().put)
        look = BrokerLook(lesser, (WRITER,), kept=kept)

        async def well() -> bool:
            return await look() is None

        with structlog.testing.capture_logs() as said:
            await until("the look is good", well)
            await look._look()
        refused = [one["queue"] for one in said if one["action"] == "bind"]
        assert sorted(refused) == ([] if may_bind else sorted(queue.name for queue in kept))


async def test_a_replica_that_lost_its_subscription_is_not_ready_although_another_one_consumes(
    amqp_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumers: list[Any] = []
    make = runtime._consumer

    def remember(*wired: Any) -> Any:
        consumers.append(make(*wired))
        return consumers[-1]

    monkeypatch.setattr(runtime, "_consumer", remember)
    async with writing(amqp_url, database_url) as loser, writing(amqp_url, database_url) as other:
        subscriber = consumers[0].subscribers[0]
        channel = await subscriber._queue_obj.channel.get_underlay_channel()
        await channel.basic_cancel(subscriber._consumer_tag)

        checks = await turns(loser, 503)
        assert checks["broker"] == f"this process does not consume {WRITER} any more: restart it"
        assert (await ready(other))[0] == 200


async def test_a_database_that_is_away_is_said_until_it_is_back(amqp_url: str, database_url: str) -> None:
    async with writing(amqp_url, database_url) as health:
        async with no_database(database_url):
            checks = await turns(health, 503)
        assert checks["broker"] == "ok"
        assert checks["database"].startswith("the database is not there: ")
        assert checks["database"].endswith(f": {StoreUnavailable.next_action}")
        await turns(health, 200)


@pytest.mark.parametrize("change", [{"path": "/no_such_database"}, {"netloc": "nobody:wrong@127.0.0.1:1"}])
async def test_a_database_that_can_not_be_had_is_said_at_the_start(database_url: str, change: dict[str, str]) -> None:
    with pytest.raises(StoreUnavailable, match="no connection to the database"):
        await open_pool(urlsplit(database_url)._replace(**change).geturl(), service="test")


def test_a_database_address_that_the_driver_does_not_take_ends_the_start_with_its_setting() -> None:
    environment = {
        "LIFECYCLE_AMQP_URL": "amqp://127.0.0.1:1/",
        "LIFECYCLE_DATABASE_URL": "postgresql://me:canary@127.0.0.1:1/lifecycle?sslmode=bogus",
    }
    root = Path(__file__).parents[2]
    command = (sys.executable, "-m", "services.writer")
    ended = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    said = ended.stderr.splitlines()[-1]
    assert said.startswith("LIFECYCLE_DATABASE_URL is not an address that the driver takes: correct its sslmode")
    assert "canary" not in ended.stdout + ended.stderr


async def test_a_connection_that_was_ended_while_it_was_idle_is_no_bug(database_url: str) -> None:
    """Whoever meets it holds its message and finds a new connection."""
    pool = await open_pool(database_url, service="test", size=1)
    server_pid = await pool.fetchval("select pg_backend_pid()")
    admin = await asyncpg.connect(database_url)
    await admin.execute("select pg_terminate_backend($1)", server_pid)
    await admin.close()

    async def ask() -> bool:
        async with connection(pool) as conn:
            return bool(await conn.fetchval("select true"))

    assert await until("the store answers again", ask)
    await pool.close()


async def test_a_service_that_stops_is_not_ready_and_still_lives(amqp_url: str, database_url: str) -> None:
    async with writing(amqp_url, database_url) as health:
        pass
    health.checks.clear()
    status, body = await ready(health)
    assert (status, body["status"]) == (503, "stopping")
    live = await health.live(None)  # type: ignore[arg-type]
    assert live.status_code == 200


async def test_a_queue_that_nobody_consumes_is_named(amqp_url: str) -> None:
    look = BrokerLook(amqp_url, (WRITER, topology.FETCHER_PAGES.name))
    assert await look() == f"nobody consumes {WRITER}, {topology.FETCHER_PAGES.name}"


async def test_a_broker_that_is_away_is_said_with_what_to_do() -> None:
    health = Health("test")
    health.register("broker", BrokerLook("amqp://nobody@127.0.0.1:1/", (WRITER,)))
    status, body = await ready(health)
    assert status == 503
    assert body["checks"]["broker"].startswith("no connection to the broker: ")
    assert body["checks"]["broker"].endswith(": check RabbitMQ")


async def test_a_broker_that_hangs_up_on_a_start_is_said_with_what_to_do(amqp_url: str, database_url: str) -> None:
    # The first connection publishes; the one that consumes comes after it.
    async with wire(amqp_url, most=1) as way:
        with pytest.raises(BrokerUnavailable, match="no connection to the broker") as caught:
            async with writing(way.url, database_url):
                pytest.fail("it consumes by no connection")
    assert caught.value.next_action


async def test_many_callers_cost_the_broker_one_look(amqp_url: str) -> None:
    look = BrokerLook(amqp_url, (WRITER,))
    async with queues.open_channel(amqp_url) as channel:
        queue = await channel.get_queue(WRITER)
        await queue.consume(asyncio.Queue[AbstractIncomingMessage]().put)

        async def ask() -> bool:
            return await look() is None

        await until("the consumer counts", ask)
        await queues.delete(amqp_url, WRITER)
        assert set(await asyncio.gather(*(look() for _ in range(20)))) == {None}, "answered from the same look"


async def test_a_check_that_does_not_answer_is_a_finding_and_holds_nobody_up() -> None:
    async def hangs() -> str | None:
        await asyncio.Event().wait()
        return None

    async def fine() -> str | None:
        return None

    health = Health("test", check_seconds=0.1)
    health.register("hangs", hangs)
    health.register("fine", fine)
    status, body = await asyncio.wait_for(ready(health), PATIENCE_SECONDS)
    assert (status, body["checks"]) == (503, {"hangs": "no answer within 0.1 s", "fine": "ok"})


async def test_a_check_that_breaks_is_a_finding_without_its_words() -> None:
    async def breaks() -> str | None:
        raise ValueError("a secret")

    health = Health("test")
    health.register("breaks", breaks)
    status, body = await ready(health)
    assert (status, body["checks"]) == (503, {"breaks": "check failed: ValueError"})


async def test_the_page_of_metrics_has_ours() -> None:
    answer = await Health("test").metrics(None)  # type: ignore[arg-type]
    assert b"lifecycle_messages_total" in bytes(answer.body)
