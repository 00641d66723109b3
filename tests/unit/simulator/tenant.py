"""A simulator in the test's own process, with a signed-in client and a clock that the test moves."""

from typing import Any
from urllib.parse import urlsplit

import httpx

from simulator.app import Application, create_app
from simulator.config import SimulatorConfig

V1, V2 = "/api/platform/v1", "/api/platform/v2"
ALL_FIELDS = "system,os,bios,baseboard,processors,physicalMemory,drives,networks"


class Tenant:
    """One simulator and its client; `now` is what its clock says."""

    def __init__(self, **settings: Any) -> None:
        self.now = 1_800_000_000.0
        self.app: Application = create_app(
            SimulatorConfig.model_validate({"devices": 400, "companies": 6, **settings}), clock=lambda: self.now
        )
        self.sim = self.app.simulation
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://rmm.test")

    @property
    def fleet(self) -> Any:
        return self.sim.fleet

    async def sign_in(self, scope: str = "", **changes: Any) -> httpx.Response:
        key = self.sim.keys.keys["first"]
        body = {"grant_type": "client_credentials", "client_id": key.client_id, "client_secret": key.client_secret}
        answer = await self.client.post("/v1/token", json={**body, "scope": scope, **changes})
        if answer.status_code == 200:
            self.client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    async def page(
        self, *ids: str, category: str = "all", kind: str = "company", method: str = "POST", **query: Any
    ) -> httpx.Response:
        url = f"{V2}/device/categories/{category}/endpoints"
        return await self.client.request(method, url, params=query, json={"resourceType": kind, "resources": list(ids)})

    async def sweep(self, *ids: str, category: str = "all", limit: int = 50, **query: Any) -> list[dict[str, Any]]:
        """Follow `Link` to the end and return every device with the ids of its group."""
        found: list[dict[str, Any]] = []
        cursor: str | None = "0"
        while cursor is not None:
            answer = await self.page(*ids, category=category, limit=limit, cursor=cursor, **query)
            if answer.status_code == 404:
                break
            for groups in answer.json().values():
                found += [
                    {**device, "companyID": group["companyID"], "siteID": group.get("siteID")}
                    for group in groups
                    for device in group["endpoints"]
                ]
            link = answer.links.get("next")
            cursor = str(httpx.QueryParams(urlsplit(link["url"]).query)["cursor"]) if link else None
        return found

    async def everything(self, **query: Any) -> list[dict[str, Any]]:
        return [device for company in self.fleet.companies for device in await self.sweep(company.id, **query)]

    def detail_path(self, index: int, version: int = 2) -> str:
        facts = self.sim.world.facts(index)
        if version == 1:
            return f"{V1}/device/endpoints/{facts.id}"
        return f"{V2}/device/companies/{facts.company_id}/sites/{facts.site_id}/endpoints/{facts.id}"

    async def patch(self, index: int, body: Any, version: int = 2) -> httpx.Response:
        return await self.client.patch(
            self.detail_path(index, version), json=body, headers={"content-type": "application/merge-patch+json"}
        )

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.client.request(method, f"/_sim/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    async def fault(self, match: dict[str, Any], action: dict[str, Any]) -> None:
        await self.control("POST", "faults", {"match": match, "action": action})
