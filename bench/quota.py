"""What the pipeline asks of an RMM: how many requests, and whether the budget is kept and used."""

from dataclasses import dataclass

import httpx

from bench.stack import Servers, Services
from bench.tenant import open_store

# A fifth of the vendor's 450 requests in 300 s: the same rate, and a window that is long beside the 5 s of a delay.
WINDOW_SECONDS = 60
BUDGET = 90


@dataclass(frozen=True)
class Asked:
    """Requests of one first load under a tight budget."""

    requests: int
    fewest: int
    refused: int
    most_in_window: int
    used_share: float


async def under_a_tight_budget(servers: Servers, number: int) -> Asked:
    """Load a fleet of many small companies, so that the budget and nothing else is what it waits for."""
    rmm = await servers.start_rmm(
        *("--devices", 6_000, "--companies", 800, "--seed", 5, "--quota", BUDGET, "--quota-window", WINDOW_SECONDS)
    )
    url = await servers.fresh_database(f"quota_{number}")
    settings = {"rmm_budget": BUDGET, "rmm_window_seconds": WINDOW_SECONDS, "rmm_reserve": 9}
    async with Services(servers, url, rmm, settings=settings) as services, open_store(servers, url) as store:
        await services.ready()
        _, run_id = await store.add("bench", rmm)
        await store.ended(run_id)
    async with httpx.AsyncClient(base_url=rmm.url, trust_env=False) as client:
        stats = (await client.get("/_sim/stats")).json()
        seen = (await client.get("/_sim/requests")).json()
    await servers.stop_rmm(rmm)
    times = sorted(one["at"] for one in seen)
    return Asked(
        requests=len(times),
        # Sign-in, companies, all sites, and each scope of four companies once: none has more than a page.
        fewest=3 + 800 // 4,
        refused=stats["too_many_requests"],
        most_in_window=_most_in(times, WINDOW_SECONDS),
        used_share=_used(times),
    )


def _most_in(times: list[float], window: float) -> int:
    """The most requests in any window of this length."""
    most = start = 0
    for place, at in enumerate(times):
        while times[start] <= at - window:
            start += 1
        most = max(most, place - start + 1)
    return most


def _used(times: list[float]) -> float:
    """The share of what whole windows allowed that was asked, the last one left out: there the work ended."""
    whole = int((times[-1] - times[0]) // WINDOW_SECONDS)
    end = times[0] + whole * WINDOW_SECONDS
    return sum(at < end for at in times) / (whole * BUDGET) if whole else 1.0
