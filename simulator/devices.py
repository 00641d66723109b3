"""Device lists: v2 in pages, by POST or by GET with a body, and the two v1 lists in one body."""

from typing import cast

import msgspec

from simulator.catalogue import CATEGORIES
from simulator.errors import Refused, bad_request, not_found
from simulator.faults import Action
from simulator.layouts import MINIMAL, SECTIONS
from simulator.membership import Membership, Run
from simulator.pages import stamp
from simulator.simulation import Simulation
from simulator.wire import Request, Response

MAX_LIMIT, DEFAULT_LIMIT = 500, 50
_HEARTBEAT_IDS = 4


def asked_sections(sim: Simulation, request: Request) -> frozenset[str]:
    """Return the sections that `field=` names; raises Refused where the switch refuses them."""
    text = request.query.get("field", "")
    if not text:
        return MINIMAL
    names = {name.strip() for name in text.split(",")}
    refused = names if "*" in sim.config.refused_fields else names & set(sim.config.refused_fields)
    if refused:
        raise bad_request(f"invalid field: {','.join(sorted(refused))}")
    return frozenset(names & set(SECTIONS))


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, "")
    try:
        value = int(text) if text else default
    except ValueError:
        raise bad_request(f"{name} must be an integer: {text}") from None
    if not 0 <= value <= most or (name == "limit" and value == 0):
        raise bad_request(f"{name} must be at most {most}: {value}")
    return value


def scope_of(request: Request) -> tuple[str, tuple[str, ...]]:
    """Return what a list request asks for, as far as its body can be read; never raises."""
    body = request.object()
    resources: object = body.get("resources")
    if not isinstance(resources, list):
        return "", ()
    return str(body.get("resourceType")), tuple(str(each).lower() for each in cast("list[object]", resources))


def list_v2(sim: Simulation, request: Request, category: str, action: Action | None = None) -> Response:
    """Answer one page of the v2 list."""
    if sim.config.list_method not in ("both", request.method.lower()):
        raise Refused(405, "method not allowed", f"{request.method} is not allowed here")
    if category not in (*CATEGORIES, "all"):
        raise bad_request(f"invalid category: {category}")
    kind, ids = scope_of(request)
    limit = _number(request, "limit", DEFAULT_LIMIT, MAX_LIMIT)
    cursor = _number(request, "cursor", 0, 1 << 40)
    asked = asked_sections(sim, request)
    if kind not in ("company", "site", "endpoint"):
        raise bad_request(f"invalid resourceType: {kind}")
    if not 1 <= len(ids) <= (sim.config.max_resources if kind == "company" else MAX_LIMIT):
        raise bad_request(f"at most {sim.config.max_resources} resources: {len(ids)}")
    number = None if category == "all" else CATEGORIES.index(category)
    action = action or Action()
    if action.page_shift:
        _shift(sim, sim.world.members(kind, ids, number), cursor, earlier=action.page_shift == "earlier")
    members = sim.world.members(kind, ids, number)
    if action.empty:
        return Response(body=b'{"platform":[]}')
    if cursor >= len(members):
        raise not_found()
    extra = min(cursor, action.duplicate)
    runs = members.page(cursor - extra, limit + extra)
    key = (kind, ids, category, cursor - extra, limit + extra)
    pieces = sim.pages.list_page(key, runs, asked, with_site=sim.config.list_has_site)
    count = sum(run.stop - run.start for run in runs)
    response = Response(body=stamp(sim.clock()).join(pieces), devices=count)
    following = cursor if action.cursor_loop else cursor + limit
    if following < len(members):
        response.headers.append((b"link", _next_link(request, following)))
    return response


def _next_link(request: Request, cursor: int) -> bytes:
    kept = "&".join(part for part in request.query_string.split("&") if part and not part.startswith("cursor="))
    query = f"{kept}&cursor={cursor}" if kept else f"cursor={cursor}"
    # Absolute, because one of the known clients follows it as it is.
    return f'<{request.origin}{request.path}?{query}>; rel="next"'.encode()


def _shift(sim: Simulation, members: Membership, cursor: int, *, earlier: bool) -> None:
    """Move the last device still to come to the front, or the first one gone by to the back."""
    if not 0 < cursor < len(members):
        return
    (run,) = members.page(len(members) - 1 if earlier else 0, 1)
    sim.world.place(run.start, first=earlier)


def _whole(sim: Simulation, members: Membership) -> Response:
    if not len(members):
        raise not_found()
    return Response(parts=sim.pages.list_v1(members), devices=len(members))


def list_v1_all(sim: Simulation, request: Request) -> Response:
    """Answer the v1 list of the tenant, or of the company in the unofficial `clientId` parameter."""
    only = request.query.get("clientId")
    return _whole(sim, sim.world.members("company", (only.lower(),), None) if only else sim.world.everything())


def list_v1_company(sim: Simulation, request: Request, company_id: str) -> Response:
    """Answer the v1 list of one company."""
    del request
    return _whole(sim, sim.world.members("company", (company_id.lower(),), None))


def list_v1_site(sim: Simulation, request: Request, company_id: str, site_id: str) -> Response:
    """Answer the v1 list of one site."""
    del request
    site = sim.fleet.site(site_id)
    if site is None or sim.fleet.companies[site.company].id != company_id.lower():
        raise not_found()
    return _whole(sim, sim.world.members("site", (site_id.lower(),), None))


def heartbeat(sim: Simulation, request: Request) -> Response:
    """Answer who is online; here the vendor's word is plural, and ids come in upper case."""
    ids = tuple(each.lower() for each in request.query.get("resources", "").split(",") if each)
    if request.query.get("resourceType") != "companies" or not 1 <= len(ids) <= _HEARTBEAT_IDS:
        raise bad_request("Invalid Resource Type")
    records = [
        {"companyID": each, "endpoints": [_beat(sim, index) for run in _runs(sim, each) for index in _span(run)]}
        for each in ids
    ]
    body = {"status": "success", "successfulRecords": records, "failedRecords": []}
    return Response(body=msgspec.json.encode(body))


def _runs(sim: Simulation, company_id: str) -> list[Run]:
    return sim.world.members("company", (company_id,), 0).runs


def _span(run: Run) -> range:
    return range(run.start, run.stop)


def _beat(sim: Simulation, index: int) -> dict[str, object]:
    device_id = sim.fleet.values(index)[2][0].decode().upper()
    return {"EndpointID": device_id, "Availability": index % 7 != 0, "DcDateTimeUTC": stamp(sim.clock()).decode()}
