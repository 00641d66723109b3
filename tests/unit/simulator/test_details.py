"""Rows 5, 6 and 12: device details, and the PATCH of the two native dates."""

from typing import Any

import pytest

from tests.unit.simulator.conftest import MakeTenant
from tests.unit.simulator.tenant import ALL_FIELDS, V1, V2, Tenant

DATES = {"purchaseDate": "2024-03-01", "warrantyExpirationDate": "2027-03-01"}


async def test_the_v2_detail_has_its_own_values_under_the_category(tenant: Tenant) -> None:
    facts = tenant.fleet.device(3)
    body = (await tenant.client.get(tenant.detail_path(3), params={"field": ALL_FIELDS})).json()
    assert (body["endpointID"], body["companyID"], body["siteID"]) == (facts.id, facts.company_id, facts.site_id)
    assert body[facts.category]["deviceName"] == facts.name
    assert {"system", "os", "bios", "baseboard", "processors", "drives", "networks"} <= body.keys()
    assert "purchaseDate" not in body


async def test_the_v2_detail_is_minimal_without_a_field_list(tenant: Tenant) -> None:
    body = (await tenant.client.get(tenant.detail_path(3))).json()
    assert {"system", "os"} <= body.keys()
    assert "bios" not in body


async def test_a_wrong_site_is_a_404(tenant: Tenant) -> None:
    facts = tenant.fleet.device(3)
    other = next(site for site in tenant.fleet.sites if site.id != facts.site_id)
    path = f"{V2}/device/companies/{facts.company_id}/sites/{other.id}/endpoints/{facts.id}"
    answer = await tenant.client.get(path)
    assert answer.json() == {"error": "not found", "description": "resource not found"}


async def test_ids_in_upper_case_find_the_same_device(tenant: Tenant) -> None:
    path = tenant.detail_path(3).replace(tenant.fleet.device(3).id, tenant.fleet.device(3).id.upper())
    assert (await tenant.client.get(path)).json() == (await tenant.client.get(tenant.detail_path(3))).json()


async def test_the_v1_detail_is_flat_and_spells_base_board_its_own_way(tenant: Tenant) -> None:
    facts = tenant.fleet.device(3)
    body = (await tenant.client.get(tenant.detail_path(3, 1))).json()
    assert (body["clientID"], body["friendlyName"]) == (facts.company_id, facts.name)
    assert "baseBoard" in body
    assert "baseboard" not in body
    assert (await tenant.client.get(f"{V1}/device/endpoints/nobody")).status_code == 404


async def test_sections_can_be_kept_from_details(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(missing_details=("processors", "physicalMemory"))
    body = (await tenant.client.get(tenant.detail_path(3), params={"field": ALL_FIELDS})).json()
    assert "drives" in body
    assert "processors" not in body


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_patch_is_off_by_default(make_tenant: MakeTenant, status: int) -> None:
    tenant = await make_tenant(patch_off_status=status)
    assert (await tenant.patch(3, DATES)).status_code == status


@pytest.mark.parametrize("version", [1, 2])
async def test_a_patch_is_shown_by_both_details(make_tenant: MakeTenant, version: int) -> None:
    tenant = await make_tenant(patch_mode="on")
    answer = await tenant.patch(3, DATES, version)
    assert answer.status_code == 200
    assert DATES.items() <= answer.json().items()
    for path in (tenant.detail_path(3, 1), tenant.detail_path(3, 2)):
        assert DATES.items() <= (await tenant.client.get(path)).json().items()


async def test_null_clears_and_an_absent_member_stays(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(patch_mode="on", patch_status=204)
    assert (await tenant.patch(3, DATES)).status_code == 204
    await tenant.patch(3, {"purchaseDate": None})
    body = (await tenant.client.get(tenant.detail_path(3))).json()
    assert (body["purchaseDate"], body["warrantyExpirationDate"]) == (None, "2027-03-01")


@pytest.mark.parametrize("body", [{"friendlyName": "x"}, {"purchaseDate": "soon"}, {"purchaseDate": 5}, [], "x"])
async def test_an_unknown_member_or_a_bad_date_is_a_400(make_tenant: MakeTenant, body: Any) -> None:
    tenant = await make_tenant(patch_mode="on")
    assert (await tenant.patch(3, body)).status_code == 400


async def test_the_content_type_must_be_merge_patch(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(patch_mode="on")
    assert (await tenant.client.patch(tenant.detail_path(3), json=DATES)).status_code == 415


async def test_patch_can_be_forbidden_or_accepted_without_effect(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(patch_mode="forbidden")
    assert (await tenant.patch(3, DATES)).status_code == 403
    await tenant.control("PATCH", "config", {"patch_mode": "unchanged"})
    answer = await tenant.patch(3, DATES)
    assert (answer.status_code, answer.json()["purchaseDate"]) == (200, None)


async def test_a_key_without_the_write_scope_cannot_patch(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(patch_mode="on")
    await tenant.sign_in("platform.devices.read")
    assert (await tenant.patch(3, DATES)).status_code == 403


async def test_member_names_and_paths_are_settings(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(patch_mode="on", purchase_member="boughtOn", patch_paths="v2")
    assert (await tenant.patch(3, {"boughtOn": "2024-03-01"})).json()["boughtOn"] == "2024-03-01"
    assert (await tenant.patch(3, {"purchaseDate": "2024-03-01"})).status_code == 400
    assert (await tenant.patch(3, {"boughtOn": None}, 1)).status_code == 405


async def test_a_written_date_can_become_visible_later(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(patch_mode="on", visible_after_s=30)
    await tenant.patch(3, DATES)
    assert (await tenant.client.get(tenant.detail_path(3))).json()["purchaseDate"] is None
    tenant.now += 30
    assert (await tenant.client.get(tenant.detail_path(3))).json()["purchaseDate"] == "2024-03-01"
