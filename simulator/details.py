"""Device details, and the PATCH of the two native dates that the product assumes."""

import msgspec

from simulator.devices import asked_sections
from simulator.errors import Refused, bad_request, not_found
from simulator.layouts import SECTIONS
from simulator.recorder import Change
from simulator.records import DATE_FIELDS, calendar_date
from simulator.simulation import Simulation
from simulator.wire import Request, Response

MERGE_PATCH = "application/merge-patch+json"


def detail_v2(sim: Simulation, request: Request, company_id: str, site_id: str, device_id: str) -> Response:
    """Answer one device by its company and site; a wrong site is a 404."""
    index = _placed(sim, company_id, site_id, device_id)
    return _detail(sim, index, asked_sections(sim, request), v1=False)


def detail_v1(sim: Simulation, request: Request, device_id: str) -> Response:
    """Answer the full asset of one device."""
    del request
    return _detail(sim, device_index(sim, device_id), frozenset(SECTIONS), v1=True)


def patch_v2(sim: Simulation, request: Request, company_id: str, site_id: str, device_id: str) -> Response:
    """Merge the two dates into one device, by the v2 path."""
    _check_patch(sim, request, "v2")
    index = _placed(sim, company_id, site_id, device_id)
    return _patched(sim, request, index, asked_sections(sim, request), v1=False)


def patch_v1(sim: Simulation, request: Request, device_id: str) -> Response:
    """Merge the two dates into one device, by the v1 path."""
    _check_patch(sim, request, "v1")
    return _patched(sim, request, device_index(sim, device_id), frozenset(SECTIONS), v1=True)


def device_index(sim: Simulation, device_id: str) -> int:
    """Return the index of a device that exists, or raise the 404."""
    index = sim.world.index_of(device_id)
    if index is None:
        raise not_found()
    return index


def _placed(sim: Simulation, company_id: str, site_id: str, device_id: str) -> int:
    index = device_index(sim, device_id)
    site = sim.fleet.sites[sim.world.site_of(index)]
    if (sim.fleet.companies[site.company].id, site.id) != (company_id.lower(), site_id.lower()):
        raise not_found()
    return index


def _members(sim: Simulation) -> dict[str, str]:
    """Return the native member names and the dates they show."""
    return dict(zip((sim.config.purchase_member, sim.config.warranty_member), DATE_FIELDS, strict=True))


def _detail(sim: Simulation, index: int, asked: frozenset[str], *, v1: bool) -> Response:
    now = sim.clock()
    body = sim.pages.detail(index, asked - set(sim.config.missing_details), now, v1=v1)
    if sim.config.patch_mode != "off":
        dates = {member: sim.records.read(index, name, now) for member, name in _members(sim).items()}
        body = body[:-1] + b"," + msgspec.json.encode(dates)[1:]
    return Response(body=body, devices=1)


def _check_patch(sim: Simulation, request: Request, path: str) -> None:
    """Refuse in the order of a gateway: no such method, not for you, not this format."""
    config = sim.config
    if config.patch_mode == "off" or config.patch_paths not in ("both", path):
        words = {404: "not found", 405: "method not allowed", 501: "not implemented"}
        raise Refused(config.patch_off_status, words[config.patch_off_status], "the resource cannot be patched")
    if config.patch_mode == "forbidden":
        raise Refused(403, "forbidden", "client has no access")
    if request.header("content-type").split(";")[0].strip() != MERGE_PATCH:
        raise Refused(415, "unsupported media type", f"content type must be {MERGE_PATCH}")


def _changes(sim: Simulation, request: Request) -> dict[str, str | None]:
    body = request.object()
    if not body:
        raise bad_request("body must be a JSON object with members")
    members, found = _members(sim), dict[str, str | None]()
    for member, value in body.items():
        if member not in members:
            raise bad_request(f"unknown member: {member}")
        try:
            found[members[member]] = None if value is None else calendar_date(value)
        except (TypeError, ValueError):
            raise bad_request(f"not a date: {member}") from None
    return found


def _patched(sim: Simulation, request: Request, index: int, asked: frozenset[str], *, v1: bool) -> Response:
    changes = _changes(sim, request)
    if sim.config.patch_mode != "unchanged":
        for name, value in changes.items():
            write_date(sim, index, name, value, via="patch", request=request)
    if sim.config.patch_status == 204:  # noqa: PLR2004 - the switch's own value
        return Response(204)
    return _detail(sim, index, asked, v1=v1)


def write_date(sim: Simulation, index: int, name: str, value: str | None, *, via: str, request: Request) -> None:
    """Write one date and remember that it was written, even when it is the same as before."""
    now = sim.clock()
    before = sim.records.write_date(index, name, value, now)
    record_write(sim, index, field=name, change=(before, value), via=via, request=request)


def record_write(sim: Simulation, index: int, *, field: str, change: Change, via: str, request: Request) -> None:
    """Remember one write to a device."""
    device_id = sim.fleet.values(index)[2][0].decode()
    request_id = request.header("x-request-id")
    sim.recorder.write(sim.clock(), device_id, field=field, change=change, via=via, request_id=request_id)
