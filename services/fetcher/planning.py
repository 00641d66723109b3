"""How a run's companies become scopes: pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """What one list call covers: a few companies, or one device."""

    company_ids: tuple[str, ...]
    device_id: str | None = None
    site_id: str | None = None


def plan_scopes(company_ids: Sequence[str], companies_per_call: int) -> list[Scope]:
    """Pack companies into list calls, as many as the RMM takes in one; each company is in exactly one scope.

    Pages are limited by company size, not by 500 devices, so packing saves most of the requests.
    """
    unique = list(dict.fromkeys(company_id.lower() for company_id in company_ids))
    return [
        Scope(tuple(unique[start : start + companies_per_call])) for start in range(0, len(unique), companies_per_call)
    ]
