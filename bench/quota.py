"""What the pipeline asks of an RMM: how many requests, and whether the budget is kept and used."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import httpx

from bench.machine import CpuSpent
from bench.measuring import spent
from bench.scenario import STACK_SECONDS, Measured, Options, Scenario, tell
from bench.stack import Servers, Services
from bench.table import Row, strangers
from bench.tenant import open_store

# The vendor's rate, 450 requests in 300 s.
_A_SECOND = 1.5
# Sign-in, companies, all sites.
_BEFORE_LISTS = 3
_COMPANIES_A_CALL = 4


@dataclass(frozen=True)
class Asked:
    """Requests of one first load under a tight budget."""

    requests: int
    fewest: int
    refused: int
    most_in_window: int
    used_share: float
    cpu: CpuSpent


async def run(servers: Servers, options: Options) -> Measured:
    """Load a fleet of many small companies, so that the budget and nothing else is what it waits for."""
    asked: list[Asked] = []
    for number in options.numbers:
        tell(f" round {number} of {options.rounds}")
        asked.append(await _load(servers, options, number))
    budget = _budget(options)
    rows = [
        Row(
            "requests / the fewest possible",
            tuple(one.requests / one.fewest for one in asked),
            mark=1.0,
            at_least=False,
        ),
        Row("answers of 429", tuple(float(one.refused) for one in asked), mark=0, at_least=False),
        Row(
            "most requests in a window / budget",
            tuple(one.most_in_window / budget for one in asked),
            mark=1.0,
            at_least=False,
        ),
        Row("budget used while there is work", tuple(one.used_share for one in asked), mark=0.95),
        strangers("quota", [one.cpu for one in asked]),
    ]
    return Measured(rows, {"budget": budget, "window_seconds": options.window_seconds, "rounds": _plain(asked)})


async def _load(servers: Servers, options: Options, number: int) -> Asked:
    budget, window, companies = _budget(options), options.window_seconds, _companies(options)
    rmm = await servers.start_rmm(
        *("--devices", companies * 8, "--companies", companies, "--seed", 5),
        *("--quota", budget, "--quota-window", window),
    )
    url = await servers.fresh_database(f"quota_{number}")
    settings = {"rmm_budget": budget, "rmm_window_seconds": window, "rmm_reserve": budget // 10}
    async with Services(servers, url, rmm, settings=settings) as services, open_store(servers, url) as store:
        await services.ready()

        async def work() -> float:
            _, run_id = await store.add("bench", rmm)
            return (await store.ended(run_id, within=1200 + 10 * window)).seconds

        _, cpu = await spent(services.roots, work)
    async with httpx.AsyncClient(base_url=rmm.url, trust_env=False) as client:
        stats = (await client.get("/_sim/stats")).json()
        seen = (await client.get("/_sim/requests")).json()
    await servers.stop_rmm(rmm)
    times = sorted(one["at"] for one in seen)
    return Asked(
        requests=len(times),
        # Each scope of four companies once: none has more than a page.
        fewest=_BEFORE_LISTS + companies // _COMPANIES_A_CALL,
        refused=stats["too_many_requests"],
        most_in_window=_most_in(times, window),
        used_share=_used(times, window, budget),
        cpu=cpu,
    )


def _budget(options: Options) -> int:
    return int(_A_SECOND * options.window_seconds)


def _companies(options: Options) -> int:
    """As many as are two windows' budget and something more, in whole calls."""
    calls = int(_budget(options) * 2.2) + 2
    return calls * _COMPANIES_A_CALL


def _plain(asked: Sequence[Asked]) -> list[dict[str, object]]:
    return [asdict(one) for one in asked]


def _most_in(times: list[float], window: float) -> int:
    """The most requests in any window of this length."""
    most = start = 0
    for place, at in enumerate(times):
        while times[start] <= at - window:
            start += 1
        most = max(most, place - start + 1)
    return most


def _used(times: list[float], window: int, budget: int) -> float:
    """The share of what whole windows allowed that was asked, the last one left out: there the work ended."""
    whole = int((times[-1] - times[0]) // window)
    end = times[0] + whole * window
    return sum(at < end for at in times) / (whole * budget) if whole else 1.0


def _estimate(options: Options) -> float:
    return options.rounds * (STACK_SECONDS + 3 + 2.4 * options.window_seconds)


SCENARIO = Scenario("quota", _estimate, run)
