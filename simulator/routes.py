"""The API's routes: path, methods, scopes, error family and the handler that answers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator import custom_fields, details, devices, topology
from simulator.errors import Family
from simulator.simulation import Simulation
from simulator.wire import Request, Response

Handler = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation; any one of `scopes` is enough."""

    name: str
    method: str
    pattern: re.Pattern[str]
    scopes: tuple[str, ...]
    family: Family
    handler: Handler


LIST = "/api/platform/v2/device/categories/{}/endpoints"
_COMPANY = "/api/platform/v1/company"
_V1, _V2 = "/api/platform/v1/device", "/api/platform/v2/device"
_DETAIL = f"{_V2}/companies/{{}}/sites/{{}}/endpoints/{{}}"
_VALUES = "endpoints/{}/custom-fields"
_DEFINITIONS = "/api/platform/v1/custom-field/definitions"

_COMPANIES_READ, _SITES_READ = ("platform.companies.read",), ("platform.sites.read",)
_DEVICES_READ, _ASSET_READ = ("platform.devices.read",), ("platform.asset.read",)
_DEVICES_WRITE = ("platform.devices.write",)
# Which family of scopes the values need is unknown, so either will do.
_VALUES_READ = ("platform.custom_fields_values.read", "platform.devices.read")
_VALUES_WRITE = ("platform.custom_fields_values.write", "platform.devices.write")
_DEFS_READ, _DEFS_WRITE = (
    ("platform.custom_fields_definitions.read",),
    ("platform.custom_fields_definitions.write",),
)


def rate_limits(sim: Simulation, request: Request) -> Response:
    """Stand for `GET /v1/rate_limits`, which the gateway answers itself because it knows the key."""
    raise NotImplementedError(request.path, sim)


_TABLE: tuple[tuple[str, str, str, tuple[str, ...], Family, Handler], ...] = (
    ("device_list_v2", "POST GET", LIST, _DEVICES_READ, "device", devices.list_v2),
    ("companies", "GET", f"{_COMPANY}/companies", _COMPANIES_READ, "company", topology.list_companies),
    ("company", "GET", f"{_COMPANY}/companies/{{}}", _COMPANIES_READ, "company", topology.one_company),
    ("company_sites", "GET", f"{_COMPANY}/companies/{{}}/sites", _SITES_READ, "company", topology.company_sites),
    ("company_site", "GET", f"{_COMPANY}/companies/{{}}/sites/{{}}", _SITES_READ, "company", topology.company_site),
    ("sites", "GET", f"{_COMPANY}/sites", _SITES_READ, "company", topology.list_sites),
    ("site", "GET", f"{_COMPANY}/sites/{{}}", _SITES_READ, "company", topology.one_site),
    ("heartbeat", "GET", f"{_V2}/endpoints/heartbeat", _DEVICES_READ, "device", devices.heartbeat),
    ("detail_v2", "GET", _DETAIL, _DEVICES_READ, "device", details.detail_v2),
    ("patch_v2", "PATCH", _DETAIL, _DEVICES_WRITE, "device", details.patch_v2),
    ("device_list_v1", "GET", f"{_V1}/endpoints", _ASSET_READ, "device", devices.list_v1_all),
    ("device_list_v1", "GET", f"{_V1}/clients/{{}}/endpoints", _ASSET_READ, "device", devices.list_v1_company),
    ("device_list_v1", "GET", f"{_V1}/clients/{{}}/sites/{{}}/endpoints", _ASSET_READ, "device", devices.list_v1_site),
    ("detail_v1", "GET", f"{_V1}/endpoints/{{}}", _ASSET_READ, "device", details.detail_v1),
    ("patch_v1", "PATCH", f"{_V1}/endpoints/{{}}", _DEVICES_WRITE, "device", details.patch_v1),
    ("definitions", "GET", _DEFINITIONS, _DEFS_READ, "device", custom_fields.list_definitions),
    ("definitions", "POST", _DEFINITIONS, _DEFS_WRITE, "device", custom_fields.create_definition),
    ("values_v2", "GET", f"{_V2}/{_VALUES}", _VALUES_READ, "device", custom_fields.read_v2),
    ("values_v2", "PUT", f"{_V2}/{_VALUES}", _VALUES_WRITE, "device", custom_fields.write_v2),
    ("values_v1", "GET", f"{_V1}/{_VALUES}", _VALUES_READ, "device", custom_fields.read_v1),
    ("values_v1", "PUT", f"{_V1}/{_VALUES}", _VALUES_WRITE, "device", custom_fields.write_v1),
    ("rate_limits", "GET", "/v1/rate_limits", (), "device", rate_limits),
)


def compiled(path: str) -> re.Pattern[str]:
    """Turn a path with `{}` for its variable parts into a pattern."""
    return re.compile(re.escape(path).replace(r"\{\}", "([^/]+)"))


ROUTES: tuple[Route, ...] = tuple(
    Route(name, method, compiled(path), scopes, family, handler)
    for name, methods, path, scopes, family, handler in _TABLE
    for method in methods.split()
)


def find(request: Request) -> tuple[Route | None, tuple[Any, ...], bool]:
    """Return the route and its path parts; the flag tells whether the path exists for another method."""
    known = False
    for route in ROUTES:
        found = route.pattern.fullmatch(request.path)
        if found:
            if route.method == request.method:
                return route, found.groups(), True
            known = True
    return None, (), known
