"""Row 1: tokens and the life of a key."""

import httpx

from tests.unit.simulator.conftest import MakeTenant
from tests.unit.simulator.tenant import V1, Tenant

COMPANIES = f"{V1}/company/companies"


async def test_a_token_has_the_documented_members(tenant: Tenant) -> None:
    body = (await tenant.sign_in("platform.sites.read platform.companies.read")).json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3599
    assert set(body["scope"].split()) == {"platform.companies.read", "platform.sites.read"}


async def test_the_client_id_tells_the_region(tenant: Tenant) -> None:
    assert tenant.sim.keys.keys["first"].client_id.startswith("0e30")


async def test_a_wrong_secret_is_an_invalid_client(tenant: Tenant) -> None:
    answer = await tenant.sign_in(client_secret="wrong")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_scope_that_the_key_lacks_is_refused(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(scopes=("platform.companies.read",))
    answer = await tenant.sign_in("platform.companies.read platform.devices.write")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_a_form_is_refused_because_the_vendor_wants_json(tenant: Tenant) -> None:
    answer = await tenant.client.post("/v1/token", data={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_minting_too_often_locks_the_key_for_the_window(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(mint_limit=3, token_ttl_s=100)
    assert [(await tenant.sign_in()).status_code for _ in range(3)] == [200, 200, 423]
    tenant.now += 101  # no token lives any more
    assert (await tenant.sign_in()).status_code == 200
    tenant.now += 300
    assert (await tenant.sign_in()).status_code == 200


async def test_a_token_expires(tenant: Tenant) -> None:
    assert (await tenant.client.get(COMPANIES)).status_code == 200
    tenant.now += 3600
    answer = await tenant.client.get(COMPANIES)
    assert (answer.status_code, "error" in answer.json()) == (401, True)


async def test_regenerating_kills_the_old_pair_and_its_tokens(tenant: Tenant) -> None:
    old = tenant.sim.keys.keys["first"].client_id
    new = await tenant.control("POST", "keys/first/regenerate")
    assert new["client_id"] != old
    assert (await tenant.client.get(COMPANIES)).status_code == 401
    assert (await tenant.sign_in(client_id=old)).status_code == 401
    assert (await tenant.sign_in()).status_code == 200


async def test_tokens_can_outlive_a_regenerated_key(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(tokens_die_with_key=False)
    await tenant.control("POST", "keys/first/regenerate")
    assert (await tenant.client.get(COMPANIES)).status_code == 200


async def test_a_disabled_key_is_dead_until_it_is_enabled(tenant: Tenant) -> None:
    await tenant.control("POST", "keys/first/disable")
    assert (await tenant.client.get(COMPANIES)).status_code == 401
    assert (await tenant.sign_in()).status_code == 401
    await tenant.control("POST", "keys/first/enable")
    assert (await tenant.sign_in()).status_code == 200


async def test_a_token_without_the_scope_is_forbidden(tenant: Tenant) -> None:
    await tenant.sign_in("platform.agent-token.read")
    assert (await tenant.client.get(COMPANIES)).status_code == 403


async def test_keys_can_be_made_and_narrowed(tenant: Tenant) -> None:
    made = await tenant.control("POST", "keys", {"name": "reader", "scopes": ["platform.companies.read"]})
    assert made["scopes"] == ["platform.companies.read"]
    await tenant.control("POST", "keys/first/scopes", {"scopes": ["platform.sites.read"]})
    assert (await tenant.sign_in("platform.companies.read")).status_code == 400
    assert len(await tenant.control("GET", "keys")) == 2


async def test_without_a_token_there_is_nothing(tenant: Tenant) -> None:
    tenant.client.headers.pop("authorization")
    answer = await tenant.client.get(COMPANIES)
    assert (answer.status_code, isinstance(answer.json()["error"], list)) == (401, True)
    assert (await tenant.client.get("/v1/rate_limits")).status_code == httpx.codes.UNAUTHORIZED
