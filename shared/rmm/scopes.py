"""The rights that we ask the vendor for, in sets that each get a token of their own (API notes 1 and 7)."""

from enum import StrEnum
from typing import Final

from shared.errors import Pauses

__all__ = [
    "DATE_SCOPES",
    "DEFINE_SCOPES",
    "READ_SCOPES",
    "WRITE_SCOPES",
    "ScopeSet",
    "missing_scopes",
    "pauses_of",
    "scopes_of",
]


class ScopeSet(StrEnum):
    """A set of scopes with one shared token for each integration; the value is its stable name in tables."""

    READ = "read"
    DATES = "dates"
    WRITE = "write"
    DEFINE = "define"


READ_SCOPES: Final = (
    "platform.companies.read",
    "platform.sites.read",
    "platform.devices.read",
    "platform.asset.read",
)

# Apart from the others: the vendor refuses a sign-in with one scope that a key lacks, and lists need none of these.
DATE_SCOPES: Final = (
    "platform.custom_fields_definitions.read",
    "platform.custom_fields_values.read",
)

# Both families: which of them the v2 write of custom fields checks is unknown (API notes 3.2).
WRITE_SCOPES: Final = ("platform.custom_fields_values.write", "platform.devices.write")

# Asked for only where we are configured to create the two fields; an ordinary key lacks it.
DEFINE_SCOPES: Final = ("platform.custom_fields_definitions.write",)

_SETS: Final = {
    ScopeSet.READ: READ_SCOPES,
    ScopeSet.DATES: DATE_SCOPES,
    ScopeSet.WRITE: WRITE_SCOPES,
    ScopeSet.DEFINE: DEFINE_SCOPES,
}
_PAUSES: Final[dict[ScopeSet, Pauses]] = {
    ScopeSet.READ: "integration",
    ScopeSet.DATES: "dates",
    ScopeSet.WRITE: "writing",
    ScopeSet.DEFINE: "writing",
}


def scopes_of(scope_set: ScopeSet) -> tuple[str, ...]:
    """Give the scope words of a set, in the order in which they are asked for."""
    return _SETS[scope_set]


def pauses_of(scope_set: ScopeSet) -> Pauses:
    """Tell what stops where a key lacks a scope of the set; what needs only the other sets goes on."""
    return _PAUSES[scope_set]


def missing_scopes(asked: tuple[str, ...], granted: str) -> tuple[str, ...]:
    """Give the scopes that were asked for and that the echo `granted` lacks; none where there is no echo."""
    words = set(granted.split())
    return tuple(scope for scope in asked if scope not in words) if words else ()
