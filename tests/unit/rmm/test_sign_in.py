"""Signing in, and what a 401 leads to."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from shared.errors import (
    CredentialsRejected,
    Locked,
    PipelineError,
    QuotaExhausted,
    RateLimited,
    RmmAnswerUnreadable,
    RmmServerError,
    RmmUnreachable,
    ScopeMissing,
)
from shared.rmm.rates import Priority
from shared.rmm.scopes import READ_SCOPES, ScopeSet
from shared.rmm.token import MintedToken, mint
from tests.unit.rmm.world import INTEGRATION, World, html, ok, refused

SECRET = "canary-secret-value"
TOKEN = {"access_token": "canary-token", "scope": " ".join(READ_SCOPES), "token_type": "Bearer", "expires_in": 3599}


async def sign_in(world: World) -> MintedToken:
    return await mint(
        world.connection(),
        client_id="0e30abc",
        client_secret=SecretStr(SECRET),
        scopes=READ_SCOPES,
        integration_id=INTEGRATION,
    )


async def failure(*answers: httpx.Response) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        await sign_in(World(answers))
    assert SECRET not in str(caught.value)
    assert "canary-token" not in str(caught.value)
    return caught.value


async def test_a_sign_in_is_json_with_the_scopes_in_one_text() -> None:
    world = World([ok(TOKEN)])
    minted = await sign_in(world)
    assert world.seen == ["POST /v1/token"]
    assert world.requests[0].headers["content-type"] == "application/json"
    assert "authorization" not in world.requests[0].headers
    assert world.sent() == {
        "grant_type": "client_credentials",
        "client_id": "0e30abc",
        "client_secret": SECRET,
        "scope": " ".join(READ_SCOPES),
    }
    assert minted.access_token.get_secret_value() == "canary-token"
    assert minted.renew_after == timedelta(seconds=3599) * 0.8
    assert minted.missing(READ_SCOPES) == ()
    assert "canary" not in repr(minted)
    assert world.budget.taken == [Priority.WRITE]


async def test_the_other_spelling_of_the_token_is_taken_too() -> None:
    minted = await sign_in(World([ok({"Access_Token": "canary-token"})]))
    assert minted.access_token.get_secret_value() == "canary-token"
    assert minted.scope == ""


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("3599", 3599), (120.0, 120), (None, 600), ("soon", 600), (0, 600), (-5, 600), (True, 600), (10**15, 86400)],
)
async def test_any_life_of_a_token_is_read_sensibly(said: object, seconds: int) -> None:
    minted = await sign_in(World([ok(TOKEN | {"expires_in": said})]))
    assert minted.expires_in == timedelta(seconds=seconds)


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_rejected_key_pauses_the_integration(status: int) -> None:
    error = await failure(httpx.Response(status, json={"error": "invalid_client", "error_description": f"no {SECRET}"}))
    assert isinstance(error, CredentialsRejected)
    assert error.integration_id == INTEGRATION
    assert "invalid_client" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_an_empty_rejection_is_one_too(status: int) -> None:
    assert isinstance(await failure(httpx.Response(status)), CredentialsRejected)


async def test_scopes_that_the_key_lacks_are_named_where_the_vendor_names_them() -> None:
    words = "scope platform.asset.read, platform.devices.read. not allowed"
    error = await failure(httpx.Response(400, json={"error": "invalid_scope", "error_description": words}))
    assert isinstance(error, ScopeMissing)
    assert error.missing == ("platform.devices.read", "platform.asset.read")


async def test_a_missing_scope_without_a_name_lists_what_was_asked_for() -> None:
    error = await failure(httpx.Response(400, json={"error": "invalid_scope"}))
    assert isinstance(error, ScopeMissing)
    assert error.missing == ()
    assert "platform.devices.read" in str(error)


async def test_423_waits_minutes_and_is_no_attempt() -> None:
    error = await failure(refused(423))
    assert isinstance(error, Locked)
    assert error.retry_after == timedelta(minutes=5)
    assert not error.counts_as_attempt


async def test_the_quota_covers_signing_in() -> None:
    world = World([httpx.Response(429, text="Too Many Requests", headers={"Retry-After": "9"})])
    with pytest.raises(RateLimited) as caught:
        await sign_in(world)
    assert caught.value.retry_after == timedelta(seconds=9)
    assert world.budget.readings[0].refused
    world.budget.left = 0
    with pytest.raises(QuotaExhausted):
        await sign_in(world)
    assert len(world.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(503), RmmServerError),
        (httpx.Response(404, text="404 page not found"), RmmAnswerUnreadable),
        (html(403), RmmAnswerUnreadable),
        (html(200), RmmAnswerUnreadable),
        (httpx.Response(302, headers={"Location": "https://elsewhere.test"}), RmmAnswerUnreadable),
        (httpx.Response(200, content=b'{"access_token":"canary-tok'), RmmAnswerUnreadable),
        (ok([TOKEN]), RmmAnswerUnreadable),
        (ok({}), RmmAnswerUnreadable),
        (ok({"access_token": 5}), RmmAnswerUnreadable),
        (ok({"access_token": "canary-token\r\nX-Evil: 1"}), RmmAnswerUnreadable),
        (ok({"access_token": "a" * 20_000}), RmmAnswerUnreadable),
    ],
)
async def test_an_odd_answer_to_a_sign_in_pauses_nothing(answer: httpx.Response, kind: type[PipelineError]) -> None:
    assert isinstance(await failure(answer), kind)


async def test_a_sign_in_is_never_repeated_when_the_connection_drops() -> None:
    def drop(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")

    world = World(drop)
    with pytest.raises(RmmUnreachable):
        await sign_in(world)
    assert len(world.requests) == 1


# With a token


def expired(request: httpx.Request) -> httpx.Response:
    good = request.headers["authorization"] == "Bearer token-2"
    return ok([]) if good else refused(401, "The access token provided is expired", "unauthorized request")


async def test_a_401_gets_another_token_once_and_asks_once_more() -> None:
    world = World(expired)
    assert await world.client.companies() == []
    assert world.tokens.asked == [(ScopeSet.READ, None), (ScopeSet.READ, "token-1")]
    assert world.budget.taken == [Priority.LIST, Priority.LIST]


async def test_a_second_401_is_real() -> None:
    world = World(lambda _: refused(401, "revoked"))
    with pytest.raises(CredentialsRejected, match="revoked"):
        await world.client.companies()
    assert len(world.requests) == 2


async def test_the_repeat_after_a_401_takes_from_the_budget_too() -> None:
    world = World(expired)
    world.budget.left = 1
    with pytest.raises(QuotaExhausted) as caught:
        await world.client.companies()
    assert caught.value.wait == timedelta(seconds=42)
    assert len(world.requests) == 1


async def test_a_proxys_401_page_does_not_pause_the_integration() -> None:
    with pytest.raises(RmmAnswerUnreadable):
        await World(lambda _: html(401)).client.companies()


async def test_writes_use_the_token_of_the_write_scopes() -> None:
    world = World([httpx.Response(204), ok([])])
    await world.client.put_custom_fields("e", [("a", "1")])
    await world.client.custom_field_values("e", priority=Priority.WRITE)
    assert [scope_set for scope_set, _ in world.tokens.asked] == [ScopeSet.WRITE, ScopeSet.DATES]
    assert world.budget.taken == [Priority.WRITE, Priority.WRITE]


async def test_no_error_shows_the_token() -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        return refused(400, f"bad token {request.headers['authorization'].split()[1]}")

    with pytest.raises(PipelineError) as caught:
        await World(echo).client.companies()
    assert "token-1" not in str(caught.value)


def test_a_token_is_kept_out_of_a_repr() -> None:
    made: Any = MintedToken(SecretStr("canary-token"), "", timedelta(1))
    assert "canary" not in f"{made!r}{made}"
