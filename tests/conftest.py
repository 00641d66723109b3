"""What any test may ask for: a vhost and a database of its own, and the things that talk to them.

Nothing is started before a test asks for it; the unit and contract tests ask for none of it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from shared.bus import Bus
    from shared.outbox import Outbox
    from shared.postgres import Pool
    from tests.support.keys import Keys
    from tests.support.pipelines import LoopPipeline, ProcessPipeline
    from tests.support.rmm import Rmm
    from tests.support.servers import PrivateServers, TestServers
    from tests.support.stage import Stage

# Drivers take a while to import, and the unit tests need none of them: imported where they are asked for.
# ruff: noqa: PLC0415

# The same examples in every run, and no time limit for one: a test that fails here fails everywhere, and none fails for
# a slow machine. `make unit` is to be quick and has the brisk profile, `make test` the steady one; to look for new
# examples: make unit PYTEST_ARGS=--hypothesis-profile=search. A test that needs more says by how much.
settings.register_profile(
    "steady", derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("brisk", parent=settings.get_profile("steady"), max_examples=20)
settings.register_profile("search", deadline=None, max_examples=1_000)
settings.load_profile("steady")


class MakeRmm(Protocol):
    """Starts a simulated RMM with the given settings; it ends with the test."""

    async def __call__(self, **config: Any) -> "Rmm": ...


class MakeLoopPipeline(Protocol):
    """Starts services in the test's own loop; they stop with the test."""

    async def __call__(
        self, stage: "Stage", rmm: "Rmm", *services: str, replicas: int = 1, **settings: Any
    ) -> "LoopPipeline": ...


class MakeProcessPipeline(Protocol):
    """Starts services as processes; they end with the test."""

    async def __call__(
        self, stage: "Stage", rmm: "Rmm", *services: str, replicas: int = 1, **settings: Any
    ) -> "ProcessPipeline": ...


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator["TestServers"]:
    """The broker and the Postgres of this session, started by the first test that asks for them."""
    from tests.support.servers import TestServers

    made = TestServers(tmp_path_factory.mktemp("servers"))
    asyncio.run(made.start())
    yield made
    asyncio.run(made.end())


@pytest.fixture
async def database_url(servers: "TestServers") -> AsyncIterator[str]:
    """A database of this test, with all migrations applied and nothing in it."""
    async with servers.database_for_a_test() as url:
        yield url


@pytest.fixture
async def amqp_url(servers: "TestServers") -> AsyncIterator[str]:
    """A vhost of this test, with every exchange and queue declared."""
    async with servers.vhost_for_a_test() as url:
        yield url


@pytest.fixture(scope="session")
def private_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator["PrivateServers"]:
    """A second pair, for tests that kill and restart servers: nobody else uses it, and each leaves it running."""
    from tests.support.servers import PrivateServers

    made = PrivateServers(tmp_path_factory.mktemp("private-servers"))
    asyncio.run(made.start())
    yield made
    asyncio.run(made.end())


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator["Pool"]:
    """A pool of connections to this test's database."""
    from shared.postgres import open_pool

    opened = await open_pool(database_url, service="test")
    yield opened
    await opened.close()


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator["Bus"]:
    """A confirmed publisher on this test's vhost."""
    from shared.bus import Bus, publisher_broker

    broker = publisher_broker(amqp_url, "test")
    await broker.start()
    yield Bus(broker)
    await broker.stop()


@pytest.fixture
def outbox(pool: "Pool", bus: "Bus") -> "Outbox":
    """The outbox between the two."""
    from shared.outbox import Outbox

    return Outbox(pool, bus)


@pytest.fixture
def keys() -> "Keys":
    """A key pair: services that open secrets get the private half, whoever adds an integration the public one."""
    from tests.support.keys import Keys

    return Keys.new()


@pytest.fixture
async def account_id(database_url: str) -> UUID:
    """The first account of this test's database."""
    from lifecycle.accounts import ensure_first_account

    return await ensure_first_account(database_url)


@pytest.fixture
async def stage(servers: "TestServers") -> AsyncIterator["Stage"]:
    """A vhost, a database, an account and keys of this test."""
    from tests.support.stage import open_stage

    async with open_stage(servers) as made:
        yield made


@pytest.fixture
async def private_stage(private_servers: "PrivateServers") -> AsyncIterator["Stage"]:
    """Like `stage`, on the pair of servers that the test may kill and restart."""
    from tests.support.stage import open_stage

    async with open_stage(private_servers, settle=True) as made:
        yield made


@pytest.fixture
async def simulator() -> AsyncIterator["MakeRmm"]:
    """Makes simulated RMMs.

    rmm = await simulator(devices=400, companies=6)
    """
    from tests.support.rmm import serve_rmm

    async with AsyncExitStack() as stack:

        async def make(**config: Any) -> "Rmm":
            return await stack.enter_async_context(serve_rmm(**config))

        yield make


@pytest.fixture
async def in_process() -> AsyncIterator["MakeLoopPipeline"]:
    """Makes pipelines in the test's own loop.

        flow = await in_process(stage, rmm, "fetcher", "writer", rmm_page_size=20)

    All services run where none is named; `replicas` is for each of them.
    """
    from tests.support.pipelines import LoopPipeline

    made: list[LoopPipeline] = []

    async def make(stage: "Stage", rmm: "Rmm", *services: str, replicas: int = 1, **settings: Any) -> LoopPipeline:
        pipeline = LoopPipeline(stage, rmm.url, **settings)
        made.append(pipeline)
        await pipeline.start(*services, replicas=replicas)
        return pipeline

    yield make
    for pipeline in made:
        await pipeline.stop()


@pytest.fixture
async def pipeline(tmp_path: Path) -> AsyncIterator["MakeProcessPipeline"]:
    """Makes pipelines of real processes.

        flow = await pipeline(stage, rmm, replicas=2, rmm_page_size=20)

    Those that a test leaves running are killed at its end.
    """
    from tests.support.pipelines import ProcessPipeline

    made: list[ProcessPipeline] = []

    async def make(stage: "Stage", rmm: "Rmm", *services: str, replicas: int = 1, **settings: Any) -> ProcessPipeline:
        started = ProcessPipeline(stage, rmm.url, tmp_path, **settings)
        made.append(started)
        await started.start(*services, replicas=replicas)
        return started

    yield make
    for started in made:
        await started.end()
