"""What surrounds a client in a test: a budget, tokens and a vendor that is a function."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from shared.errors import QuotaExhausted
from shared.rmm.client import RmmClient
from shared.rmm.connection import Connection, Limits, new_http_client
from shared.rmm.quirks import Quirks
from shared.rmm.rates import Priority, RateReading
from shared.rmm.scopes import ScopeSet

INTEGRATION = UUID("00000000-0000-4000-8000-00000000000a")
BASE = "https://rmm.test"
COMPANY = "7d0f6d0e-3f0b-4c58-9f1e-0c8d9a4b1111"
COMPANY_2 = "7d0f6d0e-3f0b-4c58-9f1e-0c8d9a4b2222"
SITE = "51c20000-3f0b-4c58-9f1e-0c8d9a4b0001"
DEVICE = "a978a23b-3f0b-4c58-9f1e-0c8d9a4b0002"
LIST_PATH = "/api/platform/v2/device/categories/platform/endpoints"

Handler = Callable[[httpx.Request], httpx.Response]


@dataclass
class FakeBudget:
    """Gives `left` requests, then says how long to wait."""

    left: int = 1000
    taken: list[Priority] = field(default_factory=list)
    readings: list[RateReading] = field(default_factory=list)

    async def take(self, priority: Priority) -> None:
        if self.left <= 0:
            raise QuotaExhausted(timedelta(seconds=42))
        self.left -= 1
        self.taken.append(priority)

    async def corrected(self, reading: RateReading) -> None:
        self.readings.append(reading)


@dataclass
class FakeTokens:
    """Gives `token-1`, and the next number for every token that was refused."""

    asked: list[tuple[ScopeSet, str | None]] = field(default_factory=list)
    number: int = 1

    async def get(self, scope_set: ScopeSet, *, not_this: str | None) -> str:
        self.asked.append((scope_set, not_this))
        if not_this is not None:
            self.number += 1
        return f"token-{self.number}"


class World:
    """A client whose vendor is `answer`; `requests` are those that the vendor saw."""

    def __init__(
        self, answer: Handler | Sequence[httpx.Response], *, quirks: Quirks | None = None, **limits: Any
    ) -> None:
        self.requests: list[httpx.Request] = []
        self.budget = FakeBudget()
        self.tokens = FakeTokens()
        self.quirks = quirks or Quirks()
        queue = None if callable(answer) else list(answer)

        def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return answer(request) if callable(answer) else queue.pop(0)  # type: ignore[union-attr]

        self.http = new_http_client(transport=httpx.MockTransport(handle))
        self.limits = Limits(**limits)
        self.client = RmmClient(
            self.http, BASE, self.tokens, self.budget, self.quirks, integration_id=INTEGRATION, limits=self.limits
        )

    def connection(self) -> Connection:
        return Connection(self.http, BASE, self.budget, self.limits)

    @property
    def seen(self) -> list[str]:
        """Method and path of each request."""
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def sent(self, place: int = -1) -> Any:
        """Give the JSON that a request carried."""
        return json.loads(self.requests[place].content)


def ok(body: Any, *, link: str | None = None, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body, headers={"Link": link} if link else None)


def refused(status: int, description: str = "because", error: str = "bad request") -> httpx.Response:
    """Make an error in the shape of SPEC-A."""
    return httpx.Response(status, json={"error": error, "description": description})


NOT_FOUND = {"error": "not found", "description": "resource not found"}


def not_found() -> httpx.Response:
    return httpx.Response(404, json=NOT_FOUND)


def html(status: int) -> httpx.Response:
    return httpx.Response(status, html="<!DOCTYPE html><html><body>secret-canary</body></html>")


def page(*groups: dict[str, Any], category: str = "platform") -> dict[str, Any]:
    return {category: list(groups)}


def group(company: str | None = COMPANY, devices: int = 1, site: str | None = SITE, start: int = 0) -> dict[str, Any]:
    made: dict[str, Any] = {"endpoints": [{"endpointID": f"e-{start + n}"} for n in range(devices)]}
    if company:
        made["companyID"] = company
    if site:
        made["siteID"] = site
    return made


def next_link(cursor: int, base: str = BASE + LIST_PATH) -> str:
    return f'<{base}?limit=500&cursor={cursor}>; rel="next"'
