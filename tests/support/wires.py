"""A way to a server that a test cuts: bytes go through as they are, until it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit


@dataclass
class Wire:
    """`url` is the server's address by this way. Connections after the first `most` are hung up on at once."""

    url: str
    most: int | None
    _ends: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])
    _came: int = 0

    def cut(self) -> None:
        """Break every connection, as a network does."""
        for end in self._ends:
            end.transport.abort()

    async def _take(self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._came += 1
        if self.most is not None and self._came > self.most:
            writer.transport.abort()
            return
        answers, asks = await asyncio.open_connection(host, port)
        self._ends += (writer, asks)
        await asyncio.gather(_pump(reader, asks), _pump(answers, writer), return_exceptions=True)


@asynccontextmanager
async def wire(url: str, *, most: int | None = None) -> AsyncIterator[Wire]:
    """Listen, and pass on what comes."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await made._take(host, port, reader, writer)

    async with await asyncio.start_server(connected, "127.0.0.1") as server:
        login, at, _ = parts.netloc.rpartition("@")
        here = f"{login}{at}127.0.0.1:{server.sockets[0].getsockname()[1]}"
        made = Wire(urlunsplit(parts._replace(netloc=here)), most)
        try:
            yield made
        finally:
            made.cut()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
