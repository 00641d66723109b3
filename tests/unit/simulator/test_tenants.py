"""Tenants beside the first: the key decides what is seen, and nothing of one shows in another."""

from tests.unit.simulator.conftest import MakeTenant
from tests.unit.simulator.tenant import Tenant

COMPANIES = "/api/platform/v1/company/companies"


async def sign_in_beside(tenant: Tenant, name: str) -> None:
    pair = tenant.app.tenants.beside[name].keys.keys["first"].pair()
    assert (await tenant.sign_in(**pair)).status_code == 200


async def test_each_key_sees_its_own_fleet_alone(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(tenants={"small": 100, "other": 60})
    first = {each["id"] for each in (await tenant.client.get(COMPANIES)).json()}
    assert len(await tenant.everything()) == 400
    await sign_in_beside(tenant, "small")
    small = [each["id"] for each in (await tenant.client.get(COMPANIES)).json()]
    assert sum([len(await tenant.sweep(company)) for company in small]) == 100
    assert await tenant.sweep(*list(first)[:4]) == []
    await sign_in_beside(tenant, "other")
    other = {each["id"] for each in (await tenant.client.get(COMPANIES)).json()}
    assert not first & set(small)
    assert not other & (first | set(small))


async def test_quota_and_record_are_each_tenants_own(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(tenants={"small": 100}, quota=2)
    assert (await tenant.client.get(COMPANIES)).status_code == 200
    assert (await tenant.client.get(COMPANIES)).status_code == 429
    await sign_in_beside(tenant, "small")
    assert (await tenant.client.get(COMPANIES)).status_code == 200
    assert len(await tenant.control("GET", "requests?tenant=small")) == 2
    assert len(await tenant.control("GET", "requests")) == 3


async def test_a_token_of_nobody_is_refused_as_ever(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(tenants={"small": 100})
    tenant.client.headers["authorization"] = "Bearer made-up"
    assert (await tenant.client.get(COMPANIES)).status_code == 401
