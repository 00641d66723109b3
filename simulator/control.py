"""The control plane `/_sim/`: keys, faults, configuration and what was seen; no sign-in, and no part of the quota."""

import re
from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec
from pydantic import ValidationError

from simulator import control_devices
from simulator.errors import Refused, bad_request, not_found
from simulator.faults import Rule
from simulator.keys import Key
from simulator.routes import compiled
from simulator.simulation import Simulation
from simulator.wire import Request, Response, as_json

Handler = Callable[..., object]


def _faults(sim: Simulation, request: Request) -> object:
    del request
    return [armed.shown() for armed in sim.faults.rules.values()]


def _add_faults(sim: Simulation, request: Request) -> object:
    try:
        one_or_more = b"[%b]" % request.body if request.body.lstrip().startswith(b"{") else request.body
        rules = [Rule.model_validate(each) for each in msgspec.json.decode(one_or_more, type=list[dict[str, Any]])]
        return [sim.faults.add(rule).shown() for rule in rules]
    except re.error as error:
        raise bad_request(f"bad path pattern: {error}") from error


def _clear_faults(sim: Simulation, request: Request) -> object:
    del request
    sim.faults.remove()
    return []


def _drop_fault(sim: Simulation, request: Request, rule_id: str) -> object:
    sim.faults.remove(int(rule_id))
    return _faults(sim, request)


def _keys(sim: Simulation, request: Request) -> object:
    del request
    return [key.shown() for key in sim.keys.keys.values()]


def _add_key(sim: Simulation, request: Request) -> object:
    body = request.object()
    scopes = body.get("scopes")
    return sim.keys.create(str(body.get("name") or "key"), tuple(scopes) if scopes else sim.config.scopes).shown()


def _key(sim: Simulation, name: str) -> Key:
    found = sim.keys.keys.get(name)
    if found is None:
        raise not_found(f"no key {name}")
    return found


def _regenerate(sim: Simulation, request: Request, name: str) -> object:
    die = request.object().get("tokens_die", sim.config.tokens_die_with_key)
    sim.keys.regenerate(_key(sim, name), tokens_die=bool(die))
    return _key(sim, name).shown()


def _enable(sim: Simulation, request: Request, name: str) -> object:
    del request
    _key(sim, name).enabled = True
    return _key(sim, name).shown()


def _disable(sim: Simulation, request: Request, name: str) -> object:
    key = _key(sim, name)
    key.enabled = False
    if request.object().get("tokens_die", sim.config.tokens_die_with_key):
        sim.keys.end_tokens(key)
    return key.shown()


def _scopes(sim: Simulation, request: Request, name: str) -> object:
    key = _key(sim, name)
    key.scopes = tuple(str(each) for each in request.object().get("scopes", ()))
    sim.keys.end_tokens(key)
    return key.shown()


def _end_tokens(sim: Simulation, request: Request, name: str) -> object:
    del request
    sim.keys.end_tokens(_key(sim, name))
    return _key(sim, name).shown()


def _config(sim: Simulation, request: Request) -> object:
    del request
    return sim.config.model_dump(mode="json", exclude={"client_secret"})


def _configure(sim: Simulation, request: Request) -> object:
    sim.configure(sim.config.changed(request.object()))
    return _config(sim, request)


def _reset(sim: Simulation, request: Request) -> object:
    sim.reset()
    return _keys(sim, request)


def _stats(sim: Simulation, request: Request) -> object:
    del request
    return sim.recorder.stats()


def _since(request: Request) -> int:
    return int(request.query.get("since") or 0)


def _newer(entries: Any, total: int, since: int) -> list[Any]:
    """Return the kept entries numbered above `since`; they are numbered without gaps."""
    skip = max(0, since - (total - len(entries)))
    return list(islice(entries, skip, None))


def _requests(sim: Simulation, request: Request) -> object:
    return _newer(sim.recorder.requests, sim.recorder.requests_total, _since(request))


def _writes(sim: Simulation, request: Request) -> object:
    return _newer(sim.recorder.writes, sim.recorder.writes_total, _since(request))


_TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/_sim/faults", _faults),
    ("POST", "/_sim/faults", _add_faults),
    ("DELETE", "/_sim/faults", _clear_faults),
    ("DELETE", "/_sim/faults/{}", _drop_fault),
    ("GET", "/_sim/keys", _keys),
    ("POST", "/_sim/keys", _add_key),
    ("POST", "/_sim/keys/{}/regenerate", _regenerate),
    ("POST", "/_sim/keys/{}/enable", _enable),
    ("POST", "/_sim/keys/{}/disable", _disable),
    ("POST", "/_sim/keys/{}/scopes", _scopes),
    ("POST", "/_sim/keys/{}/end_tokens", _end_tokens),
    ("GET", "/_sim/config", _config),
    ("PATCH", "/_sim/config", _configure),
    ("POST", "/_sim/reset", _reset),
    ("GET", "/_sim/stats", _stats),
    ("GET", "/_sim/requests", _requests),
    ("GET", "/_sim/writes", _writes),
    ("GET", "/_sim/count", control_devices.count),
    ("GET", "/_sim/devices", control_devices.listed),
    ("POST", "/_sim/devices", control_devices.added),
    ("GET", "/_sim/devices/{}", control_devices.one),
    ("PATCH", "/_sim/devices/{}", control_devices.changed),
    ("POST", "/_sim/churn", control_devices.churn),
    ("POST", "/_sim/vanish", control_devices.vanish),
    ("POST", "/_sim/return", control_devices.bring_back),
)
_ROUTES = tuple((method, compiled(path), handler) for method, path, handler in _TABLE)


def answer(sim: Simulation, request: Request) -> Response:
    """Answer a control request; mistakes are 400s that say what is wrong."""
    for method, pattern, handler in _ROUTES:
        found = pattern.fullmatch(request.path)
        if found and method == request.method:
            return _answered(sim, request, handler, found.groups())
    return as_json({"error": f"no such control: {request.method} {request.path}"}, 404)


def _answered(sim: Simulation, request: Request, handler: Handler, parts: tuple[Any, ...]) -> Response:
    try:
        return as_json(handler(sim, request, *parts))
    except Refused as error:
        return as_json({"error": error.text}, error.status)
    except (ValidationError, msgspec.DecodeError, ValueError, TypeError) as error:
        return as_json({"error": str(error)}, 400)
