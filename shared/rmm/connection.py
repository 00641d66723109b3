"""One HTTP exchange with the vendor: budget, deadline, body cap, and every httpx error as one of ours.

The only module that talks through httpx. It knows nothing of tokens or of what a path means.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from ssl import SSLContext
from typing import Any, Final

import httpx

from shared.errors import PipelineError, RmmAnswerUnreadable, RmmUnreachable
from shared.rmm.rates import Budget, Priority, RateReading, read_rate
from shared.rmm.refusals import Purpose, error_from_response
from shared.rmm.regions import check_base_url
from shared.rmm.wording import Wording, read_wording

__all__ = ["Answer", "Call", "Connection", "Limits", "new_http_client"]

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
_CONNECT_SECONDS: Final = 10.0
# What httpx raises where no answer can be had. LocalProtocolError and UnsupportedProtocol are missing on purpose: bugs.
_NO_ANSWER: Final = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)
_DROPPED: Final = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


@cache
def user_agent() -> str:
    """Name us with our version, as some of the vendor's operations ask for (API notes 1)."""
    try:
        return f"lifecycle-sync/{version('lifecycle-sync')}"
    except PackageNotFoundError:
        return "lifecycle-sync/dev"


@cache
def _trusted() -> SSLContext:
    # To read every certificate takes tens of milliseconds, and all clients of a process trust the same.
    return httpx.create_ssl_context(trust_env=False)


def new_http_client(
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    verify: SSLContext | bool = True,
    max_connections: int = 50,
) -> httpx.AsyncClient:
    """Make the pool that all integrations of a process share; the caller closes it.

    It reads no environment (proxies, netrc), follows no redirect and keeps no cookie: the vendor's cookie for one
    tenant would else travel with another tenant's requests.
    """
    return httpx.AsyncClient(
        transport=transport,
        verify=_trusted() if verify is True and transport is None else verify,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": user_agent()},
        limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=20, keepalive_expiry=20),
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how large: `call` for everything but a sign-in, `body_bytes` after decompression."""

    call: timedelta = timedelta(seconds=60)
    sign_in: timedelta = timedelta(seconds=30)
    body_bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """One request to make. `path` starts with a slash and is already quoted.

    `repeatable` says that it changes nothing, so it may be sent again when a pooled connection turned out to be dead.
    """

    purpose: Purpose
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str = JSON
    priority: Priority = Priority.LIST
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status; `headers` is case-insensitive. Its repr shows no body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    request_id: str
    reading: RateReading | None = None
    hide: tuple[str, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        """Tell whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the classes of HTTP statuses are known by these numbers

    def wording(self) -> Wording:
        """Read the error body, without the token that it may echo."""
        return read_wording(self.body, hide=self.hide)

    def error(self, purpose: Purpose) -> PipelineError:
        """Make the error for this answer."""
        return error_from_response(
            self.status, self.wording(), purpose, reading=self.reading, request_id=self.request_id
        )


class _Trace:
    """Watches httpcore: whether a connection had to be opened, so that a pooled one can be told from a new one."""

    def __init__(self) -> None:
        self.opened = False

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        del info
        if event.startswith("connection.connect_"):
            self.opened = True


def _new_request_id() -> str:
    return str(uuid.uuid4())


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Connection:
    """Sends requests to one base URL on one integration's budget."""

    http: httpx.AsyncClient
    base_url: str
    budget: Budget
    limits: Limits = field(default_factory=Limits)
    new_request_id: Callable[[], str] = _new_request_id
    now: Callable[[], datetime] = _now
    on_answer: Callable[[Call, int], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        self.base_url = check_base_url(self.base_url)

    async def exchange(self, call: Call, *, bearer: str | None, within: timedelta) -> Answer:
        """Send `call` and read its whole answer, of any status, within the time.

        Takes from the budget before each sending. Sends a repeatable call once more where a pooled connection was
        dropped before an answer. Raises QuotaExhausted, RmmUnreachable (no answer or too late), RmmAnswerUnreadable
        (cut off, over the cap, badly compressed). Cancelling it closes the connection.
        """
        trace = _Trace()
        loop = asyncio.get_running_loop()
        end = loop.time() + within.total_seconds()
        try:
            return await self._once(call, bearer, within, trace)
        except _DroppedError as error:
            # The other side closes idle connections when it likes; that is no sign of trouble.
            if trace.opened or not call.repeatable:
                raise _unreachable(call, error.__cause__ or error, error.request_id) from error.__cause__
        try:
            return await self._once(call, bearer, timedelta(seconds=max(end - loop.time(), 0.0)), _Trace())
        except _DroppedError as error:
            raise _unreachable(call, error.__cause__ or error, error.request_id) from error.__cause__

    async def _once(self, call: Call, bearer: str | None, within: timedelta, trace: _Trace) -> Answer:
        await self.budget.take(call.priority)
        request_id = self.new_request_id()
        try:
            async with asyncio.timeout(within.total_seconds()):
                answer = await self._send(call, bearer, request_id, within, trace)
        except TimeoutError as error:
            message = f"no whole answer within {within.total_seconds():g} s to {call.purpose.said(request_id)}"
            raise RmmUnreachable(message) from error
        except _NO_ANSWER as error:
            raise _unreachable(call, error, request_id) from error
        if answer.reading is not None:
            await self.budget.corrected(answer.reading)
        if self.on_answer is not None:
            await self.on_answer(call, answer.status)
        return answer

    async def _send(self, call: Call, bearer: str | None, request_id: str, within: timedelta, trace: _Trace) -> Answer:
        headers = {"Accept": JSON, "X-Request-ID": request_id, "User-Agent": user_agent()}
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        request = self.http.build_request(
            call.method,
            self.base_url + call.path,
            params=call.query or None,
            content=call.body,
            headers=headers,
            timeout=httpx.Timeout(within.total_seconds(), connect=_CONNECT_SECONDS),
            extensions={"trace": trace},
        )
        try:
            response = await self.http.send(request, stream=True, auth=None, follow_redirects=False)
        except _DROPPED as error:
            raise _DroppedError(request_id) from error
        try:
            body = await self._body(response, call, request_id)
        finally:
            await response.aclose()
        reading = read_rate(response.status_code, response.headers, self.now())
        hide = (bearer,) if bearer else ()
        return Answer(response.status_code, response.headers, body, request_id, reading, hide)

    async def _body(self, response: httpx.Response, call: Call, request_id: str) -> bytes:
        """Read the body up to the cap, which is looked at after each piece and so holds for what is unpacked."""
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > self.limits.body_bytes:
                    message = f"the answer is over {self.limits.body_bytes} bytes to {call.purpose.said(request_id)}"
                    raise RmmAnswerUnreadable(message)
                chunks.append(chunk)
        except (httpx.DecodingError, httpx.RemoteProtocolError, httpx.ReadError) as error:
            message = (
                f"the answer broke off after {size} bytes ({type(error).__name__}) to {call.purpose.said(request_id)}"
            )
            raise RmmAnswerUnreadable(message) from error
        return b"".join(chunks)


class _DroppedError(Exception):
    """The connection went away before an answer; the cause is httpx's error."""

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.request_id = request_id


def _unreachable(call: Call, error: BaseException, request_id: str) -> RmmUnreachable:
    # The error's own text is left out: with a proxy it can hold an address with a password.
    return RmmUnreachable(f"no answer from the rmm ({type(error).__name__}) to {call.purpose.said(request_id)}")
