import time
from tests.support.desk import Desk
from tests.support.books import Books

async def test_sync(stage, simulator, in_process):
    t=time.monotonic()
    rmm = await simulator(devices=900, companies=6)
    print("rmm", time.monotonic()-t)
    flow = await in_process(stage, rmm)
    print("flow", time.monotonic()-t)
    desk = Desk(stage)
    added = await desk.add_integration(rmm)
    run = await desk.ended(added.run_id)
    print("run", time.monotonic()-t, dict(run))
    books = Books(stage)
    await books.quiet()
    await flow.stop()
    print("stopped", time.monotonic()-t)
    await books.check(rmm, added.id)
    print("books", time.monotonic()-t)

async def test_proc(stage, simulator, pipeline):
    t=time.monotonic()
    rmm = await simulator(devices=900, companies=6)
    print("rmm", time.monotonic()-t)
    flow = await pipeline(stage, rmm, replicas=2)
    print("flow", time.monotonic()-t)
    desk = Desk(stage)
    added = await desk.add_integration(rmm)
    run = await desk.ended(added.run_id)
    print("run", time.monotonic()-t, dict(run))
    books = Books(stage)
    await books.quiet()
    await flow.stop()
    print("stopped", time.monotonic()-t)
    await books.check(rmm, added.id, logs=flow.logs())
    print("books", time.monotonic()-t)
