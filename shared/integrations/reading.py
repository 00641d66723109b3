"""Reading an integration for work: who it is, whether it may be used, and its sealed credentials."""

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.errors import IntegrationInactive, UnknownIntegration
from shared.postgres import Pool, connection

WORKING: Final = ("never_synced", "active")

_READ: Final = """
    select id, account_id, name, region, client_id, client_secret_sealed, credentials_version, status, reason, quirks
    from integrations where id = $1
"""


@dataclass(frozen=True)
class Integration:
    """One integration as its row stands now. The secret stays sealed."""

    id: UUID
    account_id: UUID
    name: str
    region: str
    client_id: str
    client_secret_sealed: str
    credentials_version: int
    status: str
    reason: str | None
    quirks: dict[str, Any]


async def read_integration(pool: Pool, integration_id: UUID) -> Integration:
    """The integration in whatever status but removed.

    Raises UnknownIntegration where there never was one, and IntegrationInactive for a removed one: its messages are
    settled as nothing.
    """
    async with connection(pool) as conn:
        row = await conn.fetchrow(_READ, integration_id)
    if row is None:
        raise UnknownIntegration(integration_id)
    if row["status"] == "removed":
        raise IntegrationInactive(f"integration {integration_id} is removed", integration_id=integration_id)
    return Integration(**dict(row))


async def read_working(pool: Pool, integration_id: UUID) -> Integration:
    """The integration when it may be used. Raises IntegrationInactive for a paused or disabled one."""
    return must_work(await read_integration(pool, integration_id))


def must_work(integration: Integration) -> Integration:
    """The integration itself. Raises IntegrationInactive unless it may be used."""
    if integration.status not in WORKING:
        raise IntegrationInactive(
            f"integration {integration.id} is {integration.status}", integration_id=integration.id
        )
    return integration


async def remember_quirks(pool: Pool, integration_id: UUID, quirks: dict[str, Any]) -> None:
    """Keep what was learned of this tenant's API."""
    async with connection(pool) as conn:
        await conn.execute(
            "update integrations set quirks = quirks || $2::text::jsonb where id = $1",
            integration_id,
            json.dumps(quirks),
        )
