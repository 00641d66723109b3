"""The simulated RMM behind a real socket, and its control plane as a test uses it."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import uvicorn

from lifecycle.stack.certificates import certificates_for
from simulator.app import create_app
from simulator.config import SimulatorConfig
from simulator.fleet import Fleet
from simulator.protocol import DroppingProtocol

TOKEN = re.compile(r"sim-[0-9a-f]{48}")
"""What the simulator's access tokens look like: one that turns up anywhere is a leak."""

PLAIN_SEED = 2
"""A fleet whose first few hundred devices have every mess but cloned serials, which are for a person to settle."""

LISTS = "endpoints$"
"""Fault pattern of the device list."""


@dataclass
class Rmm:
    """A running simulator. `secrets` is every client secret that it ever had, for a search of where none may be."""

    url: str
    http: httpx.AsyncClient = field(repr=False)
    secrets: set[str] = field(default_factory=set, repr=False)

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator[Self]:
        """The simulator that listens there."""
        async with httpx.AsyncClient(base_url=url, timeout=60, verify=certificates_for(url), trust_env=False) as http:
            yield cls(url, http)

    async def control(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """A request to the control plane."""
        answer = await self.http.request(method, f"/_sim/{path}", json=body, params=query or None)
        assert answer.is_success, answer.text
        return answer.json()

    async def key(self, name: str = "first") -> dict[str, Any]:
        """Client id and secret of a key, which is made where it is not there yet."""
        keys = {key["name"]: key for key in await self.control("GET", "keys")}
        return self._kept(keys.get(name) or await self.control("POST", "keys", {"name": name}))

    async def regenerate(self, name: str = "first", *, tokens_die: bool = True) -> dict[str, Any]:
        """Replace a key's pair, as a person does in the RMM; the old pair is dead at once."""
        return self._kept(await self.control("POST", f"keys/{name}/regenerate", {"tokens_die": tokens_die}))

    async def end_tokens(self, name: str = "first") -> None:
        """End the tokens of a key, as if they had expired."""
        await self.control("POST", f"keys/{name}/end_tokens")

    async def configure(self, **changes: Any) -> None:
        """Change settings while it runs."""
        await self.control("PATCH", "config", changes)

    async def fault(self, match: dict[str, Any], **action: Any) -> int:
        """Put a fault in force; returns its number."""
        (armed,) = await self.control("POST", "faults", {"match": match, "action": action})
        number: int = armed["id"]
        return number

    async def fired(self, number: int) -> int:
        """How often a fault has fired."""
        times = {armed["id"]: armed["fired"] for armed in await self.control("GET", "faults")}
        count: int = times[number]
        return count

    async def heal(self) -> None:
        """Take every fault away."""
        await self.control("DELETE", "faults")

    async def devices(self, category: str = "platform") -> dict[str, dict[str, Any]]:
        """Every device that exists now, by id, with all that the simulator knows of it."""
        found: dict[str, dict[str, Any]] = {}
        cursor: int | None = 0
        while cursor is not None:
            answer = await self.control("GET", "devices", cursor=cursor, limit=10_000, full=1, category=category)
            found |= {device["id"]: device for device in answer["devices"]}
            cursor = answer["next"]
        return found

    async def fleet(self) -> Fleet:
        """Companies and sites with their names; the same function of the seed that the simulator uses."""
        config = await self.control("GET", "config")
        return Fleet(config["seed"], config["devices"], config["companies"])

    async def requests(self, route: str | None = None) -> list[dict[str, Any]]:
        """The API requests that it has seen, in order."""
        seen: list[dict[str, Any]] = await self.control("GET", "requests")
        return [each for each in seen if route in (None, each["route"])]

    async def request_count(self) -> int:
        """How many API requests it has seen."""
        count: int = (await self.control("GET", "stats"))["requests"]
        return count

    def _kept(self, key: dict[str, Any]) -> dict[str, Any]:
        self.secrets.add(key["client_secret"])
        return key


@asynccontextmanager
async def serve_rmm(**config: Any) -> AsyncIterator[Rmm]:
    """A simulator on a free port, served by the test's own loop."""
    app = create_app(SimulatorConfig.model_validate({"seed": PLAIN_SEED, **config}))
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = _Server(
        uvicorn.Config(
            app,
            http=DroppingProtocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            # As the simulator's own process: with uvicorn's 5 s, which are httpx's as well, a client may send on a
            # connection that is being closed.
            timeout_keep_alive=75,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with Rmm.at(url) as rmm:
            await rmm.key()
            yield rmm
    finally:
        server.should_exit = server.force_exit = True
        await serving
        listener.close()


class _Server(uvicorn.Server):
    """A server that leaves the test runner's signals alone."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
