"""A page for people: the key, the devices with their two dates, and faults, so both sides of a sync can be watched.

Server-rendered and without scripts. It changes the same state as the control plane, which is what programs use.
"""

from collections.abc import Callable
from html import escape
from urllib.parse import parse_qs, urlsplit

from simulator.details import write_date
from simulator.faults import Action, Match, Rule
from simulator.records import DATE_FIELDS, PURCHASE, WARRANTY, calendar_date
from simulator.simulation import Simulation
from simulator.wire import Request, Response

_PAGE = 25
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .5rem;border-bottom:1px solid #8884}"
    "form{display:inline}section{margin:2rem 0}code{user-select:all}:root{color-scheme:light dark}"
)

FAULTS: dict[str, tuple[str, Rule]] = {
    "401": ("Answer the next request 401", Rule(match=Match(path="^/api/", times=1), action=Action(status=401))),
    "403": ("Refuse all writes with 403", Rule(match=Match(method="PUT"), action=Action(status=403))),
    "403p": ("Refuse all PATCH with 403", Rule(match=Match(method="PATCH"), action=Action(status=403))),
    "429": ("Answer the next ten requests 429", Rule(match=Match(times=10), action=Action(status=429))),
    "slow": ("Make every answer 2 s slower", Rule(action=Action(delay_ms=2000))),
    "shift": (
        "Shift the next page of a list",
        Rule(match=Match(cursor_min=1, times=1), action=Action(page_shift="earlier")),
    ),
}
"""The fault buttons."""

_Form = dict[str, str]


def answer(sim: Simulation, request: Request) -> Response:
    """Answer the page, or carry out one of its buttons and go back to it."""
    if request.method == "GET" and request.path == "/":
        return Response(body=_page(sim, request).encode(), content_type=b"text/html; charset=utf-8")
    action = _ACTIONS.get(request.path)
    if request.method != "POST" or action is None:
        return Response(404, b"not found", b"text/plain; charset=utf-8")
    source = request.header("origin")
    if source and urlsplit(source).netloc != request.header("host"):
        # A page of another site must not press the buttons of somebody's running simulator.
        return Response(403, b"wrong origin", b"text/plain; charset=utf-8")
    form = {name: values[0] for name, values in parse_qs(request.body.decode(), keep_blank_values=True).items()}
    try:
        action(sim, form, request)
    except (ValueError, KeyError) as error:
        return Response(400, f"refused: {error}".encode(), b"text/plain; charset=utf-8")
    cursor = int(form.get("cursor") or 0)
    return Response(303, headers=[(b"location", f"/?cursor={cursor}".encode())])


def _key_action(sim: Simulation, form: _Form, request: Request) -> None:
    del request
    key = sim.keys.keys[form["key"]]
    if form["do"] == "regenerate":
        sim.keys.regenerate(key, tokens_die=sim.config.tokens_die_with_key)
    else:
        key.enabled = form["do"] == "on"
        if not key.enabled and sim.config.tokens_die_with_key:
            sim.keys.end_tokens(key)


def _generate(sim: Simulation, form: _Form, request: Request) -> None:
    del form, request
    sim.keys.create("key", sim.config.scopes)


def _device_action(sim: Simulation, form: _Form, request: Request) -> None:
    index = int(form["device"])
    if not 0 <= index < sim.world.limit:
        raise ValueError(f"no device {index}")
    if form["do"] == "vanish":
        sim.world.vanish([index])
        return
    dates = {name: calendar_date(form[name]) if form[name] else None for name in DATE_FIELDS}
    for name, value in dates.items():
        if value != sim.records.read(index, name):
            write_date(sim, index, name, value, via="person", request=request)


def _fault_action(sim: Simulation, form: _Form, request: Request) -> None:
    del request
    if form["do"] == "clear":
        sim.faults.remove()
    else:
        sim.faults.add(FAULTS[form["do"]][1])


def _return_all(sim: Simulation, form: _Form, request: Request) -> None:
    del form, request
    sim.world.bring_back(list(sim.world.gone))


_ACTIONS: dict[str, Callable[[Simulation, _Form, Request], None]] = {
    "/portal/key": _key_action,
    "/portal/generate": _generate,
    "/portal/device": _device_action,
    "/portal/return": _return_all,
    "/portal/fault": _fault_action,
}


def _button(path: str, label: str, **fields: object) -> str:
    hidden = "".join(f'<input type="hidden" name="{n}" value="{escape(str(v))}">' for n, v in fields.items())
    return f'<form method="post" action="/portal/{path}">{hidden}<button>{escape(label)}</button></form> '


def _page(sim: Simulation, request: Request) -> str:
    text = request.query.get("cursor", "")
    cursor = int(text) if text.isascii() and text.isdigit() else 0
    sections = "".join((_keys(sim), _devices(sim, cursor), _faults(sim)))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>RMM simulator</title>'
        f"<style>{_STYLE}</style></head><body><h1>RMM simulator</h1>"
        f"<p>{len(sim.world)} devices in {len(sim.fleet.companies)} companies, seed {sim.fleet.seed}; "
        f"{sim.recorder.requests_total} requests and {sim.recorder.writes_total} writes so far.</p>{sections}"
        "</body></html>"
    )


def _keys(sim: Simulation) -> str:
    switch = {True: ("Switch off", "off"), False: ("Switch on", "on")}
    rows = "".join(
        f"<tr><td>{escape(key.name)}<td><code>{escape(key.client_id)}</code><td><code>{escape(key.client_secret)}</code>"
        f"<td>{'on' if key.enabled else 'off'}<td>{_button('key', 'Regenerate', key=key.name, do='regenerate')}"
        f"{_button('key', switch[key.enabled][0], key=key.name, do=switch[key.enabled][1])}"
        for key in sim.keys.keys.values()
    )
    head = "<tr><th>Key<th>Client ID<th>Client secret<th>State<th>"
    return f"<section><h2>API access</h2><table>{head}{rows}</table>{_button('generate', 'Generate')}</section>"


def _devices(sim: Simulation, cursor: int) -> str:
    alive = sim.world.alive(cursor)
    rows, following = "", ""
    for number, index in enumerate(alive):
        if number == _PAGE:
            following = f'<a href="/?cursor={index}">Next</a>'
            break
        rows += _device_row(sim, index, cursor)
    head = "<tr><th>Device<th>Serial number<th>Company<th>Purchase and warranty expiration date<th>"
    back = _button("return", "Bring vanished devices back", cursor=cursor) if sim.world.gone else ""
    return f'<section><h2>Devices</h2><table>{head}{rows}</table><p><a href="/">First</a> {following} {back}</section>'


def _device_row(sim: Simulation, index: int, cursor: int) -> str:
    facts = sim.world.facts(index)
    company = sim.fleet.company(facts.company_id)
    inputs = "".join(
        f'<input type="date" aria-label="{label}" name="{name}" value="{sim.records.read(index, name) or ""}"> '
        for name, label in ((PURCHASE, "Purchase date"), (WARRANTY, "Warranty expiration date"))
    )
    hidden = f'<input type="hidden" name="device" value="{index}"><input type="hidden" name="cursor" value="{cursor}">'
    return (
        f"<tr><td>{escape(facts.name)}<td>{escape(facts.serial_number)}<td>{escape(company.name if company else '')}"
        f'<td><form method="post" action="/portal/device">{hidden}{inputs}<button name="do" value="save">Save</button>'
        f"</form><td>{_button('device', 'Make vanish', device=index, cursor=cursor, do='vanish')}"
    )


def _faults(sim: Simulation) -> str:
    buttons = "".join(_button("fault", label, do=name) for name, (label, _) in FAULTS.items())
    active = "".join(f"<li>{escape(str(armed.shown()))}" for armed in sim.faults.rules.values())
    clear = _button("fault", "Clear all", do="clear") if active else ""
    return f"<section><h2>Faults</h2>{buttons}{clear}<ul>{active}</ul></section>"
