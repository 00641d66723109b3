"""Companies, sites, details, custom fields, PATCH and rate buckets."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shared.errors import (
    CursorLoop,
    DeviceGone,
    PipelineError,
    RmmAnswerUnreadable,
    RmmRefused,
    RmmServerError,
    ScopeMissing,
    WriteForbidden,
)
from shared.rmm.companies import Company, Site
from shared.rmm.custom_fields import FieldDefinition, FieldValue
from shared.rmm.quirks import Quirks
from shared.rmm.rates import Priority
from shared.rmm.refusals import PatchUnsupported
from shared.rmm.scopes import ScopeSet
from tests.unit.rmm.world import COMPANY, COMPANY_2, DEVICE, SITE, World, html, not_found, ok, refused

COMPANIES = "/api/platform/v1/company/companies"
SITES = "/api/platform/v1/company/sites"
V2_DETAIL = f"/api/platform/v2/device/companies/{COMPANY}/sites/{SITE}/endpoints/{DEVICE}"
V1_DETAIL = f"/api/platform/v1/device/endpoints/{DEVICE}"
V2_FIELDS = f"/api/platform/v2/device/endpoints/{DEVICE}/custom-fields"
V1_FIELDS = f"/api/platform/v1/device/endpoints/{DEVICE}/custom-fields"
DEFINITIONS = "/api/platform/v1/custom-field/definitions"
PAIRS = [("attr-1", "2027-03-01"), ("attr-2", None)]


# Companies


async def test_companies_are_a_bare_list_with_ids_in_lower_case() -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": COMPANY.upper(),
            "name": "Harbor Dental",
            "friendlyName": "HD",
            "createdDate": "2023-09-05T13:41:39.331Z",
        },
        {
            "id": COMPANY_2,
            "friendlyName": "Only friendly",
            "inactiveDate": "2024-01-01T00:00:00Z",
            "account": {"id": "x"},
        },
    ]
    world = World([ok(rows)])
    assert await world.client.companies() == [
        Company(COMPANY, "Harbor Dental"),
        Company(COMPANY_2, "Only friendly", "2024-01-01T00:00:00Z"),
    ]
    assert world.seen == [f"GET {COMPANIES}"]


async def test_companies_inside_an_object_are_read_too() -> None:
    assert len(await World([ok({"companies": [{"id": "c", "name": "n"}]})]).client.companies()) == 1


async def test_companies_follow_next_links_by_their_query_only() -> None:
    link = '<https://evil.test/steal?page=2>; rel="next"'
    world = World([ok([{"id": "a", "name": "a"}], link=link), ok([{"id": "b", "name": "b"}])])
    assert [company.company_id for company in await world.client.companies()] == ["a", "b"]
    assert str(world.requests[1].url) == f"https://rmm.test{COMPANIES}?page=2"


async def test_companies_whose_links_go_round_are_a_loop() -> None:
    world = World(lambda _: ok([], link='<?page=2>; rel="next"'))
    with pytest.raises(CursorLoop):
        await world.client.companies()
    assert len(world.requests) == 2


async def test_no_companies_at_all_may_come_as_null() -> None:
    assert await World([httpx.Response(200, content=b"null")]).client.companies() == []


async def test_the_company_familys_error_shape_is_read() -> None:
    answer = httpx.Response(400, json={"error": [{"code": "E1", "message": "bad partner"}]})
    with pytest.raises(RmmRefused, match="E1: bad partner"):
        await World([answer]).client.companies()


# Sites


async def test_all_sites_come_from_one_call_with_their_owner() -> None:
    world = World(
        [ok([{"id": SITE.upper(), "name": "Main", "company": {"id": COMPANY.upper()}}, {"id": "s2", "name": "x"}])]
    )
    assert await world.client.sites() == [Site(SITE, "Main", COMPANY), Site("s2", "x")]
    assert world.seen == [f"GET {SITES}"]


@pytest.mark.parametrize("status", [403, 404])
async def test_a_tenant_that_refuses_all_sites_is_asked_company_by_company(status: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == SITES:
            return refused(status)
        return not_found() if COMPANY_2 in request.url.path else ok([{"id": SITE, "name": "Main"}])

    world = World(answer)
    assert await world.client.sites([COMPANY, COMPANY_2]) == [Site(SITE, "Main", COMPANY)]
    assert world.quirks.sites_all is False
    await world.client.sites([COMPANY])
    assert world.seen.count(f"GET {SITES}") == 1


async def test_sites_without_given_companies_ask_for_the_companies_first() -> None:
    world = World([refused(404), ok([{"id": COMPANY, "name": "n"}]), ok([])])
    assert await world.client.sites() == []
    assert world.seen == [f"GET {SITES}", f"GET {COMPANIES}", f"GET {COMPANIES}/{COMPANY}/sites"]


async def test_a_missing_right_to_sites_is_not_remembered_as_a_quirk() -> None:
    world = World(lambda _: refused(403))
    with pytest.raises(ScopeMissing):
        await world.client.sites([COMPANY])
    assert not world.quirks.changed


# Detail


async def test_a_detail_is_read_by_v2_with_its_sections() -> None:
    world = World([ok({"platform": {"deviceName": "x"}, "purchaseDate": "2027-03-01"})])
    found = await world.client.device_detail(COMPANY, SITE, DEVICE, fields=["bios", "purchaseDate"])
    assert world.seen == [f"GET {V2_DETAIL}"]
    assert world.requests[0].url.params["field"] == "bios,purchaseDate"
    assert (found.version, found.members["purchaseDate"]) == ("v2", "2027-03-01")
    assert world.budget.taken == [Priority.DETAIL]


async def test_a_wrong_site_is_settled_by_the_older_path_and_not_remembered() -> None:
    world = World([not_found(), ok({"endpointID": DEVICE})])
    assert (await world.client.device_detail(COMPANY, SITE, DEVICE)).version == "v1"
    assert world.seen == [f"GET {V2_DETAIL}", f"GET {V1_DETAIL}"]
    assert not world.quirks.changed


async def test_a_tenant_without_v2_details_is_remembered() -> None:
    world = World([httpx.Response(404, text="no route"), ok({}), ok({})])
    await world.client.device_detail(COMPANY, SITE, DEVICE)
    await world.client.device_detail(COMPANY, SITE, DEVICE)
    assert world.seen[1:] == [f"GET {V1_DETAIL}"] * 2
    assert world.quirks.detail_version == "v1"


async def test_a_device_without_a_site_is_read_by_the_older_path() -> None:
    world = World([ok({})])
    await world.client.device_detail(COMPANY, None, DEVICE, priority=Priority.WRITE)
    assert world.seen == [f"GET {V1_DETAIL}"]
    assert world.budget.taken == [Priority.WRITE]


async def test_a_refused_field_list_of_a_detail_is_left_out_and_remembered() -> None:
    world = World([refused(400, "field"), ok({}), ok({})])
    await world.client.device_detail(COMPANY, SITE, DEVICE)
    await world.client.device_detail(COMPANY, SITE, DEVICE)
    assert ["field" in request.url.params for request in world.requests] == [True, False, False]


@pytest.mark.parametrize("second", [not_found(), refused(403), httpx.Response(405)])
async def test_a_device_that_neither_path_knows_is_gone(second: httpx.Response) -> None:
    with pytest.raises(DeviceGone) as caught:
        await World([not_found(), second]).client.device_detail(COMPANY, SITE, DEVICE)
    assert caught.value.device_id == DEVICE


@pytest.mark.parametrize("answer", [html(404), httpx.Response(404, text="no route")])
async def test_a_gateways_404_does_not_make_a_device_gone(answer: httpx.Response) -> None:
    with pytest.raises(RmmAnswerUnreadable):
        await World(lambda _: answer).client.device_detail(COMPANY, SITE, DEVICE)


async def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    world = World([ok({})])
    await world.client.device_detail("c", None, "../../v1/token?x=#y")
    assert world.requests[0].url.raw_path == b"/api/platform/v1/device/endpoints/..%2F..%2Fv1%2Ftoken%3Fx%3D%23y"


# Definitions


async def test_definitions_of_both_spellings_are_those_of_devices() -> None:
    rows = [
        {"id": "D1", "name": "Purchase", "entityType": "endpoint", "attributeType": "Datetime"},
        {"id": "d2", "name": "Warranty", "entityType": "device", "type": "string"},
        {"id": "d3", "name": "Other", "entityType": "company"},
    ]
    world = World([ok(rows)])
    assert await world.client.custom_field_definitions() == [
        FieldDefinition("d1", "Purchase", "datetime"),
        FieldDefinition("d2", "Warranty", "string"),
    ]
    assert str(world.requests[0].url).endswith(f"{DEFINITIONS}?entityType=device")


@pytest.mark.parametrize("first", [ok([]), refused(400, "unknown entityType")])
async def test_definitions_are_asked_for_by_the_other_word_once(first: httpx.Response) -> None:
    world = World([first, ok([{"id": "d1", "name": "Purchase"}])])
    assert len(await world.client.custom_field_definitions()) == 1
    assert world.quirks.definition_entity == "endpoint"


async def test_a_missing_right_to_custom_fields_stops_only_the_dates() -> None:
    with pytest.raises(ScopeMissing) as caught:
        await World([refused(403)]).client.custom_field_definitions()
    assert caught.value.pauses == "dates"


async def test_a_definition_is_created_with_a_token_of_its_own_scopes() -> None:
    world = World([refused(400, "entityType"), ok({"id": "D9", "name": "Purchase"}, status=201)])
    made = await world.client.create_definition("Purchase", kind="datetime", description="d")
    assert made == FieldDefinition("d9", "Purchase", "datetime")
    assert world.sent() == {"entityType": "device", "name": "Purchase", "description": "d", "attributeType": "datetime"}
    assert {scope_set for scope_set, _ in world.tokens.asked} == {ScopeSet.DEFINE}


async def test_a_definition_that_exists_is_refused_with_409() -> None:
    with pytest.raises(RmmRefused) as caught:
        await World([refused(409)]).client.create_definition("Purchase")
    assert caught.value.status == 409


# Values


async def test_values_of_both_spellings_are_read() -> None:
    rows = [
        {"attributeId": "A1", "name": "Purchase", "value": "2027-03-01"},
        {"attributeID": "a2", "value": None},
        {"attributeId": "a3", "value": 5},
        {"value": "nobody's"},
    ]
    world = World([ok(rows)])
    assert await world.client.custom_field_values(DEVICE, attribute_ids=["A1", "a2"]) == [
        FieldValue("a1", "2027-03-01", "Purchase"),
        FieldValue("a2", None),
        FieldValue("a3", "5"),
    ]
    assert world.seen == [f"GET {V2_FIELDS}"]
    assert dict(world.requests[0].url.params) == {"attributeIDs": "A1,a2", "withDefaults": "true"}


@pytest.mark.parametrize("first", [not_found(), httpx.Response(404), httpx.Response(405)])
async def test_values_fall_back_to_the_older_path_and_remember_it(first: httpx.Response) -> None:
    world = World([first, ok([]), ok([])])
    await world.client.custom_field_values(DEVICE)
    await world.client.custom_field_values(DEVICE)
    assert world.seen == [f"GET {V2_FIELDS}", f"GET {V1_FIELDS}", f"GET {V1_FIELDS}"]


async def test_a_device_gone_costs_one_request_once_the_path_is_known() -> None:
    world = World([not_found()], quirks=Quirks(values_known=True))
    with pytest.raises(DeviceGone):
        await world.client.custom_field_values(DEVICE)


async def test_a_custom_field_that_is_gone_does_not_make_the_device_gone() -> None:
    world = World([refused(404, "attribute definition not found", "not found")], quirks=Quirks(values_known=True))
    with pytest.raises(RmmRefused) as caught:
        await world.client.custom_field_values(DEVICE)
    assert caught.value.reason_code == "custom_field_unknown"


# PUT


@pytest.mark.parametrize("answer", [ok([]), httpx.Response(204), httpx.Response(200, text="saved")])
async def test_both_dates_go_in_one_put_of_an_array(answer: httpx.Response) -> None:
    world = World([answer])
    await world.client.put_custom_fields(DEVICE, PAIRS)
    assert world.seen == [f"PUT {V2_FIELDS}"]
    assert world.sent() == [
        {"entityId": DEVICE, "attributeId": "attr-1", "value": "2027-03-01"},
        {"entityId": DEVICE, "attributeId": "attr-2", "value": ""},
    ]
    assert world.quirks.write_known


@pytest.mark.parametrize("first", [refused(400, "unexpected attributeId"), not_found(), httpx.Response(405)])
async def test_k14_the_older_spelling_is_tried_once_and_remembered(first: httpx.Response) -> None:
    world = World([first, ok([]), ok([])])
    await world.client.put_custom_fields(DEVICE, PAIRS[:1])
    await world.client.put_custom_fields(DEVICE, PAIRS[:1])
    assert world.seen == [f"PUT {V2_FIELDS}", f"PUT {V1_FIELDS}", f"PUT {V1_FIELDS}"]
    assert world.sent() == [{"attributeID": "attr-1", "value": "2027-03-01"}]


async def test_k8_a_shape_refused_twice_does_not_loop_and_tells_the_first_reason() -> None:
    world = World([refused(400, "first reason"), refused(400, "second reason")])
    with pytest.raises(RmmRefused, match="first reason"):
        await world.client.put_custom_fields(DEVICE, PAIRS[:1])
    assert len(world.requests) == 2
    assert not world.quirks.changed


async def test_a_known_shape_is_not_doubted_by_a_400() -> None:
    world = World([refused(400, "bad value")], quirks=Quirks(write_known=True))
    with pytest.raises(RmmRefused, match="bad value"):
        await world.client.put_custom_fields(DEVICE, PAIRS[:1])


async def test_clearing_is_tried_with_null_where_the_empty_text_is_refused() -> None:
    world = World([refused(400, "value is empty"), ok([])], quirks=Quirks(write_known=True))
    await world.client.put_custom_fields(DEVICE, PAIRS)
    assert [member["value"] for member in world.sent()] == ["2027-03-01", None]
    assert world.quirks.clear_with == "null"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(403), WriteForbidden),
        (refused(500), RmmServerError),
        (refused(422), RmmRefused),
        (httpx.Response(501), RmmRefused),
    ],
)
async def test_an_error_of_a_write_is_raised_as_what_it_is(answer: httpx.Response, kind: type[PipelineError]) -> None:
    world = World(lambda _: answer)
    with pytest.raises(kind):
        await world.client.put_custom_fields(DEVICE, PAIRS[:1])
    assert len(world.requests) == (2 if answer.status_code == 501 else 1)


# PATCH


async def test_dates_are_patched_as_a_merge() -> None:
    world = World([httpx.Response(204)])
    await world.client.patch_dates(
        COMPANY, SITE, DEVICE, {"purchaseDate": "2027-03-01", "warrantyExpirationDate": None}
    )
    assert world.seen == [f"PATCH {V2_DETAIL}"]
    assert world.requests[0].headers["content-type"] == "application/merge-patch+json"
    assert world.sent() == {"purchaseDate": "2027-03-01", "warrantyExpirationDate": None}
    assert world.quirks.adapter == "auto"


async def test_a_patch_falls_back_to_the_older_path_and_remembers_it() -> None:
    world = World([httpx.Response(405), ok({}), ok({})])
    await world.client.patch_dates(COMPANY, SITE, DEVICE, {})
    await world.client.patch_dates(COMPANY, SITE, DEVICE, {})
    assert world.seen == [f"PATCH {V2_DETAIL}", f"PATCH {V1_DETAIL}", f"PATCH {V1_DETAIL}"]


@pytest.mark.parametrize(
    ("answers", "definite"),
    [
        ((httpx.Response(405), httpx.Response(405)), True),
        ((httpx.Response(501), not_found()), True),
        ((httpx.Response(404), httpx.Response(404)), True),
        ((not_found(), not_found()), False),
    ],
)
async def test_a_tenant_without_patch_is_told_apart_from_a_device_gone(
    answers: tuple[httpx.Response, ...], definite: bool
) -> None:
    with pytest.raises(PatchUnsupported) as caught:
        await World(answers).client.patch_dates(COMPANY, SITE, DEVICE, {})
    assert caught.value.definite is definite


async def test_a_device_gone_is_known_where_patch_has_worked_before() -> None:
    with pytest.raises(DeviceGone):
        await World([not_found()], quirks=Quirks(patch_known=True)).client.patch_dates(COMPANY, SITE, DEVICE, {})


async def test_an_unknown_member_is_refused_with_the_vendors_words() -> None:
    with pytest.raises(RmmRefused, match="unknown member") as caught:
        await World([refused(400, "unknown member purchaseDate")]).client.patch_dates(COMPANY, SITE, DEVICE, {})
    assert caught.value.words == "bad request: unknown member purchaseDate"


# Rate buckets


async def test_rate_buckets_come_tightest_first_without_bogus_ones() -> None:
    body = {
        "resources": {
            "asset": {
                "details": {"limit": 35, "remaining": 4, "reset": 1603785300},
                "bogus": {"limit": 0, "remaining": 0},
            },
            "service": {"rate-limit": {"limit": 500, "remaining": 1, "reset": 10**30}, "odd": 5},
            "none": None,
        }
    }
    world = World([ok(body)])
    tightest, other = await world.client.rate_limits()
    assert (tightest.name, tightest.remaining, tightest.reset_at) == ("service/rate-limit", 1, None)
    assert other.reset_at == datetime.fromtimestamp(1603785300, UTC)
    assert world.seen == ["GET /v1/rate_limits"]
