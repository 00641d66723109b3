"""Messages that are no messages: each is parked with its reason and a next action, and the others flow."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from shared import topology
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support import queues
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.queues import Said
from tests.support.rmm import LISTS
from tests.support.stage import Stage
from tests.support.waiting import until

TAKEN = topology.WORK_QUEUES


def event(event_type: str, **changes: Any) -> bytes:
    """An event of this type with nothing in it."""
    envelope = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/stranger",
        "type": event_type,
        "time": "2026-08-01T10:00:00Z",
        "data": {},
    }
    return json.dumps({**envelope, **changes}).encode()


POISONS: dict[str, Callable[[str], bytes]] = {
    "not-json": lambda _: b"\x00\xff not json {",
    "empty": lambda _: b"",
    "a-number": lambda _: b"17",
    "nested-deeply": lambda _: b"[" * 100_000,
    "no-data": lambda kind: event(kind, data=None),
    "members-missing": event,
    "of-another-type": lambda _: event("weather.forecast"),
}

VERSIONED = {
    "sync.page_due": "fetcher.pages",
    "device.page_fetched": "normalizer.pages",
    "asset.page_normalized": "writer.pages",
}


async def test_poison_in_every_work_queue_is_parked_with_its_reason_and_the_others_flow(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=200, companies=4)
    messages = [
        Said(topology.work_key(queue.name, "poison"), make(queue.event_types[0]), {"x-attempt": "many"})
        for queue in TAKEN
        for make in POISONS.values()
    ]
    await queues.publish(stage.amqp_url, messages, exchange=topology.WORK)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)

    added = await desk.add_integration(rmm)
    run = await desk.ended(added.run_id)

    assert run["status"] == "succeeded"

    async def all_parked() -> bool:
        return len(await desk.parked()) >= len(messages)

    await until("all poison is parked", all_parked)
    parked = await desk.parked()
    assert {row["reason_code"] for row in parked} == {"bad_message"}
    assert all(row["reason"] and row["next_action"] for row in parked)
    assert all(row["traceback"] is None for row in parked), "poison is no bug of ours"
    by_queue = {queue.name: sorted(row["body"] for row in parked if row["queue"] == queue.name) for queue in TAKEN}
    sent = {
        queue.name: sorted(said.body for said in messages if said.routing_key.endswith(queue.name)) for queue in TAKEN
    }
    assert by_queue == sent, "a parked message keeps its body byte for byte"
    await books.quiet()
    await flow.stop()
    expected = {(queue.name, "bad_message"): len(POISONS) for queue in TAKEN}
    await books.check(rmm, added.id, parked=expected)


async def test_an_event_of_a_version_that_we_do_not_know_is_kept_for_a_newer_build(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=100, companies=3)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    kinds = {said.routing_key: said for said in await queues.journal(stage.amqp_url, *VERSIONED)}
    assert kinds.keys() == VERSIONED.keys()
    newer = {kind: json.dumps({**json.loads(said.body), "dataversion": 99}).encode() for kind, said in kinds.items()}
    for kind, body in newer.items():
        await stage.bus.publish_body(kind, body, "story", "zstd" if kind in topology.PAGE_EVENTS else "identity")

    async def all_parked() -> bool:
        return len(await desk.parked()) == len(newer)

    await until("the newer events are parked", all_parked)
    assert {row["body"] for row in await desk.parked()} == set(newer.values()), "a person reads them, packed or not"
    await books.quiet()
    await flow.stop()
    expected = {(queue, "unknown_event_version"): 1 for queue in VERSIONED.values()}
    await books.check(rmm, added.id, parked=expected)


async def test_devices_that_cannot_be_mapped_are_rejects_and_their_neighbours_are_stored(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=40, companies=1)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    held = await rmm.devices()
    one = next(iter(held.values()))
    endpoints: list[Any] = [{"endpointID": key, "deviceName": device["name"]} for key, device in held.items()]
    bad: list[Any] = [{"deviceName": "nobody"}, {"endpointID": None}, {"endpointID": ""}, 17, None, ["list"], "text"]
    page = {"platform": [{"companyID": one["company_id"], "siteID": one["site_id"], "endpoints": endpoints + bad}]}
    await rmm.fault({"path": LISTS}, status=200, body=page)

    added = await desk.add_integration(rmm)
    run = await desk.ended(added.run_id)

    assert run["status"] == "succeeded_with_rejects"
    assert (run["seen"], run["created"], run["rejected"]) == (len(held) + len(bad), len(held), len(bad))
    assert f"{len(bad)} of" in run["reason"]
    rejects = await desk.rows("select reason_code, detail from sync_rejects where run_id = $1", run["id"])
    assert {row["reason_code"] for row in rejects} == {"no_device_id", "not_an_object"}
    await rmm.heal()
    assert (await desk.synced(added.id))["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_message_for_an_integration_that_nobody_knows_harms_nothing(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=100, companies=3)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.ended(added.run_id)
    journal = await queues.journal(stage.amqp_url)
    assert len(journal) > 5
    strange = [
        Said(said.routing_key, said.body.replace(str(added.id).encode(), str(uuid4()).encode()), {}) for said in journal
    ]
    before = await desk.value("select count(*) from assets")
    await queues.publish(stage.amqp_url, strange)
    # Who is asked to read such an integration says so; everybody else has nothing to do for it.
    asking = sum(said.routing_key in topology.FETCHER_SYNCS.event_types for said in strange)

    async def all_parked() -> bool:
        return len(await desk.parked()) >= asking

    await until("whoever was to read it has said no", all_parked)
    await books.quiet()

    assert await desk.value("select count(*) from assets") == before
    assert await desk.value("select count(*) from sync_runs") == 1
    await flow.stop()
    await books.check(rmm, added.id, parked={("fetcher.syncs", "unknown_integration"): asking})
