"""The RMM's quota: kept to the request, and where somebody else has used it up, waited for."""

import pytest

from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support.books import Books
from tests.support.desk import Desk
from tests.support.stage import Stage


@pytest.mark.parametrize("style", ["seconds", "date", "none"])
async def test_a_429_is_waited_out_by_all_replicas_with_and_without_retry_after(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline, style: str
) -> None:
    headers = "both" if style == "seconds" else "none"
    rmm = await simulator(
        devices=300, companies=8, quota=6, quota_window_s=3, retry_after=style, rate_headers=headers, latency_ms=10
    )
    flow = await in_process(stage, rmm, replicas=2, rmm_page_size=36)
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)

    run = await desk.ended(added.run_id)

    assert run["status"] == "succeeded"
    seen = await rmm.requests()
    limited = sum(each["status"] == 429 for each in seen)
    # What was in flight is refused as well; after that they wait, and do not knock.
    assert limited <= len(seen) / 2
    if style != "seconds":
        assert limited > 0
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)


async def test_our_own_budget_keeps_three_fetchers_together_below_the_quota(
    stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    # We count when a request is granted, the RMM when it arrives: between the two a machine may stand still a while.
    rmm = await simulator(devices=300, companies=8, quota=24, quota_window_s=1.5)
    flow = await in_process(
        stage, rmm, replicas=3, rmm_page_size=10, rmm_budget=22, rmm_window_seconds=2, rmm_reserve=2
    )
    desk, books = Desk(stage), Books(stage)
    added = await desk.add_integration(rmm)

    run = await desk.ended(added.run_id)

    assert run["status"] == "succeeded"
    stats = await rmm.control("GET", "stats")
    assert stats["too_many_requests"] == 0
    assert stats["requests"] > 24
    await books.quiet()
    await flow.stop()
    await books.check(rmm, added.id)
