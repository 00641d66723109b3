"""Where one test plays: a vhost and a database of its own, an account, keys, and the things that talk to them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from lifecycle.accounts import ensure_first_account
from shared.bus import Bus, publisher_broker
from shared.outbox import Outbox
from shared.postgres import Pool, open_pool
from tests.support.keys import Keys
from tests.support.servers import TestServers


@dataclass(frozen=True)
class Stage:
    """All that a test and the services under test have in common."""

    amqp_url: str
    management_url: str = field(repr=False)
    database_url: str
    keys: Keys = field(repr=False)
    account_id: UUID
    pool: Pool
    bus: Bus
    outbox: Outbox


@asynccontextmanager
async def open_stage(servers: TestServers, *, settle: bool = False) -> AsyncIterator[Stage]:
    """A stage on these servers; `settle` where the test will kill the broker."""
    management_url = servers.broker.management_url
    assert management_url is not None, "the tests need the broker's management API: set LIFECYCLE_MANAGEMENT_URL"
    async with AsyncExitStack() as stack:
        database_url = await stack.enter_async_context(servers.database_for_a_test())
        amqp_url = await stack.enter_async_context(servers.vhost_for_a_test(settle=settle))
        yield await stack.enter_async_context(attach_stage(amqp_url, database_url, Keys.new(), management_url))


@asynccontextmanager
async def attach_stage(amqp_url: str, database_url: str, keys: Keys, management_url: str = "") -> AsyncIterator[Stage]:
    """A stage on a vhost and a database that stand already, such as those of a whole stack."""
    async with AsyncExitStack() as stack:
        account_id = await ensure_first_account(database_url)
        pool = await open_pool(database_url, service="test")
        stack.push_async_callback(pool.close)
        broker = publisher_broker(amqp_url, "test")
        await broker.start()
        stack.push_async_callback(broker.stop)
        bus = Bus(broker)
        yield Stage(amqp_url, management_url, database_url, keys, account_id, pool, bus, Outbox(pool, bus))
