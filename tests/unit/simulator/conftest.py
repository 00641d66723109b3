"""The tenant that most simulator tests talk to."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.unit.simulator.tenant import Tenant

MakeTenant = Callable[..., Awaitable[Tenant]]


@pytest.fixture
async def make_tenant() -> AsyncIterator[MakeTenant]:
    """Return a function that makes a signed-in tenant with the given settings."""
    made: list[Tenant] = []

    async def make(**settings: Any) -> Tenant:
        tenant = Tenant(**settings)
        made.append(tenant)
        assert (await tenant.sign_in()).status_code == 200
        return tenant

    yield make
    for tenant in made:
        await tenant.client.aclose()


@pytest.fixture
async def tenant(make_tenant: MakeTenant) -> Tenant:
    """Return a signed-in tenant with every switch at its default."""
    return await make_tenant()
