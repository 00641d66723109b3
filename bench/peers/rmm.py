"""The vendor's API as a script reads it: one token, the companies, then the pages of their devices."""

from collections.abc import Iterator
from typing import Any

import orjson
import requests

# As many as one call takes; the pipeline packs its list calls the same way.
_COMPANIES_A_CALL = 4
_SECTIONS = "system,os,bios,baseboard,processors,physicalMemory,drives,networks"
_SCOPES = "platform.companies.read platform.sites.read platform.devices.read"


class Rmm:
    """A session with a token."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        answer = self._session.post(
            f"{url}/v1/token",
            json={
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": client_secret,
                "scope": _SCOPES,
            },
            timeout=60,
        )
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def companies(self) -> dict[str, str]:
        """Names by id in lower case."""
        found = self._get("/api/platform/v1/company/companies")
        rows = found if isinstance(found, list) else next(value for value in found.values() if isinstance(value, list))
        return {_id_of(row): row.get("friendlyName") or row.get("name") or "" for row in rows}

    def pages(self, companies: list[str]) -> Iterator[list[tuple[str, str | None, dict[str, Any]]]]:
        """Pages of (company, site, device), each at most 500 devices."""
        for start in range(0, len(companies), _COMPANIES_A_CALL):
            yield from self._pages_of(companies[start : start + _COMPANIES_A_CALL])

    def _pages_of(self, companies: list[str]) -> Iterator[list[tuple[str, str | None, dict[str, Any]]]]:
        url = f"{self._url}/api/platform/v2/device/categories/platform/endpoints"
        query: dict[str, str] | None = {"limit": "500", "field": _SECTIONS}
        while url:
            answer = self._session.post(
                url, params=query, json={"resourceType": "company", "resources": companies}, timeout=60
            )
            if answer.status_code == requests.codes.not_found:
                return
            answer.raise_for_status()
            groups = orjson.loads(answer.content).get("platform") or []
            yield [
                (group["companyID"].lower(), (group.get("siteID") or "").lower() or None, device)
                for group in groups
                for device in group["endpoints"]
            ]
            url, query = answer.links.get("next", {}).get("url"), None
            if url and url.startswith("/"):
                url = self._url + url

    def _get(self, path: str) -> Any:
        answer = self._session.get(self._url + path, timeout=60)
        answer.raise_for_status()
        return orjson.loads(answer.content)


def _id_of(row: dict[str, Any]) -> str:
    return str(row.get("id") or row.get("companyId") or row.get("companyID")).lower()
