"""Device pages: every oddity of the list has its test."""

from typing import Any

import httpx
import msgspec
import pytest

from shared.errors import CursorLoop, RateLimited, RmmAnswerUnreadable, RmmRefused, RmmServerError, ScopeMissing
from shared.rmm.quirks import Quirks
from shared.rmm.rates import Priority
from shared.rmm.refusals import TooManyCompanies
from tests.unit.rmm.world import (
    BASE,
    COMPANY,
    COMPANY_2,
    LIST_PATH,
    SITE,
    World,
    group,
    html,
    next_link,
    not_found,
    ok,
    page,
    refused,
)


def ids(group_: Any) -> list[str]:
    return [msgspec.json.decode(raw)["endpointID"] for raw in group_.endpoints]


async def test_a_page_is_asked_for_with_post_and_the_singular_word() -> None:
    world = World([ok(page(group(devices=2)))])
    found = await world.client.device_page([COMPANY], fields=["system", "os"])
    assert world.seen == [f"POST {LIST_PATH}"]
    assert dict(world.requests[0].url.params) == {"limit": "500", "field": "system,os"}
    assert world.sent() == {"resourceType": "company", "resources": [COMPANY]}
    assert world.budget.taken == [Priority.LIST]
    assert (found.devices, found.next_cursor, found.not_found) == (2, None, False)
    (only,) = found.groups
    assert (only.category, only.company_id, only.site_id) == ("platform", COMPANY, SITE)
    assert ids(only) == ["e-0", "e-1"]


async def test_a_device_stays_the_bytes_that_the_vendor_sent() -> None:
    device = b'{"endpointID": "x",  "unknown":[1.50, null], "name":"\\u00e9"}'
    body = b'{"platform":[{"companyID":"c","endpoints":[' + device + b"]}]}"
    found = await World([httpx.Response(200, content=body)]).client.device_page(["c"])
    assert bytes(found.groups[0].endpoints[0]) == device


async def test_one_odd_device_does_not_spoil_its_page() -> None:
    body = b'{"platform":[{"companyID":"c","endpoints":[5, null, "text", {"endpointID":[]}]}]}'
    found = await World([httpx.Response(200, content=body)]).client.device_page(["c"])
    assert found.devices == 4


async def test_a_later_page_is_asked_for_by_its_cursor() -> None:
    world = World([ok(page(group(devices=2)), link=next_link(700))])
    found = await world.client.device_page([COMPANY], 500)
    assert dict(world.requests[0].url.params)["cursor"] == "500"
    assert found.next_cursor == 700
    assert world.quirks.links_used is True


# K1, K12: groups


async def test_k1_every_category_of_the_body_is_read_and_the_category_is_a_setting() -> None:
    body = {
        **page(group(start=0)),
        **page(group(start=1), category="network"),
        **page(group(start=2), category="cloud"),
    }
    world = World([ok(body)])
    found = await world.client.device_page([COMPANY], category="all")
    assert world.seen == ["POST /api/platform/v2/device/categories/all/endpoints"]
    assert [(one.category, ids(one)) for one in found.groups] == [
        ("platform", ["e-0"]),
        ("network", ["e-1"]),
        ("cloud", ["e-2"]),
    ]
    assert found.devices == 3


async def test_k12_groups_of_one_company_and_site_become_one_group() -> None:
    other_site = group(site="51C2-OTHER", start=5)
    body = page(group(start=0), group(COMPANY_2, start=1), group(start=2), other_site, group(COMPANY.upper(), start=3))
    found = await World([ok(body)]).client.device_page([COMPANY, COMPANY_2])
    assert [(one.company_id, one.site_id, ids(one)) for one in found.groups] == [
        (COMPANY, SITE, ["e-0", "e-2", "e-3"]),
        (COMPANY_2, SITE, ["e-1"]),
        (COMPANY, "51c2-other", ["e-5"]),
    ]


async def test_k5_ids_come_out_in_lower_case() -> None:
    found = await World([ok(page(group(COMPANY.upper(), site=SITE.upper())))]).client.device_page([COMPANY])
    assert (found.groups[0].company_id, found.groups[0].site_id) == (COMPANY, SITE)


@pytest.mark.parametrize(
    ("company", "site"),
    [("companyID", "siteID"), ("companyId", "siteId"), ("clientId", "siteId"), ("clientID", "siteID")],
)
async def test_every_casing_of_the_group_ids_is_read(company: str, site: str) -> None:
    body = page({company: COMPANY, site: SITE, "endpoints": []})
    found = await World([ok(body)]).client.device_page([COMPANY, COMPANY_2])
    assert (found.groups[0].company_id, found.groups[0].site_id) == (COMPANY, SITE)


async def test_a_site_that_the_list_does_not_give_is_none() -> None:
    found = await World([ok(page(group(site=None)))]).client.device_page([COMPANY])
    assert found.groups[0].site_id is None


async def test_a_group_without_a_company_is_that_of_the_only_one_asked_for() -> None:
    body = page(group(None))
    assert (await World([ok(body)]).client.device_page([COMPANY.upper()])).groups[0].company_id == COMPANY
    assert (await World([ok(body)]).client.device_page([COMPANY, COMPANY_2])).groups[0].company_id is None


@pytest.mark.parametrize(
    "body",
    [
        {"platform": []},
        {"platform": None},
        {"platform": [{"companyID": "c", "endpoints": None}]},
        {"platform": [{"companyID": "c"}]},
    ],
)
async def test_a_page_without_devices_is_empty(body: dict[str, Any]) -> None:
    found = await World([ok(body)]).client.device_page([COMPANY])
    assert (found.devices, found.next_cursor, found.not_found) == (0, None, False)


# 404


async def test_a_404_of_the_api_is_an_empty_page_that_is_to_be_distrusted() -> None:
    world = World([not_found()])
    found = await world.client.device_page([COMPANY], 500)
    assert (found.groups, found.devices, found.next_cursor, found.not_found) == ([], 0, None, True)
    assert not world.quirks.changed


async def test_an_empty_object_is_to_be_distrusted_too() -> None:
    found = await World([ok({})]).client.device_page([COMPANY])
    assert (found.devices, found.not_found) == (0, True)


@pytest.mark.parametrize(
    "answers",
    [(html(404), html(404)), (httpx.Response(404), httpx.Response(404)), (httpx.Response(405), httpx.Response(405))],
)
async def test_a_404_that_the_api_did_not_write_is_no_empty_company(answers: tuple[httpx.Response, ...]) -> None:
    world = World(answers)
    with pytest.raises(RmmAnswerUnreadable):
        await world.client.device_page([COMPANY])
    assert [request.method for request in world.requests] == ["POST", "GET"]
    assert not world.quirks.changed


# K2: the method


@pytest.mark.parametrize(
    "first",
    [
        httpx.Response(405),
        httpx.Response(404, text="no route"),
        html(404),
        httpx.Response(501),
        refused(400, "method POST is not supported here"),
    ],
)
async def test_k2_a_tenant_that_takes_only_get_is_remembered(first: httpx.Response) -> None:
    world = World([first, ok(page(group())), ok(page(group()))])
    await world.client.device_page([COMPANY])
    await world.client.device_page([COMPANY])
    assert [request.method for request in world.requests] == ["POST", "GET", "GET"]
    assert world.sent() == {"resourceType": "company", "resources": [COMPANY]}
    assert world.requests[1].headers["content-type"] == "application/json"
    assert world.quirks.list_method == "GET"


async def test_k2_a_405_followed_by_the_apis_404_is_an_empty_company() -> None:
    world = World([httpx.Response(405), not_found()])
    assert (await world.client.device_page([COMPANY])).not_found
    assert world.quirks.list_method == "GET"
    assert not world.quirks.list_known


async def test_k2_a_tenant_that_goes_back_to_post_is_followed() -> None:
    world = World([httpx.Response(405), ok(page(group()))], quirks=Quirks(list_method="GET", list_known=True))
    await world.client.device_page([COMPANY])
    assert world.quirks.list_method == "POST"


# K7: the word


async def test_k7_a_refused_word_is_tried_once_in_the_other_number() -> None:
    world = World([refused(400, "invalid resourceType company"), ok(page(group()))])
    await world.client.device_page([COMPANY])
    assert world.sent()["resourceType"] == "companies"
    assert world.quirks.resource_word == "companies"


async def test_k7_a_word_refused_in_both_numbers_is_refused() -> None:
    world = World([refused(400, "Invalid Resource Type"), refused(400, "Invalid Resource Type")])
    with pytest.raises(RmmRefused, match="Invalid Resource Type") as caught:
        await world.client.device_page([COMPANY])
    assert caught.value.status == 400
    assert len(world.requests) == 2
    assert not world.quirks.changed


# The field list


async def test_a_refused_field_list_is_asked_for_with_the_sections_seen_live() -> None:
    world = World([refused(400, "unknown field: drives"), ok(page(group())), ok(page(group()))])
    await world.client.device_page([COMPANY])
    await world.client.device_page([COMPANY])
    assert [dict(request.url.params).get("field") for request in world.requests][1:] == ["system,os", "system,os"]
    assert world.quirks.list_fields == "system,os"


async def test_a_field_list_refused_twice_is_left_out() -> None:
    world = World([refused(400, "field"), refused(400, "field"), ok(page(group()))])
    await world.client.device_page([COMPANY])
    assert "field" not in dict(world.requests[-1].url.params)
    assert world.quirks.list_fields == ""


async def test_a_400_that_names_nothing_is_tried_in_every_form_once_and_then_believed() -> None:
    world = World(lambda _: refused(400, "because"))
    with pytest.raises(RmmRefused):
        await world.client.device_page([COMPANY])
    assert len(world.requests) == 5
    assert not world.quirks.changed


async def test_a_400_that_names_nothing_is_believed_where_the_form_has_worked_before() -> None:
    world = World(lambda _: refused(400, "because"), quirks=Quirks(list_known=True))
    with pytest.raises(RmmRefused):
        await world.client.device_page([COMPANY])
    assert len(world.requests) == 1


async def test_every_form_that_is_tried_takes_from_the_budget() -> None:
    world = World([httpx.Response(405), refused(400, "field"), ok(page(group()))])
    await world.client.device_page([COMPANY])
    assert len(world.budget.taken) == 3


# Several companies


@pytest.mark.parametrize("words", ["because", "too many resources", "at most 1 company"])
async def test_a_refusal_of_several_companies_asks_the_caller_to_split(words: str) -> None:
    world = World([refused(400, words), refused(400, words)])
    with pytest.raises(TooManyCompanies) as caught:
        await world.client.device_page([COMPANY, COMPANY_2])
    assert caught.value.asked == 2
    assert world.quirks.companies_per_call == 1
    assert len(world.requests) == 1


async def test_several_companies_are_listed_in_one_call() -> None:
    world = World([ok(page(group(COMPANY), group(COMPANY_2)))])
    assert (await world.client.device_page([COMPANY, COMPANY_2])).devices == 2
    assert world.sent()["resources"] == [COMPANY, COMPANY_2]


# K6, K9: paging


async def test_k6_a_next_link_of_another_origin_gives_only_its_cursor() -> None:
    world = World([ok(page(group()), link=next_link(500, "https://evil.test/steal")), ok(page(group()))])
    following = (await world.client.device_page([COMPANY])).next_cursor
    assert following == 500
    await world.client.device_page([COMPANY], following)
    assert {request.url.host for request in world.requests} == {"rmm.test"}
    assert str(world.requests[1].url).startswith(BASE + LIST_PATH)


async def test_k6_a_relative_next_link_works_as_well() -> None:
    world = World([ok(page(group()), link='<?cursor=500>; rel="next"')])
    assert (await world.client.device_page([COMPANY])).next_cursor == 500


@pytest.mark.parametrize("cursor", [500, 499, 0])
async def test_a_cursor_that_does_not_grow_is_a_loop(cursor: int) -> None:
    with pytest.raises(CursorLoop):
        await World([ok(page(group()), link=next_link(cursor))]).client.device_page([COMPANY], 500)


async def test_k9_a_full_page_without_a_link_is_the_end_where_links_are_used() -> None:
    world = World([ok(page(group(devices=3)))], quirks=Quirks(links_used=True))
    assert (await world.client.device_page([COMPANY], limit=3)).next_cursor is None


async def test_k9_a_tenant_without_links_is_counted_through_to_its_short_page() -> None:
    fleet = 8

    def answer(request: httpx.Request) -> httpx.Response:
        cursor = int(request.url.params.get("cursor", 0))
        left = min(3, fleet - cursor)
        return ok(page(group(devices=left, start=cursor))) if left > 0 else not_found()

    world = World(answer)
    seen: list[str] = []
    cursor: int | None = 0
    while cursor is not None:
        found = await world.client.device_page([COMPANY], cursor, limit=3)
        seen += [device for one in found.groups for device in ids(one)]
        cursor = found.next_cursor
    assert seen == [f"e-{n}" for n in range(fleet)]
    assert world.quirks.links_used is False


async def test_k9_a_fleet_that_ends_on_a_full_page_costs_one_more_request_at_most() -> None:
    world = World([ok(page(group(devices=3))), not_found()])
    following = (await world.client.device_page([COMPANY], limit=3)).next_cursor
    assert following == 3
    assert (await world.client.device_page([COMPANY], following, limit=3)).next_cursor is None
    assert world.quirks.links_used is None


# What is no page


@pytest.mark.parametrize(
    "content",
    [
        b'{"platform":[{"companyID":"c","endpoints":[{"a":"canary',
        b'{"platform":{"canary":1}}',
        b'{"data":["canary"]}',
        b'["canary"]',
        b'"canary"',
        b"null",
        b'{"platform":[{"companyID":5,"endpoints":[]}]}',
        b'{"platform":[{"companyID":"c","endpoints":{}}]}',
        b'{"platform":[{"companyID":"\xff","endpoints":[]}]}',
        b'{"platform":' + b"[" * 100_000,
        b"<html>canary",
        b"",
    ],
)
async def test_what_is_no_page_is_unreadable_and_never_an_empty_fleet(content: bytes) -> None:
    with pytest.raises(RmmAnswerUnreadable) as caught:
        await World([httpx.Response(200, content=content)]).client.device_page([COMPANY])
    assert "canary" not in str(caught.value)
    assert "request" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(403), ScopeMissing),
        (refused(500), RmmServerError),
        (httpx.Response(429), RateLimited),
        (html(502), RmmServerError),
        (refused(409), RmmRefused),
    ],
)
async def test_an_error_of_the_list_is_not_taken_for_another_form(
    answer: httpx.Response, kind: type[Exception]
) -> None:
    world = World([answer])
    with pytest.raises(kind):
        await world.client.device_page([COMPANY, COMPANY_2])
    assert len(world.requests) == 1


@pytest.mark.parametrize(
    ("companies", "cursor", "limit"), [([], 0, 500), ([COMPANY], -1, 500), ([COMPANY], 0, 501), ([COMPANY], 0, 0)]
)
async def test_a_page_that_makes_no_sense_is_not_asked_for(companies: list[str], cursor: int, limit: int) -> None:
    world = World([])
    with pytest.raises(ValueError, match="a device page needs"):
        await world.client.device_page(companies, cursor, limit=limit)
    assert not world.requests
