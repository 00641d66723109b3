"""The simulated RMM as a person there sees it: what was written to its devices, and a date that they change."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import quote

import httpx

from lifecycle.exits import Unreachable
from lifecycle.stack.certificates import certificates_for
from shared.dates.calendar import DateField

_SECONDS: Final = 10.0


@dataclass(frozen=True)
class SimulatedRmm:
    """Its control plane, which needs no key. Raises `Unreachable` where it does not answer as it should."""

    base_url: str

    async def dates(self, device_id: str) -> dict[str, Any]:
        """The dates of a device as they stand there, by field, as text or None."""
        found: dict[str, Any] = await self._ask("GET", _device(device_id))
        return found

    async def last_write(self, device_id: str) -> dict[str, Any] | None:
        """The last write to a device that it recorded: `field` in its own words, `before`, `after` and `via`."""
        writes: list[dict[str, Any]] = await self._ask("GET", "writes")
        return next((one for one in reversed(writes) if one["device_id"] == device_id), None)

    async def set_date(self, device_id: str, field: DateField, value: date) -> None:
        """Do what a person in the RMM does: change a date."""
        await self._ask("PATCH", _device(device_id), {field: value.isoformat()})

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        try:
            async with httpx.AsyncClient(
                base_url=self.base_url,
                timeout=_SECONDS,
                verify=certificates_for(self.base_url),
                trust_env=False,  # a proxy from the environment would be asked for 127.0.0.1
            ) as client:
                answer = await client.request(method, f"/_sim/{path}", json=body)
        except httpx.TransportError as error:
            raise Unreachable("the simulated RMM cannot be reached", "look with: lifecycle ps") from error
        if not answer.is_success:
            raise Unreachable(f"the simulated RMM answered {answer.status_code} to {method} {path}", answer.text[:200])
        return answer.json()


def _device(device_id: str) -> str:
    return f"devices/{quote(device_id, safe='')}"
