"""A broker and a database for one test run: chosen as for a stack, gone afterwards.

    servers = ThrowawayServers(tmp_path)
    asyncio.run(servers.start())
    url = asyncio.run(servers.database.create_database("one_test"))
    asyncio.run(servers.end())

Bound to no event loop: a fixture of the whole session may start them and each test may use them in a loop of its own.
"""

import asyncio
import sys
from pathlib import Path
from typing import Self

from lifecycle.settings import CommandSettings
from lifecycle.stack.choice import choose_broker, choose_database
from lifecycle.stack.control import purge
from lifecycle.stack.layout import Layout
from lifecycle.stack.servers import Broker, Database


class ThrowawayServers:
    """Both servers in a folder of their own, or those whose addresses are in the environment.

    `async with` starts and ends them. Killed at the end and their data deleted, but for given ones: of those the
    caller drops what it made.
    """

    broker: Broker
    database: Database

    def __init__(self, folder: Path, settings: CommandSettings | None = None) -> None:
        self._layout = Layout(folder.absolute())
        self._settings = settings or CommandSettings()

    async def start(self) -> None:
        """Starts both at once; raises `Failure` where one of them is not to be had."""
        self._layout.create()
        self.broker = await choose_broker(self._layout, self._settings, _say, throwaway=True)
        self.database = await choose_database(self._layout, self._settings, _say, throwaway=True)
        _say(self.broker.description)
        _say(self.database.description)
        try:
            await asyncio.gather(self.broker.start(), self.database.start())
        except BaseException:
            await self.end()
            raise

    async def end(self) -> None:
        """Kills both and deletes their data."""
        await asyncio.gather(self.broker.kill(), self.database.kill())
        purge(self._layout)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
