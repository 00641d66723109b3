"""Control of devices: the true fleet as plain JSON, and what a person in the RMM can do to it."""

from dataclasses import asdict
from typing import Any

from simulator.catalogue import CATEGORIES
from simulator.details import record_write, write_date
from simulator.errors import bad_request, not_found
from simulator.membership import Run
from simulator.records import DATE_FIELDS, calendar_date
from simulator.simulation import Simulation
from simulator.wire import Request

_MOST = 10_000


def count(sim: Simulation, request: Request) -> object:
    """Return how many devices exist, in all and by category; `company` narrows it."""
    company = request.query.get("company")
    if company is None:
        return {**sim.world.count(), "companies": len(sim.fleet.companies), "sites": len(sim.fleet.sites)}
    sizes = {name: len(sim.world.members("company", (company.lower(),), n)) for n, name in enumerate(CATEGORIES)}
    return {**sizes, "devices": sum(sizes.values())}


def listed(sim: Simulation, request: Request) -> object:
    """Return devices in index order, from `cursor` on; `category` and `company` choose, `full` shows every fact."""
    query = request.query
    limit = min(_MOST, int(query.get("limit") or 1000))
    cursor = int(query.get("cursor") or 0)
    chosen = _chosen(sim, query.get("company"), query.get("category"), cursor, limit)
    full = query.get("full", "") in ("1", "true")
    shown = [_shown(sim, index, full=full) for index in chosen[:limit]]
    following = chosen[limit] if len(chosen) > limit else None
    return {"devices": shown, "next": following}


def _chosen(sim: Simulation, company: str | None, category: str | None, cursor: int, limit: int) -> list[int]:
    number = CATEGORIES.index(category) if category else None
    if company is not None:
        runs: list[Run] = sim.world.members("company", (company.lower(),), number).runs
        return sorted(index for run in runs for index in range(run.start, run.stop) if index >= cursor)[: limit + 1]
    found: list[int] = []
    for index in sim.world.alive(cursor):
        if number is None or sim.fleet.category_at(index) == number:
            found.append(index)
            if len(found) > limit:
                break
    return found


def _shown(sim: Simulation, index: int, *, full: bool = False) -> dict[str, Any]:
    facts = sim.world.facts(index)
    names = ("id", "company_id", "site_id", "category", "name", "serial_number")
    # Not asdict for the short form: it copies deeply, and whole fleets are read this way.
    shown: dict[str, Any] = asdict(facts) if full else {name: getattr(facts, name) for name in names}
    dates = {name: sim.records.read(index, name) for name in DATE_FIELDS}
    return {**shown, "index": index, "vanished": index in sim.world.gone, **dates}


def _known(sim: Simulation, device_id: str) -> int:
    index = int(device_id) if device_id.isdigit() and len(device_id) < 9 else sim.world.known_index(device_id)  # noqa: PLR2004 - ids are longer
    if index is None or not 0 <= index < sim.world.limit:
        raise not_found(f"no device {device_id}")
    return index


def one(sim: Simulation, request: Request, device_id: str) -> object:
    """Return everything about one device, by id or by index, vanished ones too."""
    del request
    index = _known(sim, device_id)
    fields = {each.name: sim.records.read(index, each.id) for each in sim.records.definitions.values()}
    return {**_shown(sim, index, full=True), "custom_fields": fields}


def changed(sim: Simulation, request: Request, device_id: str) -> object:
    """Do what a person in the RMM does: edit dates or custom fields, rename, move, remove, bring back."""
    index, body = _known(sim, device_id), request.object()
    known = {*DATE_FIELDS, "custom_fields", "name", "site_id", "company_id", "vanished"}
    if body.keys() - known:
        raise bad_request(f"unknown: {', '.join(sorted(body.keys() - known))}")
    for name in DATE_FIELDS:
        if name in body:
            value = body[name]
            write_date(sim, index, name, value and calendar_date(value), via="person", request=request)
    for name, value in body.get("custom_fields", {}).items():
        _set_field(sim, index, name, value, request)
    if "name" in body:
        sim.world.rename({index: str(body["name"])})
    if "site_id" in body or "company_id" in body:
        sim.world.move(index, _destination(sim, body))
    if "vanished" in body:
        (sim.world.vanish if body["vanished"] else sim.world.bring_back)([index])
    return one(sim, request, str(index))


def _set_field(sim: Simulation, index: int, name: str, value: str | None, request: Request) -> None:
    definition = sim.records.named(name)
    if definition is None:
        raise not_found(f"no custom field {name}")
    before = sim.records.write_value(index, definition.id, value, sim.clock())
    record_write(sim, index, field=definition.name, change=(before, value), via="person", request=request)


def _destination(sim: Simulation, body: dict[str, Any]) -> int:
    """Return the site to move to; with a company alone, its first site."""
    if "site_id" in body:
        site = sim.fleet.site(str(body["site_id"]))
        if site is None:
            raise not_found("no such site")
        return site.index
    company = sim.fleet.company(str(body["company_id"]))
    if company is None:
        raise not_found("no such company")
    return company.sites.start


def _sample(sim: Simulation, request: Request) -> list[int]:
    """Return the devices that `share`, `count` or `ids` name; options stand in the query or in the body."""
    options: dict[str, Any] = {**request.query, **request.object()}
    if "ids" in options:
        return [_known(sim, str(each)) for each in options["ids"]]
    number = round(len(sim.world) * float(options["share"])) if "share" in options else int(options.get("count", 1))
    # Without a seed each call draws other devices, and the same calls in the same order draw the same ones.
    return sim.world.sample(number, int(options.get("seed", len(sim.world.names) * 31 + len(sim.world.gone))))


def churn(sim: Simulation, request: Request) -> object:
    """Rename a share of the devices, as a tenant does between two syncs."""
    chosen = _sample(sim, request)
    tag = len(sim.world.names) + 1
    sim.world.rename({index: f"{sim.fleet.device(index).name[:200]} r{tag}" for index in chosen})
    return {"changed": len(chosen)}


def vanish(sim: Simulation, request: Request) -> object:
    """Remove devices."""
    chosen = _sample(sim, request)
    sim.world.vanish(chosen)
    return {"vanished": len(chosen), "ids": [_id(sim, index) for index in chosen[:_MOST]]}


def bring_back(sim: Simulation, request: Request) -> object:
    """Let every vanished device return, or those in `ids`."""
    chosen = _sample(sim, request) if "ids" in request.object() else list(sim.world.gone)
    sim.world.bring_back(chosen)
    return {"returned": len(chosen)}


def added(sim: Simulation, request: Request) -> object:
    """Add `count` new devices to a site, or to the first site of a company."""
    body = request.object()
    made = sim.world.add(int(body.get("count", 1)), _destination(sim, body) if body else 0)
    return {"ids": [_id(sim, index) for index in made]}


def _id(sim: Simulation, index: int) -> str:
    return sim.fleet.values(index)[2][0].decode()
