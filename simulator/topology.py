"""Companies and sites, as the older company family of the API shows them."""

from typing import Any

from simulator.errors import not_found
from simulator.fleet import Company, Site
from simulator.simulation import Simulation
from simulator.wire import Request, Response, as_json


def company_json(company: Company) -> dict[str, Any]:
    """Return a company as the API shows it; one without devices became inactive."""
    empty = company.start == company.stop
    return {
        "id": company.id,
        "name": company.name,
        "friendlyName": company.name,
        "description": None,
        "partnerId": "5e4b7c1e-2f4a-4b44-9d7e-0d4c7a0f5a10",
        "createdDate": "2023-09-05T13:41:39.331Z",
        "updatedDate": "2024-02-11T08:00:00Z",
        "inactiveDate": "2025-01-31T00:00:00Z" if empty else None,
        "activityStatus": {"id": "1", "name": "Inactive" if empty else "Active", "activeFlag": not empty},
        "externalIds": [{"companyId": company.id, "externalId": str(19_000 + company.index)}],
    }


def site_json(site: Site, company: Company) -> dict[str, Any]:
    """Return a site as the API shows it."""
    return {
        "id": site.id,
        "name": site.name,
        "friendlyName": site.name,
        "activeFlag": True,
        "primaryFlag": site.index == company.sites.start,
        "company": {"id": company.id, "name": company.name, "friendlyName": company.name},
        "timeZone": "America/New_York",
        "primaryAddress": {
            "addressLine1": f"{100 + site.index} Main Street",
            "locality": "Tampa",
            "administrativeArea": "FL",
            "postCode": "33602",
            "countryCode": "US",
        },
        "createdDate": "2023-09-05T13:41:39.331Z",
        "updatedDate": "2024-02-11T08:00:00Z",
    }


def list_companies(sim: Simulation, request: Request) -> Response:
    """Answer the list of companies: a bare array, in pages with a `Link` where the switch says so."""
    companies, size = sim.fleet.companies, sim.config.companies_page
    if not size:
        return as_json([company_json(company) for company in companies])
    cursor = int(request.query.get("cursor") or 0)
    response = as_json([company_json(company) for company in companies[cursor : cursor + size]])
    if cursor + size < len(companies):
        link = f'<{request.origin}{request.path}?cursor={cursor + size}>; rel="next"'
        response.headers.append((b"link", link.encode()))
    return response


def one_company(sim: Simulation, request: Request, company_id: str) -> Response:
    """Answer one company."""
    request.companies = (company_id.lower(),)
    return as_json(company_json(_company(sim, company_id)))


def company_sites(sim: Simulation, request: Request, company_id: str) -> Response:
    """Answer the sites of one company."""
    request.companies = (company_id.lower(),)
    company = _company(sim, company_id)
    return as_json([site_json(sim.fleet.sites[number], company) for number in company.sites])


def list_sites(sim: Simulation, request: Request) -> Response:
    """Answer all sites of all companies."""
    del request
    return as_json([site_json(site, sim.fleet.companies[site.company]) for site in sim.fleet.sites])


def one_site(sim: Simulation, request: Request, site_id: str) -> Response:
    """Answer one site."""
    del request
    site = sim.fleet.site(site_id)
    if site is None:
        raise not_found(family="company")
    return as_json(site_json(site, sim.fleet.companies[site.company]))


def company_site(sim: Simulation, request: Request, company_id: str, site_id: str) -> Response:
    """Answer one site of one company."""
    site = sim.fleet.site(site_id)
    if site is None or sim.fleet.companies[site.company].id != company_id.lower():
        raise not_found(family="company")
    return one_site(sim, request, site_id)


def _company(sim: Simulation, company_id: str) -> Company:
    company = sim.fleet.company(company_id)
    if company is None:
        raise not_found(family="company")
    return company
