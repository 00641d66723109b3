"""Asking for a sync more than once: one run at a time, whoever asks and however often the event comes."""

import asyncio
from uuid import uuid4

from shared.events import IntegrationCreated, SyncRequested, new_event
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support import queues
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.queues import Said
from tests.support.stage import Stage
from tests.support.waiting import until


async def test_an_integration_that_is_announced_ten_times_at_once_has_one_run(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=6, latency_ms=50)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    (created,) = await queues.journal(stage.amqp_url, "integration.created")
    # The same event again, and foreign ones of other ids that name no run.
    foreign = [
        new_event(IntegrationCreated(integration_id=added.id), source="test", account_id=stage.account_id)
        for _ in range(5)
    ]
    await queues.publish(
        stage.amqp_url,
        [created] * 5 + [Said(event.type, event.model_dump_json().encode(), {}) for event in foreign],
    )
    flow = await in_process(stage, rmm, replicas=2, rmm_page_size=40)

    run = await desk.ended(added.run_id)

    assert run["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    assert await desk.value("select count(*) from sync_runs") == 1
    await books.check(rmm, added.id)


async def test_a_request_while_a_run_is_going_joins_it(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=6, latency_ms=50)
    flow = await in_process(stage, rmm, rmm_page_size=30)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.pages_read(added.run_id, 2)

    joined = [await desk.sync(added.id), await desk.sync(added.id, kind="company", target="whichever")]
    foreign = new_event(SyncRequested(integration_id=added.id), source="test", account_id=stage.account_id)
    await stage.bus(foreign)

    assert [(request.run_id, request.joined) for request in joined] == [(added.run_id, True)] * 2
    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    await books.quiet()
    assert await desk.value("select count(*) from sync_runs") == 1
    # When it has ended, the next request is a run of its own, and the same request again is the same run.
    again = new_event(SyncRequested(integration_id=added.id), source="test", account_id=stage.account_id)
    for _ in range(3):
        await stage.bus(again)

    async def two_ended() -> bool:
        return bool(await desk.value("select count(*) = 2 and bool_and(status = 'succeeded') from sync_runs"))

    await until("the second run has ended", two_ended)
    await stage.bus(again)
    await books.quiet()
    await flow.stop()
    assert await desk.value("select count(*) from sync_runs") == 2
    await books.check(rmm, added.id)


async def test_ten_people_who_ask_at_once_get_one_run(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=200, companies=4)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)

    requests = await asyncio.gather(*(desk.sync(added.id) for _ in range(10)))

    assert len({request.run_id for request in requests}) == 1
    assert sum(not request.joined for request in requests) == 1
    assert (await desk.ended(requests[0].run_id))["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_company_and_a_device_can_be_read_alone_and_judge_nobody(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=6)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    devices = await rmm.devices()
    company = next(iter(devices.values()))["company_id"]
    inside = [key for key, device in devices.items() if device["company_id"] == company]
    await rmm.control("POST", "vanish", {"ids": inside[:2]})
    await rmm.control("PATCH", f"devices/{inside[2]}", {"name": "renamed"})

    alone = await desk.ended((await desk.sync(added.id, kind="device", target=inside[2])).run_id)
    whole = await desk.ended((await desk.sync(added.id, kind="company", target=company)).run_id)

    assert (alone["status"], alone["seen"], alone["missing"]) == ("succeeded", 1, 0)
    assert (whole["status"], whole["seen"], whole["missing"]) == ("succeeded", len(inside) - 2, 0)
    name = await desk.value(
        "select a.name from devices d join assets a on a.id = d.asset_id where d.device_id = $1", inside[2]
    )
    assert name == "renamed"
    assert await desk.states(added.id) == {"active": len(devices)}
    unknown = await desk.ended((await desk.sync(added.id, kind="company", target=str(uuid4()))).run_id)
    assert (unknown["status"], unknown["reason_code"]) == ("failed", "no_such_target")
    await rmm.control("POST", "return", {"ids": inside[:2]})
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)
