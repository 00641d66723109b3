import time, asyncio
import pytest
from tests.support.desk import Desk
from tests.support.books import Books

@pytest.mark.parametrize("svc", ["fetcher","normalizer","writer","scheduler"])
async def test_sync(stage, simulator, in_process, svc):
    rmm = await simulator(devices=900, companies=6)
    flow = await in_process(stage, rmm)
    desk = Desk(stage)
    added = await desk.add_integration(rmm)
    run = await desk.ended(added.run_id)
    books = Books(stage)
    await books.quiet()
    t=time.monotonic()
    stopping = asyncio.create_task(flow.stop(svc))
    await asyncio.wait({stopping}, timeout=3)
    print("STOPPED", svc, stopping.done(), time.monotonic()-t)
    if not stopping.done():
        for task in asyncio.all_tasks():
            print("TASK", task.get_name()); task.print_stack(limit=4)
    await stopping
    print("STOPPED", svc, stopping.done(), time.monotonic()-t)
