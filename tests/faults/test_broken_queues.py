"""Queues that are deleted, full or not bound: health says so, nothing is lost, and all goes on once they are mended."""

import httpx

from lifecycle.stack.servers import login_of
from shared.declaration import declare
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support import queues
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.pipelines import LoopPipeline
from tests.support.stage import Stage
from tests.support.waiting import until


async def finding(flow: LoopPipeline, service: str, words: str) -> None:
    """Return when the service's health says this of the broker; nothing where it is well."""

    async def ask() -> bool:
        found = (await flow.service(service).health.findings())["broker"]
        return words in found if found and words else found is None and not words

    await until(f"{service} says {words or 'that it is well'}", ask)


async def limit(stage: Stage, queue: str, length: int | None) -> None:
    """Let a queue hold so many messages and refuse more, or any number again."""
    async with queues.open_channel(stage.amqp_url) as channel:
        await queues.spoil(channel)
    vhost = stage.amqp_url.rpartition("/")[2]
    base, login = stage.management_url.rpartition("@")[2], login_of(stage.management_url)
    async with httpx.AsyncClient(base_url=f"http://{base}", auth=login, timeout=30, trust_env=False) as http:
        path = f"/api/policies/{vhost}/limit"
        if length is None:
            answer = await http.delete(path)
        else:
            policy = {"pattern": f"^{queue}$", "apply-to": "queues", "definition": {"max-length": length}}
            answer = await http.put(path, json=policy)
        assert answer.is_success, answer.text


async def test_a_queue_that_is_deleted_under_its_consumer_is_seen_by_health_and_mended_by_a_declaration(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=200, companies=4)
    flow = await in_process(stage, rmm)
    desk, books = Desk(stage), Books(stage)
    await finding(flow, "normalizer", "")

    await queues.delete(stage.amqp_url, "normalizer.pages")
    await finding(flow, "normalizer", "normalizer.pages is missing")
    await finding(flow, "writer", "")
    assert await declare(stage.amqp_url, settle=False) == ["normalizer.pages"]
    await finding(flow, "normalizer", "")

    added = await desk.add_integration(rmm)
    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_queue_that_is_deleted_in_the_middle_of_a_sync_costs_no_device(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=8, latency_ms=20)
    flow = await in_process(stage, rmm, rmm_page_size=10, stuck_after_seconds=2)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)
    await desk.pages_read(added.run_id, 5)

    for name in ("writer.pages", "fetcher.pages"):
        await queues.delete(stage.amqp_url, name)
    await declare(stage.amqp_url, settle=False)

    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_a_full_queue_slows_its_publishers_down_and_loses_nothing(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=8)
    await limit(stage, "writer.pages", 2)
    flow = await in_process(
        stage, rmm, "fetcher", "normalizer", "scheduler", "writeback", rmm_page_size=20, max_attempts=1
    )
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)

    async def is_full() -> bool:
        depths = await queues.depths(stage.amqp_url)
        return depths.get("writer.pages", 0) >= 2 and not depths.get("fetcher.pages")

    await until("the writer's queue is full", is_full)
    await flow.start("writer")

    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    await limit(stage, "writer.pages", None)
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)
