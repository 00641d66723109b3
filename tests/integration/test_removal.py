"""A removed integration: nothing is done with it, it can be restored for a while, and then its data goes."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.scheduler.clock import Clock
from services.scheduler.settings import SchedulerSettings
from shared.audit import Author
from shared.errors import UnknownIntegration
from shared.integrations import removal
from shared.integrations.changes import ChangeRefused, NameTaken
from shared.integrations.removal import Removed
from shared.postgres import Pool, transaction
from tests.integration.world import World, many

DAY = timedelta(days=1)


@pytest.fixture
def world(pool: Pool, account_id: UUID) -> World:
    return World(pool, account_id)


@pytest.fixture
def author(account_id: UUID) -> Author:
    return Author(account_id, "tess", "test")


@pytest.fixture
def schedulers(world: World) -> Sequence[Clock]:
    addresses: dict[str, Any] = {"amqp_url": "amqp://nobody/", "database_url": "postgresql://nobody/"}
    return [Clock(world.pool, world.outbox, SchedulerSettings(**addresses)) for _ in range(3)]


async def remove(world: World, author: Author, integration_id: UUID, undo_for: timedelta = DAY) -> Removed:
    async with transaction(world.pool) as conn:
        return await removal.remove(conn, author, integration_id, undo_for=undo_for)


async def restore(world: World, author: Author, integration_id: UUID, name: str | None = None) -> str:
    async with transaction(world.pool) as conn:
        changed = await removal.restore(conn, author, integration_id, name=name)
    await world.outbox.publish(*changed.pending)
    return changed.status


async def time_is_over(world: World) -> None:
    await world.execute("update integrations set forget_at = now() - interval '1 second' where forget_at is not null")


async def test_until_its_time_is_over_all_data_stays_and_then_it_goes_once(
    world: World, author: Author, schedulers: Sequence[Clock]
) -> None:
    integration_id = await world.integration()
    other = await world.integration()
    await world.synced(integration_id, *many(5))
    await world.synced(other, *many(3, first=90))
    removed = await remove(world, author, integration_id)
    assert (removed.devices, removed.assets, removed.kept) == (5, 5, 0)
    await schedulers[0].forget_removed()
    assert (await world.count("devices"), await world.count("assets")) == (8, 8)

    await time_is_over(world)
    await asyncio.gather(*(each.forget_removed() for each in schedulers))

    assert (await world.count("devices"), await world.count("assets")) == (3, 3)
    row = await world.row("select * from integrations where id = $1", integration_id)
    assert (row["status"], row["client_secret_sealed"]) == ("removed", None)
    assert row["forgotten_at"] is not None
    assert [each["forget_at"] for each in world.bus.of("integration.removed")] == [None]
    actions = await world.rows("select action, actor from audit_log order by id")
    assert [tuple(each) for each in actions] == [
        ("integration.removed", "tess"),
        ("integration.forgotten", "scheduler"),
    ]
    with pytest.raises(ChangeRefused, match="was deleted at"):
        await restore(world, author, integration_id)


async def test_what_was_restored_in_time_is_not_forgotten(
    world: World, author: Author, schedulers: Sequence[Clock]
) -> None:
    integration_id = await world.integration()
    await world.synced(integration_id, *many(5))
    await remove(world, author, integration_id)
    assert await restore(world, author, integration_id) == "active"
    await time_is_over(world)
    await schedulers[0].forget_removed()
    assert await world.count("devices") == 5
    assert world.bus.types()[-2:] == ["integration.enabled", "sync.requested"]
    with pytest.raises(UnknownIntegration):
        await restore(world, author, integration_id)


@pytest.mark.parametrize("status", ["disabled", "paused_credentials"])
async def test_what_stood_still_when_it_was_removed_comes_back_so(world: World, author: Author, status: str) -> None:
    why: dict[str, Any] = {"reason_code": "why", "reason": "for a reason", "next_action": "do this"}
    integration_id = await world.integration(status=status, **why)
    await remove(world, author, integration_id)
    assert await restore(world, author, integration_id) == status
    row = await world.row("select * from integrations where id = $1", integration_id)
    assert {name: row[name] for name in why} == why
    assert world.bus.types() == ["integration.disabled" if status == "disabled" else "integration.paused"]
    assert await world.count("sync_runs") == 0


async def test_a_name_that_was_taken_meanwhile_is_refused_and_another_one_does(world: World, author: Author) -> None:
    integration_id = await world.integration(name="Acme")
    await remove(world, author, integration_id)
    taken_by = await world.integration(name="ACME")
    with pytest.raises(NameTaken, match=str(taken_by)):
        await restore(world, author, integration_id)
    assert await world.value("select status from integrations where id = $1", integration_id) == "removed"
    assert await restore(world, author, integration_id, "Acme 2") == "active"


async def test_the_data_of_a_removed_one_can_go_before_its_time(world: World, author: Author) -> None:
    integration_id = await world.integration()
    await world.synced(integration_id, *many(5))
    await remove(world, author, integration_id)
    async with transaction(world.pool) as conn:
        removed = await removal.forget_now(conn, author, integration_id)
    assert (removed.devices, removed.forget_at) == (5, None)
    assert await world.count("devices") == 0


async def test_another_account_restores_nothing(world: World, author: Author) -> None:
    integration_id = await world.integration()
    await remove(world, author, integration_id)
    with pytest.raises(UnknownIntegration):
        await restore(world, Author(await world.account(), "eve", "test"), integration_id)
