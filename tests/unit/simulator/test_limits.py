"""Quota, rate headers, error shapes and fault rules."""

from email.utils import parsedate_to_datetime

import pytest

from simulator.quota import Window
from tests.unit.simulator.conftest import MakeTenant
from tests.unit.simulator.tenant import V1, Tenant

COMPANIES = f"{V1}/company/companies"


async def statuses(tenant: Tenant, count: int) -> list[int]:
    return [(await tenant.client.get(COMPANIES)).status_code for _ in range(count)]


async def test_the_quota_slides_and_counts_the_sign_in(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(quota=5, quota_window_s=300)
    assert await statuses(tenant, 2) == [200, 200]
    tenant.now += 200
    assert await statuses(tenant, 3) == [200, 200, 429]
    tenant.now += 100  # the first three leave the window, the other two stay
    assert await statuses(tenant, 4) == [200, 200, 200, 429]


async def test_sign_ins_are_refused_over_the_quota_too(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(quota=2)
    assert await statuses(tenant, 1) == [200]
    assert (await tenant.sign_in()).status_code == 429


async def test_refused_requests_can_count(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(quota=2, quota_window_s=10, quota_counts_rejected=True)
    await statuses(tenant, 1)
    tenant.now += 9
    assert await statuses(tenant, 2) == [429, 429]
    tenant.now += 2
    assert await statuses(tenant, 1) == [429]


async def test_a_429_is_plain_text_and_says_when(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(quota=1, quota_window_s=60)
    tenant.now += 20
    answer = await tenant.client.get(COMPANIES)
    assert (answer.text, answer.headers["content-type"]) == ("Too Many Requests", "text/plain; charset=utf-8")
    assert answer.headers["retry-after"] == "40"
    await tenant.control("PATCH", "config", {"retry_after": "date"})
    when = parsedate_to_datetime((await tenant.client.get(COMPANIES)).headers["retry-after"])
    assert when.timestamp() == tenant.now + 40
    await tenant.control("PATCH", "config", {"retry_after": "none"})
    assert "retry-after" not in (await tenant.client.get(COMPANIES)).headers


@pytest.mark.parametrize(
    ("style", "names"),
    [
        ("both", {"limit", "remaining", "reset", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}),
        ("x", {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}),
        ("plain", {"limit", "remaining", "reset"}),
        ("none", set[str]()),
    ],
)
async def test_rate_headers_come_in_families(make_tenant: MakeTenant, style: str, names: set[str]) -> None:
    tenant = await make_tenant(quota=10, rate_headers=style)
    headers = (await tenant.client.get(COMPANIES)).headers
    assert {name for name in headers if "limit" in name or "rem" in name or "reset" in name} == names
    if "remaining" in names:
        assert (headers["limit"], headers["remaining"]) == ("10", "8")
        assert int(headers["reset"]) == tenant.now + 300


async def test_rate_limits_are_reported_by_bucket(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(quota=10)
    resources = (await tenant.client.get("/v1/rate_limits")).json()["resources"]
    bucket = resources["asset"]["partner-asset-endpoints-details"]
    assert (bucket["limit"], bucket["remaining"]) == (10, 8)


@pytest.mark.parametrize(
    ("style", "body"),
    [
        ("family", {"error": "not found", "description": "resource not found"}),
        ("code_message", {"code": "not_found", "message": "resource not found"}),
        ("message", {"message": "resource not found"}),
    ],
)
async def test_error_bodies_come_in_styles(make_tenant: MakeTenant, style: str, body: dict[str, str]) -> None:
    tenant = await make_tenant(error_style=style)
    assert (await tenant.client.get(f"{V1}/device/endpoints/nobody")).json() == body


async def test_unknown_paths_and_methods(tenant: Tenant) -> None:
    assert (await tenant.client.get("/api/nothing")).status_code == 404
    assert (await tenant.client.delete(COMPANIES)).status_code == 405


async def test_a_rule_fires_on_the_nth_match_or_after_some_or_a_number_of_times(tenant: Tenant) -> None:
    await tenant.fault({"path": "companies$", "nth": 2}, {"status": 500})
    await tenant.fault({"path": "companies$", "after": 2, "times": 2}, {"status": 503, "headers": {"Retry-After": "1"}})
    assert await statuses(tenant, 6) == [200, 500, 200, 503, 503, 200]
    rules = await tenant.control("GET", "faults")
    assert [rule["fired"] for rule in rules] == [1, 2]
    await tenant.control("DELETE", f"faults/{rules[0]['id']}")
    assert len(await tenant.control("DELETE", "faults")) == 0


async def test_chance_is_seeded(tenant: Tenant) -> None:
    runs: list[list[int]] = []
    for _ in range(2):
        await tenant.control("DELETE", "faults")
        await tenant.fault({"probability": 0.5, "seed": 3}, {"status": 502})
        runs.append(await statuses(tenant, 20))
    assert runs[0] == runs[1]
    assert {200, 502} == set(runs[0])


async def test_a_rule_can_be_for_one_company(tenant: Tenant) -> None:
    first, second = (company.id for company in tenant.fleet.companies[:2])
    await tenant.fault({"company": first}, {"status": 500})
    assert (await tenant.page(second)).status_code == 200
    assert (await tenant.page(second, first)).status_code == 500


async def test_bodies_can_be_html_text_json_or_cut(tenant: Tenant) -> None:
    await tenant.fault({"times": 1}, {"html": True})
    await tenant.fault({"times": 1}, {"status": 403, "body": "no"})
    await tenant.fault({"times": 1}, {"status": 400, "body": {"error": {"message": "no"}}})
    await tenant.fault({"times": 1}, {"truncate": "body"})
    answers = [await tenant.client.get(COMPANIES) for _ in range(5)]
    assert [each.status_code for each in answers] == [502, 403, 400, 200, 200]
    assert answers[0].headers["content-type"].startswith("text/html")
    assert (answers[1].text, answers[2].json()) == ("no", {"error": {"message": "no"}})
    assert answers[3].content == answers[4].content[: len(answers[4].content) // 2]


async def test_a_bad_rule_is_refused(tenant: Tenant) -> None:
    for rule in ({"match": {"path": "("}, "action": {}}, {"match": {"nope": 1}, "action": {}}, {}, "x"):
        assert (await tenant.client.post("/_sim/faults", json=rule)).status_code == 400


def test_a_window_remembers_its_busiest_moment() -> None:
    window = Window(10)
    for now in (0.0, 1.0, 9.9, 10.0, 10.5, 30.0):
        window.add(now)
    assert (window.most, window.used(30.0)) == (4, 1)
