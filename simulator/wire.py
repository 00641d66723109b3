"""Requests and responses as plain values, and the few lines that read and send them over ASGI."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = b"application/json"
DROP = "simulator.drop"
"""Name of the server extension that closes the connection."""


class ConnectionDropped(ConnectionError):  # noqa: N818 - what happened, as httpx would tell it
    """Raised in place of a dropped connection where there is no socket to drop (in-process transports)."""


@dataclass(slots=True)
class Request:
    """One HTTP request, read to its end; `companies` and `cursor` are filled in for the record by whoever knows."""

    method: str
    path: str
    query_string: str
    headers: dict[bytes, bytes]
    scheme: str
    body: bytes
    companies: tuple[str, ...] = ()
    cursor: int | None = None
    query: dict[str, str] = field(default_factory=dict[str, str])

    def header(self, name: str) -> str:
        """Return a header, empty when it is absent."""
        return self.headers.get(name.encode(), b"").decode("latin-1")

    def object(self) -> dict[str, Any]:
        """Return the body when it is a JSON object, else an empty one."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError):
            return {}

    @property
    def origin(self) -> str:
        """Scheme and host as the client wrote them, for absolute links."""
        return f"{self.scheme}://{self.header('host') or 'simulator'}"


@dataclass(slots=True)
class Response:
    """One HTTP answer; `parts` in place of `body` is sent in chunks."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    parts: Iterable[bytes] | None = None
    devices: int = 0
    cut: bool = False


def as_json(value: object, status: int = 200) -> Response:
    """Return a value as a JSON answer, in UTF-8."""
    return Response(status, msgspec.json.encode(value))


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Read one request with its whole body."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    body = b""
    if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
    text = scope["query_string"].decode("latin-1")
    query = {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()} if text else {}
    return Request(scope["method"], scope["path"], text, headers, scope.get("scheme", "http"), body, query=query)


async def send_response(response: Response, scope: Scope, send: Send) -> None:
    """Send an answer; a `cut` one announces its whole length and then loses the connection half-way."""
    headers = [(b"content-type", response.content_type), *response.headers]
    if response.parts is None and response.status != 204:  # noqa: PLR2004 - a 204 has no body
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.cut:
        await send({"type": "http.response.body", "body": response.body[: len(response.body) // 2], "more_body": True})
        drop_connection(scope)
        return
    for part in response.parts or ():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if response.parts is not None else response.body})


def drop_connection(scope: Scope) -> None:
    """Close the client's connection; raises ConnectionDropped where the server cannot."""
    extensions: dict[str, Any] = scope.get("extensions") or {}
    if DROP not in extensions:
        raise ConnectionDropped("the simulator dropped the connection")
    extensions[DROP]["close"]()
