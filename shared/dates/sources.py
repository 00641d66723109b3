"""Who says a date: `manual`, `lookup:<name>`, `integration:<id>`."""

import re
from typing import Final, Literal
from uuid import UUID

Origin = Literal["manual", "lookup"]
"""How an edit came about; what an integration says is observed, never edited."""

MANUAL: Final = "manual"
_LOOKUP: Final = "lookup:"
_INTEGRATION: Final = "integration:"
_LONGEST_NAME: Final = 100


def edit_source(origin: Origin, name: str) -> str:
    """Return the source of an edit; `name` is the lookup's, in whatever case and spacing."""
    if origin == MANUAL:
        return MANUAL
    plain = re.sub(r"[\s:]+", "-", name.strip().casefold())[:_LONGEST_NAME].strip("-")
    return f"{_LOOKUP}{plain or 'unnamed'}"


def integration_source(integration_id: UUID) -> str:
    """Return the source that an integration is."""
    return f"{_INTEGRATION}{integration_id}"


def is_integration(source: str) -> bool:
    """Tell whether a source is what some RMM says."""
    return source.startswith(_INTEGRATION)


def may_be_written(origin: str | None) -> bool:
    """Tell whether a value of this origin may go into an RMM: the origin gate.

    What was read from one integration is never written into another, or two tenants would fill each other for ever.
    """
    return origin is not None and not is_integration(origin)
