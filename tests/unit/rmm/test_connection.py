"""One exchange: deadline, cap, dropped connections, and httpx's errors as ours."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from shared.errors import (
    QuotaExhausted,
    RateLimited,
    RmmAnswerUnreadable,
    RmmServerError,
    RmmUnreachable,
    ScopeMissing,
)
from shared.rmm.connection import Connection, new_http_client
from tests.unit.rmm.world import BASE, COMPANY, DEVICE, FakeBudget, World, group, html, ok, page, refused


class Body(httpx.AsyncByteStream):
    """A body that comes in pieces and may end in an error or never."""

    def __init__(self, *pieces: bytes | Exception | float) -> None:
        self.pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            else:
                yield piece

    async def aclose(self) -> None:
        self.closed = True


async def test_every_request_carries_its_own_id_and_our_name() -> None:
    world = World(lambda _: ok([]))
    await world.client.companies()
    await world.client.companies()
    ids = {request.headers["x-request-id"] for request in world.requests}
    assert len(ids) == 2
    assert all(request.headers["user-agent"].startswith("lifecycle-sync/") for request in world.requests)
    assert all(request.headers["accept"] == "application/json" for request in world.requests)


async def test_an_error_names_the_request_id_that_was_sent() -> None:
    world = World([refused(500)])
    with pytest.raises(RmmServerError) as caught:
        await world.client.companies()
    assert world.requests[0].headers["x-request-id"] in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("[Errno 111] Connection refused"),
        httpx.ConnectError("[Errno -2] Name or service not known"),
        httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.PoolTimeout("full"),
        httpx.ProxyError("407 http://user:password@proxy"),
    ],
)
async def test_no_answer_is_unreachable_and_no_attempt(error: httpx.HTTPError) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    world = World(fail)
    with pytest.raises(RmmUnreachable) as caught:
        await world.client.companies()
    assert caught.value.__cause__ is error
    assert not caught.value.counts_as_attempt
    assert "password" not in str(caught.value)
    assert len(world.requests) == 1


async def test_a_body_that_trickles_runs_into_the_total_deadline() -> None:
    body = Body(b"[", *[piece for _ in range(100) for piece in (0.02, b" ")])
    world = World(lambda _: httpx.Response(200, stream=body), call=timedelta(seconds=0.05))
    with pytest.raises(RmmUnreachable, match="no whole answer within"):
        await world.client.companies()
    assert body.closed


async def test_being_cancelled_closes_the_answer_and_stays_a_cancellation() -> None:
    body = Body(b"[", 60.0)
    world = World(lambda _: httpx.Response(200, stream=body))
    task = asyncio.create_task(world.client.companies())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert body.closed


async def test_a_body_over_the_cap_is_not_read_to_its_end() -> None:
    body = Body(*[b"x" * 1000] * 1000)
    world = World(lambda _: httpx.Response(200, stream=body), body_bytes=10_000)
    with pytest.raises(RmmAnswerUnreadable, match="over 10000 bytes"):
        await world.client.companies()
    assert body.closed


async def test_the_cap_counts_what_comes_out_of_compression() -> None:
    packed = gzip.compress(b" " * 100_000)
    assert len(packed) < 10_000
    world = World(
        lambda _: httpx.Response(200, stream=Body(packed), headers={"Content-Encoding": "gzip"}), body_bytes=10_000
    )
    with pytest.raises(RmmAnswerUnreadable, match="over 10000 bytes"):
        await world.client.companies()


async def test_a_body_that_breaks_off_is_an_unreadable_answer() -> None:
    pieces = (b"[", httpx.RemoteProtocolError("peer closed connection without sending complete message body"))
    with pytest.raises(RmmAnswerUnreadable, match="broke off after 1 bytes"):
        await World(lambda _: httpx.Response(200, stream=Body(*pieces))).client.companies()


async def test_a_badly_packed_body_is_an_unreadable_answer() -> None:
    answer = httpx.Response(200, stream=Body(b"no gzip"), headers={"Content-Encoding": "gzip"})
    with pytest.raises(RmmAnswerUnreadable):
        await World([answer]).client.companies()


@pytest.mark.parametrize(
    "answer",
    [
        html(200),
        html(403),
        httpx.Response(200, content=b'[{"id":"canary'),
        httpx.Response(200, content=b'[{"id":5}]'),
        httpx.Response(200, content=b'{"canary":[]}'),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(302, headers={"Location": "https://elsewhere.test/canary"}),
        httpx.Response(404, text="404 page not found"),
        httpx.Response(407),
    ],
)
async def test_what_is_no_answer_of_the_api_is_unreadable_and_not_shown(answer: httpx.Response) -> None:
    world = World([answer])
    with pytest.raises(RmmAnswerUnreadable) as caught:
        await world.client.companies()
    assert "canary" not in str(caught.value)
    assert len(world.requests) == 1


@pytest.mark.parametrize(
    "error", [httpx.RemoteProtocolError("gone"), httpx.ReadError("reset"), httpx.WriteError("pipe")]
)
async def test_a_read_on_a_dead_pooled_connection_is_sent_once_more(error: httpx.HTTPError) -> None:
    world: World

    def drop_first(request: httpx.Request) -> httpx.Response:
        if len(world.requests) == 1:
            raise error
        return ok(page(group()))

    world = World(drop_first)
    assert (await world.client.device_page([COMPANY])).devices == 1
    assert len(world.budget.taken) == 2


async def test_a_connection_that_drops_twice_is_unreachable() -> None:
    def drop(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("gone")

    world = World(drop)
    with pytest.raises(RmmUnreachable):
        await world.client.companies()
    assert len(world.requests) == 2


async def test_a_new_connection_that_drops_is_not_tried_again() -> None:
    class Dropping(httpx.AsyncBaseTransport):
        requests = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.requests += 1
            await request.extensions["trace"]("connection.connect_tcp.started", {})
            raise httpx.ReadError("reset")

    transport = Dropping()
    world = World([])
    world.client._session.connection.http = new_http_client(transport=transport)
    with pytest.raises(RmmUnreachable):
        await world.client.companies()
    assert transport.requests == 1


async def test_a_write_on_a_dead_connection_is_not_sent_again() -> None:
    def drop(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("gone")

    world = World(drop)
    with pytest.raises(RmmUnreachable):
        await world.client.put_custom_fields(DEVICE, [("a", "1")])
    assert len(world.requests) == 1


async def test_the_repeat_on_a_dead_connection_takes_from_the_budget_too() -> None:
    def drop(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("gone")

    world = World(drop)
    world.budget.left = 1
    with pytest.raises(QuotaExhausted):
        await world.client.companies()


async def test_a_429_in_plain_text_corrects_the_budget_for_everybody() -> None:
    world = World([httpx.Response(429, text="Too Many Requests", headers={"Retry-After": "17"})])
    with pytest.raises(RateLimited) as caught:
        await world.client.companies()
    assert caught.value.retry_after == timedelta(seconds=17)
    (reading,) = world.budget.readings
    assert (reading.refused, reading.wait) == (True, timedelta(seconds=17))


async def test_a_429_without_any_header_has_no_wait_of_its_own() -> None:
    world = World([httpx.Response(429, text="Too Many Requests")])
    with pytest.raises(RateLimited) as caught:
        await world.client.companies()
    assert caught.value.retry_after is None
    assert world.budget.readings[0].refused


async def test_rate_headers_of_a_success_reach_the_budget_and_bogus_ones_do_not() -> None:
    good = httpx.Response(200, json=[], headers={"Limit": "500", "Remaining": "7"})
    bogus = httpx.Response(200, json=[], headers={"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0"})
    world = World([good, bogus])
    await world.client.companies()
    await world.client.companies()
    assert [reading.remaining for reading in world.budget.readings] == [7]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
async def test_a_server_error_is_transient_with_the_vendors_wish(status: int) -> None:
    world = World([httpx.Response(status, headers={"Retry-After": "3"})])
    with pytest.raises(RmmServerError) as caught:
        await world.client.companies()
    assert (caught.value.status, caught.value.retry_after) == (status, timedelta(seconds=3))
    assert len(world.requests) == 1


async def test_a_403_to_a_read_says_what_right_is_missing() -> None:
    with pytest.raises(ScopeMissing, match="client has no access"):
        await World([refused(403, "client has no access")]).client.companies()


async def test_no_cookie_of_one_tenant_travels_with_another() -> None:
    world = World(lambda _: httpx.Response(200, json=[], headers={"Set-Cookie": "tenant=canary; Path=/"}))
    await world.client.companies()
    await world.client.companies()
    assert all("cookie" not in request.headers for request in world.requests)


async def test_the_pool_reads_no_environment_and_follows_nothing() -> None:
    http = new_http_client()
    assert http.trust_env is False
    assert http.follow_redirects is False
    await http.aclose()


async def test_a_base_url_that_is_none_is_refused_at_once() -> None:
    http = new_http_client()
    with pytest.raises(ValueError, match="must be like"):
        Connection(http, "rmm.test", FakeBudget())
    await http.aclose()


async def test_a_path_in_the_base_url_is_kept() -> None:
    world = World([ok([])])
    world.client._session.connection.base_url = f"{BASE}/proxy"
    await world.client.companies()
    assert world.seen == ["GET /proxy/api/platform/v1/company/companies"]
