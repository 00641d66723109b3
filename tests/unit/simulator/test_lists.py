"""Rows 2 to 4: companies, sites and device lists."""

import pytest

from simulator.wire import ConnectionDropped
from tests.unit.simulator.conftest import MakeTenant
from tests.unit.simulator.tenant import ALL_FIELDS, V1, V2, Tenant


async def test_companies_and_sites_are_bare_arrays(tenant: Tenant) -> None:
    companies = (await tenant.client.get(f"{V1}/company/companies")).json()
    assert [each["id"] for each in companies] == [each.id for each in tenant.fleet.companies]
    sites = (await tenant.client.get(f"{V1}/company/companies/{companies[0]['id']}/sites")).json()
    every_site = (await tenant.client.get(f"{V1}/company/sites")).json()
    assert len(every_site) == len(tenant.fleet.sites)
    assert sites == [each for each in every_site if each["company"]["id"] == companies[0]["id"]]
    assert (await tenant.client.get(f"{V1}/company/sites/{sites[0]['id']}")).json() == sites[0]
    assert (await tenant.client.get(f"{V1}/company/companies/{companies[1]['id']}")).json() == companies[1]


async def test_an_unknown_company_is_a_404_in_the_company_family(tenant: Tenant) -> None:
    answer = await tenant.client.get(f"{V1}/company/companies/nobody/sites")
    assert answer.status_code == 404
    assert answer.json()["error"][0]["code"] == "404"


async def test_companies_can_come_in_pages(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(companies_page=4)
    first = await tenant.client.get(f"{V1}/company/companies")
    second = await tenant.client.get(first.links["next"]["url"])
    assert len(first.json() + second.json()) == 6
    assert "next" not in second.links


@pytest.mark.parametrize("limit", [7, 50, 500])
async def test_paging_covers_each_device_exactly_once(tenant: Tenant, limit: int) -> None:
    found = await tenant.everything(limit=limit)
    ids = [each["endpointID"].lower() for each in found]
    assert sorted(ids) == sorted(facts.id for facts in tenant.fleet)
    assert len(ids) == len(set(ids))


async def test_the_list_shows_what_the_fleet_knows(tenant: Tenant) -> None:
    facts = {each.id: each for each in tenant.fleet}
    found = await tenant.everything(field=ALL_FIELDS, limit=500)
    for device in found:
        expected = facts[device["endpointID"].lower()]
        assert (device["companyID"], device["siteID"]) == (expected.company_id, expected.site_id)
        assert device["deviceName"] == expected.name
        assert device["createTimeUTC"] == "2027-01-15T08:00:00.000Z"
        if "system" in device:
            assert device["system"]["serialNumber"] == expected.serial_number
        if "networks" in device:
            assert tuple(each["macAddress"] for each in device["networks"]) == expected.mac_addresses
        if device.get("drives"):
            assert sum(each["sizeBytes"] for each in device["drives"]) == expected.storage_bytes
        assert not set(expected.missing_sections) & device.keys()


async def test_the_capture_time_moves_by_itself_even_for_a_cached_page(tenant: Tenant) -> None:
    company = max(tenant.fleet.companies, key=lambda each: each.stop - each.start).id
    before = (await tenant.page(company)).text
    tenant.now += 60
    after = (await tenant.page(company)).text
    assert before != after
    assert before.replace("T08:00:00", "T08:01:00") == after


async def test_categories_divide_the_fleet(tenant: Tenant) -> None:
    parts = {name: await tenant.everything(category=name) for name in ("platform", "network", "cloud")}
    assert {name: len(found) for name, found in parts.items()} == tenant.fleet.count()
    kinds = {each["type"] for each in parts["network"]}
    assert kinds <= {"switch", "firewall", "access_point", "printer", "nas"}


async def test_several_companies_share_a_page_and_their_groups_repeat_on_the_next(tenant: Tenant) -> None:
    ids = [company.id for company in tenant.fleet.companies[:4]]
    found = await tenant.sweep(*ids, limit=30)
    assert {each["companyID"] for each in found} == set(ids)
    assert len(found) == sum(company.stop - company.start for company in tenant.fleet.companies[:4])


async def test_sites_and_endpoints_can_be_asked_for(tenant: Tenant) -> None:
    facts = tenant.fleet.device(5)
    by_site = (await tenant.page(facts.site_id, kind="site", limit=500)).json()
    assert facts.id in str(by_site).lower()
    by_id = (await tenant.page(facts.id.upper(), kind="endpoint")).json()
    assert len(by_id[facts.category][0]["endpoints"]) == 1


async def test_get_with_a_body_works_too_and_each_method_can_be_switched_off(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant()
    company = tenant.fleet.companies[0].id
    assert (await tenant.page(company, method="GET")).json() == (await tenant.page(company)).json()
    await tenant.control("PATCH", "config", {"list_method": "get"})
    assert (await tenant.page(company)).status_code == 405
    assert (await tenant.page(company, method="GET")).status_code == 200
    await tenant.control("PATCH", "config", {"list_method": "post"})
    assert (await tenant.page(company, method="GET")).status_code == 405


@pytest.mark.parametrize("word", ["companies", "clients", "sites", "endpoints"])
async def test_a_plural_word_is_refused_by_name(tenant: Tenant, word: str) -> None:
    answer = await tenant.page(tenant.fleet.companies[0].id, kind=word)
    assert answer.status_code == 400
    assert word in answer.json()["description"]


@pytest.mark.parametrize("query", [{"limit": 501}, {"limit": 0}, {"limit": "many"}, {"cursor": "abc"}, {"cursor": -1}])
async def test_a_bad_limit_or_cursor_is_a_400(tenant: Tenant, query: dict[str, object]) -> None:
    assert (await tenant.page(tenant.fleet.companies[0].id, **query)).status_code == 400


async def test_the_limit_is_fifty_unless_said_otherwise(tenant: Tenant) -> None:
    company = max(tenant.fleet.companies, key=lambda each: each.stop - each.start).id
    answer = await tenant.page(company)
    assert answer.text.count("endpointID") == 50
    assert answer.links["next"]["url"].startswith(f"http://rmm.test{V2}/device/categories/all/endpoints?")


async def test_more_than_four_resources_are_refused_and_more_than_one_can_be(tenant: Tenant) -> None:
    ids = [company.id for company in tenant.fleet.companies[:5]]
    assert (await tenant.page(*ids)).status_code == 400
    assert (await tenant.page(*ids[:4])).status_code == 200
    await tenant.control("PATCH", "config", {"max_resources": 1})
    assert (await tenant.page(*ids[:2])).status_code == 400
    assert (await tenant.page(ids[0])).status_code == 200


async def test_nothing_and_past_the_end_are_404(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(companies=20)
    empty = tenant.fleet.companies[19]
    assert empty.start == empty.stop
    body = {"error": "not found", "description": "resource not found"}
    assert (await tenant.page(empty.id)).json() == body
    assert (await tenant.page(tenant.fleet.companies[0].id, cursor=100_000)).json() == body
    assert (await tenant.client.get(f"{V1}/device/clients/{empty.id}/endpoints")).status_code == 404


async def test_groups_can_lack_the_site(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(list_has_site=False)
    found = await tenant.everything(limit=500)
    assert {each["siteID"] for each in found} == {None}
    assert len(found) == 400


async def test_a_field_list_can_be_refused(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(refused_fields=("processors",))
    company = tenant.fleet.companies[0].id
    assert "processors" in (await tenant.page(company, field="os,processors")).json()["description"]
    assert (await tenant.page(company, field="os,system")).status_code == 200
    await tenant.control("PATCH", "config", {"refused_fields": ["*"]})
    assert (await tenant.page(company, field="os")).status_code == 400
    assert (await tenant.page(company)).status_code == 200


async def test_only_the_asked_sections_are_shown(tenant: Tenant) -> None:
    found = await tenant.everything(field="bios", category="platform")
    assert all("os" not in each and "networks" not in each for each in found)
    assert any("bios" in each for each in found)


async def test_v1_lists_are_whole(tenant: Tenant) -> None:
    everything = (await tenant.client.get(f"{V1}/device/endpoints")).json()["endpoints"]
    assert sorted(each["endpointId"].lower() for each in everything) == sorted(facts.id for facts in tenant.fleet)
    facts = tenant.fleet.device(0)
    path = f"{V1}/device/clients/{facts.company_id}/sites/{facts.site_id}/endpoints"
    site = (await tenant.client.get(path)).json()["endpoints"]
    assert {(each["clientId"], each["siteId"]) for each in site} == {(facts.company_id, facts.site_id)}


async def test_the_heartbeat_wants_the_plural(tenant: Tenant) -> None:
    path, company = f"{V2}/device/endpoints/heartbeat", tenant.fleet.companies[0].id
    assert (await tenant.client.get(path, params={"resourceType": "company", "resources": company})).status_code == 400
    answer = await tenant.client.get(path, params={"resourceType": "companies", "resources": company})
    assert answer.json()["successfulRecords"][0]["companyID"] == company


async def test_list_faults(tenant: Tenant) -> None:
    company = max(tenant.fleet.companies, key=lambda each: each.stop - each.start)
    await tenant.fault({"path": "/categories/", "times": 1}, {"empty": True})
    assert (await tenant.page(company.id)).json() == {"platform": []}
    await tenant.fault({"cursor": 50, "times": 1}, {"cursor_loop": True})
    assert "cursor=50" in (await tenant.page(company.id, cursor=50)).links["next"]["url"]
    await tenant.fault({"cursor": 50, "times": 1}, {"duplicate": 3})
    first, second = await tenant.page(company.id), await tenant.page(company.id, cursor=50)
    shown = [[d["endpointID"] for g in page.json()["platform"] for d in g["endpoints"]] for page in (first, second)]
    assert second.text.count("endpointID") == 53
    assert len(set(shown[0]) & set(shown[1])) == 3


@pytest.mark.parametrize("way", ["earlier", "later"])
async def test_a_shifted_page_loses_a_device_and_shows_another_twice_or_just_loses_one(
    tenant: Tenant, way: str
) -> None:
    company = max(tenant.fleet.companies, key=lambda each: each.stop - each.start)
    await tenant.fault({"cursor_min": 1, "times": 1}, {"page_shift": way})
    ids = [each["endpointID"] for each in await tenant.sweep(company.id)]
    assert len(ids) == company.stop - company.start
    assert len(set(ids)) == len(ids) - 1
    after = [each["endpointID"] for each in await tenant.sweep(company.id)]
    assert len(set(after)) == len(after) == company.stop - company.start


async def test_a_dropped_connection_can_come_before_or_after_the_work(tenant: Tenant) -> None:
    path = f"{V1}/custom-field/definitions"
    body = {"entityType": "endpoint", "name": "Dropped", "attributeType": "string"}
    for when in ("before", "after"):
        await tenant.fault({"method": "POST", "times": 1}, {"drop": when})
        with pytest.raises(ConnectionDropped):
            await tenant.client.post(path, json=body)
        assert (tenant.sim.records.named("Dropped") is not None) == (when == "after")
        await tenant.control("DELETE", "faults")
