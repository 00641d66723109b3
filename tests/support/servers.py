"""The broker and the Postgres of a test session, and what a test gets of them: a vhost and a database of its own.

Started by the first test that asks, by the stack's own order: addresses in the environment, a Docker engine, the
servers installed here. Where there is none the test fails and says so; nothing is ever skipped.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from lifecycle.settings import CommandSettings
from lifecycle.stack.broker import LocalBroker
from lifecycle.stack.database import LocalPostgres
from lifecycle.stack.servers import Broker, Database
from lifecycle.stack.throwaway import ThrowawayServers
from shared.migrations import migrate
from tests.support.recycling import AsNew
from tests.support.vhosts import Vhosts


class TestServers:
    """A running pair with a migrated template; each database of a test is a copy of that.

    A database or a vhost that a test leaves as it may be left is made as new for another.
    """

    __test__ = False

    def __init__(self, folder: Path, settings: CommandSettings | None = None) -> None:
        self._pair = ThrowawayServers(folder, settings)
        # Unique on a given server too, where another session may run at the same time.
        self._session = uuid4().hex[:8]
        self._started = False
        self._as_new: AsNew | None = None
        self._free: dict[str, str] = {}
        self._vhosts: Vhosts | None = None

    @property
    def broker(self) -> Broker:
        """The RabbitMQ of the session."""
        return self._pair.broker

    @property
    def database(self) -> Database:
        """The Postgres of the session."""
        return self._pair.database

    async def start(self) -> None:
        """Start both and migrate the template; twice is nothing."""
        if self._started:
            return
        await self._pair.start()
        self._started = True
        template = await self.database.create_database(self._template)
        await migrate(template)
        self._as_new = await AsNew.read(template)
        self._vhosts = Vhosts(self.broker, self._unique)

    async def end(self) -> None:
        """Kill both; on given servers, drop what is ours."""
        if not self._started:
            return
        if self._vhosts is not None and not self.broker.processes():
            await self._vhosts.drop_all()
        if not self.database.processes():
            for name in (*self._free, self._template):
                await self.database.drop_database(name)
        await self._pair.end()
        self._started = False

    @asynccontextmanager
    async def database_for_a_test(self) -> AsyncIterator[str]:
        """A migrated database with nothing in it; whoever is still connected to it afterwards is thrown out."""
        if self._free:
            name, url = self._free.popitem()
        else:
            name = self._unique()
            url = await self.database.create_database(name, self._template)
        yield url
        assert self._as_new is not None, "it was started"
        if await self._as_new.restore(url):
            self._free[name] = url
        else:
            await self.database.drop_database(name)

    @asynccontextmanager
    async def vhost_for_a_test(self, *, settle: bool = False) -> AsyncIterator[str]:
        """A vhost with our topology and nothing else.

        `settle` is for a test that kills the broker: the queues survive that, and nobody gets the vhost afterwards.
        """
        assert self._vhosts is not None, "it was started"
        vhost = await (self._vhosts.make(settle=True) if settle else self._vhosts.take())
        yield vhost.url
        if settle:
            await self._vhosts.drop(vhost)
        else:
            self._vhosts.give_back(vhost)

    @property
    def _template(self) -> str:
        return f"test_{self._session}_template"

    def _unique(self) -> str:
        return f"test_{self._session}_{uuid4().hex[:8]}"


class PrivateServers(TestServers):
    """A pair for one test that kills or restarts them, always from the programs installed on this machine.

    Neither a given server nor a container would do: the first is somebody else's, and of a container that is
    killed nothing stays.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, CommandSettings(amqp_url=None, database_url=None, docker=False))

    @property
    def broker(self) -> LocalBroker:
        """The RabbitMQ of this test, which it may kill, stop and start."""
        broker = super().broker
        assert isinstance(broker, LocalBroker)
        return broker

    @property
    def database(self) -> LocalPostgres:
        """The Postgres of this test, which it may kill and restart."""
        database = super().database
        assert isinstance(database, LocalPostgres)
        return database
