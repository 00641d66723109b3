"""The control plane: what a person does in the RMM, what was seen, and the portal."""

from tests.unit.simulator.conftest import MakeTenant
from tests.unit.simulator.tenant import V1, V2, Tenant


async def test_it_needs_no_token_and_uses_no_quota(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(quota=1)
    tenant.client.headers.pop("authorization")
    for _ in range(3):
        assert (await tenant.control("GET", "stats"))["requests"] == 1


async def test_the_true_fleet_can_be_paged(tenant: Tenant) -> None:
    found = []
    cursor: int | None = 0
    while cursor is not None:
        page = await tenant.control("GET", f"devices?limit=150&cursor={cursor}")
        found += page["devices"]
        cursor = page["next"]
    assert [each["id"] for each in found] == [facts.id for facts in tenant.fleet]
    assert found[7]["serial_number"] == tenant.fleet.device(7).serial_number
    company = tenant.fleet.companies[0]
    one = await tenant.control("GET", f"devices?company={company.id}&category=platform&limit=1000&full=1")
    count = await tenant.control("GET", f"count?company={company.id}")
    assert len(one["devices"]) == count["platform"]
    assert (await tenant.control("GET", "count"))["devices"] == 400


async def test_a_person_edits_dates(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(patch_mode="on")
    device_id = tenant.fleet.device(3).id
    await tenant.control("PATCH", f"devices/{device_id}", {"purchase_date": "2024-03-01"})
    assert (await tenant.client.get(tenant.detail_path(3))).json()["purchaseDate"] == "2024-03-01"
    shown = await tenant.control("GET", f"devices/{device_id}")
    assert shown["custom_fields"]["Purchase Date"] == "2024-03-01T00:00:00Z"
    await tenant.control("PATCH", "devices/3", {"purchase_date": None, "custom_fields": {"Location": "Lab"}})
    writes = await tenant.control("GET", "writes?since=1")
    assert [(each["field"], each["before"], each["after"], each["via"]) for each in writes] == [
        ("purchase_date", "2024-03-01", None, "person"),
        ("Location", None, "Lab", "person"),
    ]


async def test_a_device_is_renamed_moved_removed_and_brought_back(tenant: Tenant) -> None:
    before, there = (
        tenant.fleet.device(3),
        next(company for company in reversed(tenant.fleet.companies) if company.start > 3),
    )
    name = 'Neu "Ω" 100%'
    await tenant.control("PATCH", "devices/3", {"name": name, "company_id": there.id})
    listed = {each["endpointID"].lower(): each for each in await tenant.everything()}
    assert len(listed) == 400
    moved = listed[before.id]
    assert (moved["companyID"], moved["deviceName"]) == (there.id, name)
    assert (await tenant.client.get(tenant.detail_path(3))).json()["companyID"] == there.id
    await tenant.control("PATCH", "devices/3", {"vanished": True})
    assert len(await tenant.everything()) == 399
    assert (await tenant.client.get(tenant.detail_path(3))).status_code == 404
    await tenant.control("PATCH", "devices/3", {"vanished": False, "site_id": before.site_id})
    again = {each["endpointID"].lower(): each for each in await tenant.everything()}
    assert again[before.id]["siteID"] == before.site_id


async def test_a_share_changes_vanishes_and_returns(tenant: Tenant) -> None:
    first = {each["endpointID"]: each["deviceName"] for each in await tenant.everything()}
    assert (await tenant.control("POST", "churn?share=0.05"))["changed"] == 20
    second = {each["endpointID"]: each["deviceName"] for each in await tenant.everything()}
    assert sum(first[device_id] != name for device_id, name in second.items()) == 20
    gone = (await tenant.control("POST", "vanish?share=0.1"))["ids"]
    left = {each["endpointID"].lower() for each in await tenant.everything(limit=33)}
    assert len(gone) == 40
    assert left == {device_id.lower() for device_id in first} - set(gone)
    assert (await tenant.control("GET", "count"))["devices"] == 360
    await tenant.control("POST", "return")
    assert len(await tenant.everything()) == 400


async def test_new_devices_appear(tenant: Tenant) -> None:
    company = tenant.fleet.companies[1]
    made = (await tenant.control("POST", "devices", {"count": 3, "company_id": company.id}))["ids"]
    listed = {each["endpointID"].lower(): each for each in await tenant.everything()}
    assert len(listed) == 403
    assert {listed[device_id]["companyID"] for device_id in made} == {company.id}


async def test_requests_are_remembered_with_what_they_asked_for(tenant: Tenant) -> None:
    company = tenant.fleet.companies[0].id
    seen = (await tenant.control("GET", "stats"))["requests"]
    tenant.client.headers["x-request-id"] = "req-1"
    await tenant.page(company, cursor=1, limit=2)
    (entry,) = await tenant.control("GET", f"requests?since={seen}")
    assert (entry["route"], entry["status"], entry["request_id"]) == ("device_list_v2", 200, "req-1")
    assert (entry["companies"], entry["cursor"], entry["devices"]) == ([company], 1, 2)


async def test_the_busiest_window_is_exact(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(quota=3)
    for _ in range(4):
        await tenant.client.get(f"{V1}/company/companies")
    tenant.now += 299
    await tenant.client.get(f"{V1}/company/companies")
    tenant.now += 2
    await tenant.client.get(f"{V1}/company/companies")
    stats = await tenant.control("GET", "stats")
    assert (stats["most_in_window"], stats["most_in_window_with_rejected"], stats["too_many_requests"]) == (3, 6, 3)
    assert stats["by_route"]["GET companies"] == {"200": 3, "429": 3}


async def test_switches_are_checked(tenant: Tenant) -> None:
    for body in ({"devices": 5}, {"nope": 1}, {"list_method": "put"}):
        assert (await tenant.client.patch("/_sim/config", json=body)).status_code == 400
    config = await tenant.control("PATCH", "config", {"latency_ms": 1})
    assert config["latency_ms"] == 1
    assert "client_secret" not in config
    assert (await tenant.client.get("/_sim/nothing")).status_code == 404


async def test_reset_goes_back_to_the_start(tenant: Tenant) -> None:
    await tenant.control("POST", "vanish?count=9")
    await tenant.control("PATCH", "config", {"patch_mode": "on"})
    await tenant.control("PATCH", "devices/3", {"purchase_date": "2024-03-01"})
    client_id = tenant.sim.keys.keys["first"].client_id
    await tenant.control("POST", "reset")
    assert tenant.sim.keys.keys["first"].client_id == client_id
    assert (await tenant.control("GET", "count"))["devices"] == 400
    assert (await tenant.control("GET", "devices/3"))["purchase_date"] is None
    assert (await tenant.control("GET", "config"))["patch_mode"] == "off"
    assert (await tenant.control("GET", "stats"))["requests"] == 0


async def test_the_portal_shows_and_changes_the_same_state(tenant: Tenant) -> None:
    page = (await tenant.client.get("/")).text
    assert tenant.sim.keys.keys["first"].client_id in page
    form = {"device": "3", "do": "save", "purchase_date": "2024-03-01", "warranty_expiration_date": ""}
    assert (await tenant.client.post("/portal/device", data=form)).status_code == 303
    assert (await tenant.control("GET", "devices/3"))["purchase_date"] == "2024-03-01"
    await tenant.client.post("/portal/device", data={"device": "3", "do": "vanish"})
    assert (await tenant.control("GET", "devices/3"))["vanished"]
    await tenant.client.post("/portal/key", data={"key": "first", "do": "off"})
    assert (await tenant.client.get(f"{V2}/anything")).status_code == 401
    await tenant.client.post("/portal/fault", data={"do": "slow"})
    assert "2000" in (await tenant.client.get("/")).text
    assert (await tenant.client.post("/portal/device", data={"device": "x", "do": "vanish"})).status_code == 400
    foreign = await tenant.client.post("/portal/return", headers={"origin": "http://elsewhere.test"})
    assert foreign.status_code == 403


async def test_names_are_escaped_in_the_portal(tenant: Tenant) -> None:
    await tenant.control("PATCH", "devices/0", {"name": "<script>alert(1)</script>"})
    assert "<script>" not in (await tenant.client.get("/")).text
