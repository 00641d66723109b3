"""A pause on a real Postgres: what is said of old credentials does not stop the new ones."""

from uuid import UUID

import pytest

from shared.errors import CredentialsOutdated, CredentialsRejected
from shared.integrations.status import PausingIntegrations
from shared.postgres import Pool
from tests.integration.world import World


@pytest.fixture
def world(pool: Pool, account_id: UUID) -> World:
    return World(pool, account_id)


def rejected(integration_id: UUID, version: int | None) -> CredentialsRejected:
    error = CredentialsRejected("the rmm rejects the key", integration_id=integration_id)
    error.credentials_version = version
    return error


async def status(world: World) -> str:
    said: str = await world.value("select status from integrations")
    return said


@pytest.mark.parametrize("version", [2, None])
async def test_what_is_said_of_the_credentials_that_count_pauses_once(world: World, version: int | None) -> None:
    integration = await world.integration(credentials_version=2)
    pause = PausingIntegrations(world.pool, world.outbox, "test")
    for _ in range(2):
        await pause(rejected(integration, version))
    assert await status(world) == "paused_credentials"
    assert len(world.bus.of("integration.paused")) == 1


async def test_a_late_word_of_replaced_credentials_pauses_nothing_and_the_message_is_tried_again(world: World) -> None:
    integration = await world.integration(credentials_version=2)
    run_id = await world.run(integration)
    with pytest.raises(CredentialsOutdated):
        await PausingIntegrations(world.pool, world.outbox, "test")(rejected(integration, 1))
    assert await status(world) == "active"
    assert await world.value("select status from sync_runs where id = $1", run_id) == "running"
    assert world.bus.said == []
