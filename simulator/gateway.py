"""What stands before every API operation: sign-in, quota, faults, token and scope checks, rate headers."""

import math
from email.utils import formatdate

from simulator.devices import list_v2, scope_of
from simulator.errors import Family, Refused, error_body, not_found
from simulator.faults import Action
from simulator.keys import Key, Token
from simulator.routes import Route, find, rate_limits
from simulator.simulation import Simulation
from simulator.wire import Request, Response, as_json

TOKEN_PATH = "/v1/token"  # noqa: S105 - a path

_EXPIRED = "The access token provided is expired, revoked, malformed, or invalid for other reasons."
_HTML = "<html><head><title>{0} Bad Gateway</title></head><body><center><h1>{0} Bad Gateway</h1></center></body></html>"
_BUCKETS = {
    "asset": ("partner-asset-endpoints-details",),
    "topology": ("partner-topology-clients", "partner-topology-endpoints", "partner-topology-sites"),
    "alerts": ("create-alert",),
    "service": ("rate-limit",),
}


class Call:
    """One API request on its way through the gateway."""

    def __init__(self, sim: Simulation, request: Request) -> None:
        """Look at the request as far as a gateway can without answering it."""
        self.sim = sim
        self.request = request
        self.now = sim.clock()
        self.route, self.parts, self.known_path = find(request)
        self.token = self._token()
        self.key = self._key()
        self.limited = False
        self.action: Action | None = None
        self._note()

    @property
    def name(self) -> str:
        """The operation's name in the statistics."""
        if self.request.path == TOKEN_PATH:
            return "token"
        return self.route.name if self.route else "unknown"

    def _token(self) -> Token | None:
        scheme, _, text = self.request.header("authorization").partition(" ")
        return self.sim.keys.token(text, self.now) if scheme.lower() == "bearer" else None

    def _key(self) -> Key | None:
        if self.request.path == TOKEN_PATH:
            return self.sim.keys.by_client_id(self.request.object().get("client_id"))
        return self.token.key if self.token else None

    def _note(self) -> None:
        """Note companies and cursor, for the record and for fault rules."""
        if self.route is None:
            return
        if self.route.name == "device_list_v2":
            kind, ids = scope_of(self.request)
            self.request.companies = ids if kind == "company" else ()
            cursor = self.request.query.get("cursor", "")
            self.request.cursor = int(cursor) if cursor.isascii() and cursor.isdigit() else 0
        elif self.parts and self.route.name in ("detail_v2", "patch_v2", "company_sites", "company"):
            self.request.companies = (str(self.parts[0]).lower(),)

    def admit(self) -> None:
        """Take the request out of the quota and choose the fault that will happen to it, if any."""
        config = self.sim.config
        if config.quota and self.key:
            window = self.sim.quota_of(self.key)
            self.limited = window.used(self.now) >= config.quota
            if not self.limited or config.quota_counts_rejected:
                window.add(self.now)
        self.sim.recorder.arrived(self.now, limited=self.limited)
        if not self.limited:
            request = self.request
            self.action = self.sim.faults.pick(request.method, request.path, request.companies, request.cursor)

    def answer(self) -> Response:
        """Return the answer, faults applied; a dropped connection is the caller's business."""
        if self.limited:
            response = self._too_many()
        elif self.action and (self.action.status or self.action.html):
            if self.action.apply:
                self._work()
            response = self._broken(self.action)
        else:
            response = self._work()
        if self.action and self.action.truncate:
            response.cut = self.action.truncate == "connection"
            response.body = response.body if response.cut else response.body[: len(response.body) // 2]
        response.headers += self._rate_headers()
        return response

    def _work(self) -> Response:
        try:
            return self._sign_in() if self.request.path == TOKEN_PATH else self._operation()
        except Refused as error:
            style = self.sim.config.error_style
            body = error_body(error.status, error.code, error.text, error.family, style)
            return Response(error.status, body)

    def _family(self) -> Family:
        return self.route.family if self.route else "device"

    def _operation(self) -> Response:
        if self.token is None or (not self.token.key.enabled and self.sim.config.tokens_die_with_key):
            raise Refused(401, "unauthorized request", _EXPIRED, self._family())
        route = self.route
        if route is None:
            raise Refused(405, "method not allowed", "method not allowed") if self.known_path else not_found()
        if route.scopes and not self.token.scopes & set(route.scopes):
            raise Refused(403, "forbidden", "client has no access", route.family)
        return self._handled(route)

    def _handled(self, route: Route) -> Response:
        if route.handler is rate_limits:
            return self._limits()
        if route.handler is list_v2:
            return list_v2(self.sim, self.request, self.parts[0], self.action)
        return route.handler(self.sim, self.request, *self.parts)

    def _sign_in(self) -> Response:
        request = self.request
        if request.method != "POST":
            raise Refused(405, "method not allowed", "method not allowed")
        if request.header("content-type").split(";")[0].strip() != "application/json":
            raise Refused(400, "invalid_request", "content type must be application/json", "token")
        body = request.object()
        if not body:
            raise Refused(400, "invalid_request", "body is not a JSON object", "token")
        token = self.sim.keys.mint(body, self.now, self.sim.config)
        shown = {"access_token": token.text, "scope": " ".join(sorted(token.scopes)), "token_type": "Bearer"}
        return as_json({**shown, "expires_in": self.sim.config.token_ttl_s})

    def _broken(self, action: Action) -> Response:
        status = action.status or 502
        if action.html:
            response = Response(status, _HTML.format(status).encode(), b"text/html; charset=utf-8")
        elif isinstance(action.body, str):
            response = Response(status, action.body.encode(), b"text/plain; charset=utf-8")
        elif action.body is None:
            response = self._usual(status)
        else:
            response = as_json(action.body, status)
        if action.content_type:
            response.content_type = action.content_type.encode()
        response.headers += [(name.lower().encode(), value.encode()) for name, value in action.headers.items()]
        return response

    def _usual(self, status: int) -> Response:
        """Return the answer that the API itself gives with this status."""
        if status == 429:  # noqa: PLR2004 - HTTP
            return Response(429, b"Too Many Requests", b"text/plain; charset=utf-8")
        words = {
            400: ("bad request", "bad request"),
            401: ("unauthorized request", _EXPIRED),
            403: ("forbidden", "client has no access"),
            404: ("not found", "resource not found"),
            500: ("internal server error", "internal error"),
        }
        code, text = words.get(status, ("error", "error"))
        family: Family = "token" if self.request.path == TOKEN_PATH else self._family()
        if family == "token" and status in (400, 401, 403):
            code = "invalid_client"
        return Response(status, error_body(status, code, text, family, self.sim.config.error_style))

    def _limits(self) -> Response:
        limit, remaining, reset = self._rate()
        bucket = {"limit": limit, "remaining": remaining, "reset": reset}
        return as_json({"resources": {name: dict.fromkeys(each, bucket) for name, each in _BUCKETS.items()}})

    def _rate(self) -> tuple[int, int, int]:
        config = self.sim.config
        if self.key is None or not config.quota:
            return 0, 0, 0
        window = self.sim.quota_of(self.key)
        remaining = max(0, config.quota - window.used(self.now))
        return config.quota, remaining, math.ceil(window.free_at(self.now, 1 if remaining else config.quota))

    def _rate_headers(self) -> list[tuple[bytes, bytes]]:
        style = self.sim.config.rate_headers
        if style == "none" or self.key is None or not self.sim.config.quota:
            return []
        values = [str(number).encode() for number in self._rate()]
        plain: list[tuple[bytes, bytes]] = list(zip((b"limit", b"remaining", b"reset"), values, strict=True))
        x = [(b"x-ratelimit-" + name, value) for name, value in plain]
        return (plain if style != "x" else []) + (x if style != "plain" else [])

    def _too_many(self) -> Response:
        assert self.key is not None
        response = self._usual(429)
        free_at = self.sim.quota_of(self.key).free_at(self.now, self.sim.config.quota)
        if self.sim.config.retry_after == "seconds":
            response.headers.append((b"retry-after", str(max(1, math.ceil(free_at - self.now))).encode()))
        elif self.sim.config.retry_after == "date":
            response.headers.append((b"retry-after", formatdate(math.ceil(free_at), usegmt=True).encode()))
        return response
