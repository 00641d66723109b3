"""Rows 7 to 10: definitions and values of custom fields."""

from typing import Any

import pytest

from tests.unit.simulator.conftest import MakeTenant
from tests.unit.simulator.tenant import V1, V2, Tenant

DEFINITIONS = f"{V1}/custom-field/definitions"


def path(tenant: Tenant, version: str = V2) -> str:
    return f"{version}/device/endpoints/{tenant.fleet.device(3).id}/custom-fields"


async def fields(tenant: Tenant) -> dict[str, str]:
    answer = await tenant.client.get(DEFINITIONS, params={"entityType": "device"})
    return {each["name"]: each["id"] for each in answer.json()}


async def put(tenant: Tenant, name: str, value: Any, version: str = V2) -> Any:
    attribute = (await fields(tenant))[name]
    return await tenant.client.put(path(tenant, version), json=[{"attributeId": attribute, "value": value}])


async def test_definitions_are_listed_for_either_word(tenant: Tenant) -> None:
    assert set(await fields(tenant)) == {"Purchase Date", "Warranty Expiration Date", "Location"}
    assert len((await tenant.client.get(DEFINITIONS, params={"entityType": "endpoint"})).json()) == 3
    assert (await tenant.client.get(DEFINITIONS, params={"entityType": "company"})).json() == []


async def test_a_definition_can_be_made_once(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(custom_fields=())
    body = {"entityType": "endpoint", "name": "Purchase Date", "attributeType": "datetime"}
    made = await tenant.client.post(DEFINITIONS, json=body)
    assert (made.status_code, made.json()["attributeType"]) == (201, "datetime")
    assert (await tenant.client.post(DEFINITIONS, json={**body, "name": "PURCHASE DATE"})).status_code == 409
    assert (await tenant.client.post(DEFINITIONS, json={**body, "attributeType": "date"})).status_code == 400
    await tenant.control("PATCH", "config", {"definitions_writable": False})
    assert (await tenant.client.post(DEFINITIONS, json={**body, "name": "Other"})).status_code == 403


async def test_values_are_written_and_read_in_both_spellings(tenant: Tenant) -> None:
    attribute = (await fields(tenant))["Location"]
    device_id = tenant.fleet.device(3).id
    body = [{"entityId": device_id, "attributeId": attribute, "value": "Büro"}]
    saved = await tenant.client.put(path(tenant), json=body)
    assert saved.json() == [{"attributeId": attribute, "name": "Location", "value": "Büro"}]
    assert "Büro".encode() in saved.content
    old = (await tenant.client.get(path(tenant, V1))).json()
    assert old == [{"attributeID": attribute, "value": "Büro"}]
    await tenant.client.put(path(tenant, V1), json=[{"attributeID": attribute, "value": "Lab"}])
    assert (await tenant.client.get(path(tenant))).json()[0]["value"] == "Lab"


async def test_unset_values_are_shown_only_with_defaults(tenant: Tenant) -> None:
    ids = await fields(tenant)
    assert (await tenant.client.get(path(tenant))).json() == []
    everything = (await tenant.client.get(path(tenant), params={"withDefaults": "true"})).json()
    assert {each["name"]: each["value"] for each in everything} == dict.fromkeys(ids)
    query = {"withDefaults": "true", "attributeIDs": ids["Location"]}
    assert [each["attributeId"] for each in (await tenant.client.get(path(tenant), params=query)).json()] == [
        ids["Location"]
    ]
    assert (await tenant.client.get(path(tenant), params={"attributeIDs": "nobody"})).status_code == 404


@pytest.mark.parametrize("body", [{}, [], ["x"], [{"attributeId": "nobody", "value": "x"}], {"nobody": "x"}])
async def test_other_shapes_are_refused(tenant: Tenant, body: Any) -> None:
    assert (await tenant.client.put(path(tenant), json=body)).status_code == 400


@pytest.mark.parametrize("value", ["soon", "2027-02-30", 5])
async def test_a_bad_date_is_refused_and_nothing_of_the_write_is_saved(tenant: Tenant, value: Any) -> None:
    ids = await fields(tenant)
    body = [
        {"attributeId": ids["Location"], "value": "Lab"},
        {"attributeId": ids["Purchase Date"], "value": value},
    ]
    assert (await tenant.client.put(path(tenant), json=body)).status_code == 400
    assert (await tenant.client.get(path(tenant))).json() == []


async def test_a_write_can_answer_204(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(values_put_status=204)
    answer = await put(tenant, "Purchase Date", "2024-03-01")
    assert (answer.status_code, answer.content) == (204, b"")


async def test_date_fields_and_native_dates_are_one_value(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(patch_mode="on")
    await put(tenant, "Purchase Date", "2024-03-01T00:00:00Z")
    assert (await tenant.client.get(tenant.detail_path(3))).json()["purchaseDate"] == "2024-03-01"
    await tenant.patch(3, {"purchaseDate": "2025-04-02"})
    assert (await tenant.client.get(path(tenant))).json()[0]["value"] == "2025-04-02T00:00:00Z"
    await put(tenant, "Purchase Date", "")
    assert (await tenant.client.get(path(tenant))).json() == []
    assert (await tenant.client.get(tenant.detail_path(3))).json()["purchaseDate"] is None


async def test_they_can_be_kept_apart(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(patch_mode="on", link_dates=False)
    await put(tenant, "Purchase Date", "2024-03-01")
    assert (await tenant.client.get(tenant.detail_path(3))).json()["purchaseDate"] is None


async def test_a_value_can_become_visible_later(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(visible_after_s=5)
    await put(tenant, "Location", "Lab")
    assert (await tenant.client.get(path(tenant))).json() == []
    tenant.now += 5
    assert (await tenant.client.get(path(tenant))).json()[0]["value"] == "Lab"


async def test_a_write_can_fail_after_it_was_saved(tenant: Tenant) -> None:
    await tenant.fault({"method": "PUT", "times": 1}, {"status": 503, "apply": True})
    assert (await put(tenant, "Location", "Lab")).status_code == 503
    assert (await tenant.client.get(path(tenant))).json()[0]["value"] == "Lab"


async def test_an_unknown_device_is_a_404(tenant: Tenant) -> None:
    assert (await tenant.client.get(f"{V2}/device/endpoints/nobody/custom-fields")).status_code == 404
