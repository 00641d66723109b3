"""Tokens on a real store and against a simulated RMM: minted once for everybody, sealed, and never the refused one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from shared.errors import CredentialsRejected, IntegrationInactive, Locked, UnknownIntegration
from shared.integrations.reading import read_integration
from shared.postgres import Pool, open_pool
from shared.rmm.connection import Connection, new_http_client
from shared.rmm.scopes import ScopeSet
from shared.rmm_access.budget import PostgresBudget
from shared.rmm_access.opening import RmmAccess
from shared.rmm_access.rules import BudgetRules
from shared.rmm_access.tokens import PostgresTokens, TokenCache
from shared.secrets import PrivateKeyRing, SealInfo
from shared.settings import RmmSettings
from tests.conftest import MakeRmm
from tests.support.desk import Desk
from tests.support.keys import Keys
from tests.support.rmm import TOKEN, Rmm
from tests.support.stage import Stage

READ = ScopeSet.READ


@dataclass
class Process:
    """What one process of a service has: a pool, an HTTP client and a cache."""

    pool: Pool
    http: httpx.AsyncClient
    cache: TokenCache
    url: str
    keys: PrivateKeyRing

    async def tokens(self, integration_id: UUID) -> PostgresTokens:
        """The tokens as a handler gets them, which has just read the integration."""
        integration = await read_integration(self.pool, integration_id)
        budget = PostgresBudget(self.pool, integration_id, BudgetRules(10_000, timedelta(minutes=5), 0))
        return PostgresTokens(self.pool, self.cache, self.keys, integration, Connection(self.http, self.url, budget))

    async def get(self, integration_id: UUID, not_this: str | None = None, scope_set: ScopeSet = READ) -> str:
        return await (await self.tokens(integration_id)).get(scope_set, not_this=not_this)


@dataclass
class Scene:
    """A simulated RMM, an integration with its key, and two processes that share nothing but the store."""

    stage: Stage
    rmm: Rmm
    desk: Desk
    integration_id: UUID
    processes: list[Process]

    async def sign_ins(self) -> int:
        return sum(each["status"] == 200 for each in await self.rmm.requests("token"))

    async def row(self) -> dict[str, object]:
        row = await self.desk.row("select * from rmm_tokens")
        assert row is not None
        return dict(row)


@pytest.fixture
async def scene(stage: Stage, simulator: MakeRmm) -> AsyncIterator[Scene]:
    rmm = await simulator(devices=20, companies=2)
    desk = Desk(stage)
    added = await desk.add_integration(rmm)
    async with AsyncExitStack() as stack:
        processes = []
        for name in ("one", "two"):
            pool = await open_pool(stage.database_url, service=name)
            stack.push_async_callback(pool.close)
            http = await stack.enter_async_context(new_http_client())
            processes.append(Process(pool, http, TokenCache(), rmm.url, stage.keys.private))
        yield Scene(stage, rmm, desk, added.id, processes)


async def test_takers_of_two_processes_at_once_cost_one_sign_in(scene: Scene) -> None:
    got = await asyncio.gather(*(process.get(scene.integration_id) for process in scene.processes for _ in range(10)))
    assert len(set(got)) == 1
    assert TOKEN.fullmatch(got[0])
    assert await scene.sign_ins() == 1


async def test_a_token_is_used_as_long_as_it_lives(scene: Scene) -> None:
    one, two = scene.processes
    first = await one.get(scene.integration_id)
    assert await two.get(scene.integration_id) == first
    assert await one.get(scene.integration_id) == first
    assert await scene.sign_ins() == 1


async def test_a_token_is_sealed_in_its_row_and_opens_nowhere_else(scene: Scene) -> None:
    token = await scene.processes[0].get(scene.integration_id)
    row = await scene.row()
    sealed = str(row["token_sealed"])
    assert sealed.startswith("hpke1.")
    assert token not in str(row)
    info = SealInfo(scene.stage.account_id, scene.integration_id, f"token.{READ.value}")
    assert scene.stage.keys.private.open(sealed, info=info).get_secret_value() == token


async def test_a_refused_token_is_replaced_by_one_that_somebody_minted_meanwhile(scene: Scene) -> None:
    """A 401 in many handlers of two processes at once: one sign-in."""
    one, two = scene.processes
    dead = await one.get(scene.integration_id)
    await two.get(scene.integration_id)
    got = await asyncio.gather(
        *(process.get(scene.integration_id, dead) for process in scene.processes for _ in range(10))
    )
    assert len(set(got)) == 1
    assert got[0] != dead
    assert await scene.sign_ins() == 2
    assert await one.get(scene.integration_id) == await two.get(scene.integration_id) == got[0]


async def test_a_token_ends_in_the_store_before_it_ends_at_the_rmm(scene: Scene) -> None:
    await scene.processes[0].get(scene.integration_id)
    seconds = await scene.desk.value("select extract(epoch from expires_at - minted_at) from rmm_tokens")
    assert float(seconds) == pytest.approx(3599 * 0.8, abs=1)


async def test_an_old_token_is_not_taken_from_the_store(scene: Scene) -> None:
    one, two = scene.processes
    first = await one.get(scene.integration_id)
    await scene.desk.execute("update rmm_tokens set expires_at = clock_timestamp()")
    assert await two.get(scene.integration_id) != first
    assert await scene.sign_ins() == 2


async def test_scope_sets_have_tokens_of_their_own(scene: Scene) -> None:
    one = scene.processes[0]
    got = {await one.get(scene.integration_id, scope_set=scope_set) for scope_set in ScopeSet}
    assert len(got) == len(ScopeSet)
    assert await scene.sign_ins() == len(ScopeSet)


async def test_a_token_of_replaced_credentials_is_not_used(scene: Scene) -> None:
    one, two = scene.processes
    old = await one.get(scene.integration_id)
    await scene.rmm.regenerate()
    await scene.desk.replace_credentials(scene.integration_id, scene.rmm)
    new = await one.get(scene.integration_id)
    assert new != old
    assert await two.get(scene.integration_id) == new
    assert (await scene.row())["credentials_version"] == 2
    assert await scene.sign_ins() == 2


async def test_a_handler_that_still_has_the_old_credentials_does_not_spoil_the_new_token(scene: Scene) -> None:
    """It has read the integration before the pair was replaced; the old key still signs in for it."""
    one, two = scene.processes
    behind = await one.tokens(scene.integration_id)
    await scene.desk.replace_credentials(scene.integration_id, scene.rmm)
    new = await two.get(scene.integration_id)
    await behind.get(READ, not_this=None)
    assert await two.get(scene.integration_id) == new
    assert (await scene.row())["credentials_version"] == 2


async def test_a_token_that_was_sealed_to_a_key_that_is_gone_is_minted_anew(scene: Scene) -> None:
    """As after a change of keys: the credentials were sealed again, the token was not."""
    await scene.processes[0].get(scene.integration_id)
    other = Keys.new()
    info = SealInfo(scene.stage.account_id, scene.integration_id, f"token.{READ.value}")
    await scene.desk.execute("update rmm_tokens set token_sealed = $1", other.public.seal("x", info=info))
    assert TOKEN.fullmatch(await scene.processes[1].get(scene.integration_id))
    assert await scene.sign_ins() == 2


async def test_a_key_that_is_rejected_stores_nothing_and_the_next_try_signs_in_again(scene: Scene) -> None:
    await scene.rmm.regenerate()
    for _ in range(2):
        with pytest.raises(CredentialsRejected) as caught:
            await scene.processes[0].get(scene.integration_id)
        assert not any(secret in str(caught.value) for secret in scene.rmm.secrets)
    assert await scene.desk.value("select count(*) from rmm_tokens") == 0
    await scene.desk.replace_credentials(scene.integration_id, scene.rmm)
    assert TOKEN.fullmatch(await scene.processes[0].get(scene.integration_id))


async def test_a_locked_key_is_said_and_not_hammered(scene: Scene) -> None:
    fault = await scene.rmm.fault({"path": "token"}, status=423)
    with pytest.raises(Locked):
        await scene.processes[0].get(scene.integration_id)
    assert await scene.rmm.fired(fault) == 1


# -- through the client --------------------------------------------------------------------------------------------


def access(scene: Scene, process: Process) -> RmmAccess:
    settings = RmmSettings(
        amqp_url=scene.stage.amqp_url,  # type: ignore[arg-type]
        database_url=scene.stage.database_url,  # type: ignore[arg-type]
        secret_keys=scene.stage.keys.private_text,
        rmm_base_url=scene.rmm.url,
    )
    return RmmAccess(process.pool, process.http, settings)


async def companies(opened: RmmAccess, integration_id: UUID) -> int:
    async with opened.line(integration_id) as line:
        return len(await line.client.companies())


async def test_tokens_that_died_cost_one_sign_in_however_many_calls_they_fail(scene: Scene) -> None:
    opened = [access(scene, process) for process in scene.processes]
    assert await companies(opened[0], scene.integration_id) == 2
    await companies(opened[1], scene.integration_id)
    await scene.rmm.end_tokens()
    found = await asyncio.gather(*(companies(each, scene.integration_id) for each in opened * 5))
    assert set(found) == {2}
    assert await scene.sign_ins() == 2


async def test_a_second_401_is_the_keys_and_not_tried_again(scene: Scene) -> None:
    opened = access(scene, scene.processes[0])
    await scene.rmm.fault({"path": "companies"}, status=401)
    with pytest.raises(CredentialsRejected) as caught:
        await companies(opened, scene.integration_id)
    assert caught.value.credentials_version == 1, "whoever pauses must know which credentials are meant"
    assert await scene.sign_ins() == 2
    assert sum(each["status"] == 401 for each in await scene.rmm.requests()) == 2


async def test_every_request_has_a_number_and_a_place_in_the_budget(scene: Scene) -> None:
    opened = access(scene, scene.processes[0])
    async with opened.line(scene.integration_id) as line:
        await line.client.companies()
        first = line.observed_seq
        await line.client.companies()
        assert line.observed_seq > first > 0
    assert await scene.desk.value("select count(*) from request_grants") == 3, "the sign-in is a request too"


@pytest.mark.parametrize("status", ["disabled", "paused_credentials"])
async def test_a_line_to_an_integration_that_stands_still_opens_for_a_probe_only(scene: Scene, status: str) -> None:
    await scene.desk.execute("update integrations set status = $1", status)
    opened = access(scene, scene.processes[0])
    with pytest.raises(IntegrationInactive):
        await companies(opened, scene.integration_id)
    async with opened.line(scene.integration_id, working=False) as line:
        assert len(await line.client.companies()) == 2


async def test_a_line_to_an_integration_that_nobody_knows_does_not_open(scene: Scene) -> None:
    with pytest.raises(UnknownIntegration):
        await companies(access(scene, scene.processes[0]), UUID(int=7))


async def test_what_was_learned_of_a_tenant_is_kept(scene: Scene) -> None:
    await scene.rmm.configure(list_method="get")
    opened = access(scene, scene.processes[0])
    async with opened.line(scene.integration_id) as line:
        ids = [company.company_id for company in await line.client.companies()]
        await line.client.device_page(ids, limit=5)
    learned = (await scene.desk.integration(scene.integration_id))["quirks"]
    assert learned
    async with opened.line(scene.integration_id) as line:
        before = await scene.rmm.request_count()
        await line.client.device_page(ids, limit=5)
        assert await scene.rmm.request_count() == before + 1, "the way that was refused is not tried again"
