"""Companies become list calls: each company once, and no more calls than needed."""

from hypothesis import given
from hypothesis import strategies as st

from services.fetcher.planning import Scope, plan_scopes

ids = st.lists(st.text("abAB01-", min_size=1, max_size=4), max_size=30)
per_call = st.integers(1, 4)


@given(ids, per_call)
def test_each_company_is_in_exactly_one_scope_in_the_order_given(company_ids: list[str], at_most: int) -> None:
    planned = [company for scope in plan_scopes(company_ids, at_most) for company in scope.company_ids]
    assert planned == list(dict.fromkeys(company.lower() for company in company_ids))


@given(ids, per_call)
def test_packing_is_minimal_and_within_what_one_call_takes(company_ids: list[str], at_most: int) -> None:
    scopes = plan_scopes(company_ids, at_most)
    companies = {company.lower() for company in company_ids}
    assert all(1 <= len(scope.company_ids) <= at_most for scope in scopes)
    assert len(scopes) == -(-len(companies) // at_most)


@given(ids, per_call)
def test_a_packed_scope_is_of_whole_companies(company_ids: list[str], at_most: int) -> None:
    assert all((scope.device_id, scope.site_id) == (None, None) for scope in plan_scopes(company_ids, at_most))


def test_a_tenant_without_companies_has_nothing_to_list() -> None:
    assert plan_scopes([], 4) == []


def test_five_companies_are_two_calls() -> None:
    assert plan_scopes(["A", "b", "c", "d", "e"], 4) == [Scope(("a", "b", "c", "d")), Scope(("e",))]
