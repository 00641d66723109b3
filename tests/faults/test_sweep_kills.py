"""kill -9 of the fetcher that reads dates device by device: every device is read, and nothing is taken in twice.

Each time another replica is started while the first has the turn; it gets the turn from the broker, and must take other
devices than those that the dead one holds. A few seeds in every run; `make kills` kills a hundred times.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

import asyncpg

from lifecycle.settings import environment
from shared.dates.calendar import FIELDS
from tests.conftest import MakeLoopPipeline
from tests.integration.test_details import DAY, MakeSweep, Sweep, sweep  # noqa: F401 - a fixture
from tests.support.books import Books
from tests.support.forks import Fork, Lives
from tests.support.pipelines import settings_of
from tests.support.seeds import seeded
from tests.support.waiting import until

SEEDS: Final = int(environment().get("LIFECYCLE_TEST_KILLS", "5"))
DEVICES: Final = 40 + 22 * SEEDS
TURN: Final = 5
LATENCY_MS: Final = 15
IN_FLIGHT_MS: Final = 1000
"""Longer than a second replica takes to start."""

# What stops the reader on its way, for as long as the test holds it.
_BEFORE_THE_READ: Final = "select 1 from request_budgets where integration_id = $1 for update"
_BEFORE_THE_COMMIT: Final = "select pg_advisory_xact_lock(hashtextextended('integration:' || $1::uuid, 0))"
_BEFORE_THE_END: Final = "select 1 from detail_sweeps where integration_id = $1 for update"
_BEFORE_THE_ACK: Final = "select pg_advisory_xact_lock(hashtextextended('test.ack' || $1::uuid, 0))"
# The next turn is published, and its row in the outbox goes just before the ack of the last one.
_STOP_BEFORE_THE_ACK: Final = """
    create function test_stop() returns trigger language plpgsql as $$
    begin
        perform pg_advisory_xact_lock_shared(
            hashtextextended('test.ack' || (old.body::jsonb #>> '{data,integration_id}'), 0)
        );
        return old;
    end
    $$;
    create trigger test_stop before delete on outbox for each row when (old.routing_key = 'sync.detail_due')
        execute function test_stop();
"""
POINTS: Final = {
    "before the read": _BEFORE_THE_READ,
    "the RMM is asked": None,
    "between read and commit": _BEFORE_THE_COMMIT,
    "between the last commit and the end of the turn": _BEFORE_THE_END,
    "between the end of the turn and the ack": _BEFORE_THE_ACK,
}

_HELD_UP: Final = """
    select count(*) > 0 from pg_stat_activity
    where datname = current_database() and application_name = 'lifecycle-fetcher' and wait_event_type = 'Lock'
"""
_READ: Final = "select count(*) from detail_reads where read_at is not null"
_CLAIMS: Final = "select device_id, leased_until from detail_reads where leased_until > clock_timestamp()"
_CLAIM_ENDS: Final = """
    update detail_reads set leased_until = clock_timestamp() where device_id = $1 and leased_until = $2
"""


async def test_a_killed_reader_of_dates_loses_nothing_and_costs_one_request(
    sweep: MakeSweep,  # noqa: F811
    in_process: MakeLoopPipeline,
    tmp_path: Path,
) -> None:
    s = await sweep(count=DEVICES, devices=3 * DEVICES, dated_share=1, latency_ms=LATENCY_MS)
    await s.desk.execute(_STOP_BEFORE_THE_ACK)
    settings = settings_of("fetcher", s.stage, s.rmm.url, {"details_per_turn": TURN, "date_adapter": "custom_fields"})
    async with Lives.of("fetcher", tmp_path, **settings) as lives:
        reader = lives.start()
        await in_process(s.stage, s.rmm, "scheduler", detail_freshness_seconds=DAY)
        for seed in range(SEEDS):
            random = seeded(seed)
            await _read_more(s, random.randint(1, TURN))
            reader = await _kill_at(s, lives, reader, [*POINTS][seed % len(POINTS)], random)
        # A hundred kills leave two thousand devices to one reader: it is to go on, however long that takes.
        while left := DEVICES - await s.desk.value(_READ):
            await _read_more(s, min(left, 100))
        await _nothing_is_going_on(s)
        await reader.kill()
        said = lives.log.read_text()

    asked = await s.asked()
    assert set(asked) == set(s.devices), "every device was asked for"
    # Of a killed turn the device in hand alone is asked for again: the others were kept, or not yet begun.
    assert sum(asked.values()) <= DEVICES + SEEDS, asked
    held = await s.rmm.devices()
    wanted = {(device, field): held[device][field][:10] for device in s.devices for field in FIELDS}
    rows = await s.desk.rows(
        "select d.device_id, o.field, o.value from date_observations o join devices d on d.asset_id = o.asset_id"
        " where d.integration_id = $1",
        s.integration_id,
    )
    assert {(row["device_id"], row["field"]): str(row["value"]) for row in rows} == wanted
    assert len(rows) == len(wanted), "no date is said twice"
    assert await s.desk.rows("select * from date_conflicts") == []
    assert await s.desk.value("select count(*) from detail_reads where leased_until is not null or claims > 0") == 0
    assert await s.desk.parked() == []
    books = Books(s.stage)
    await books.secrets(s.rmm, {"fetcher": said})
    books.close()


async def _kill_at(s: Sweep, lives: Lives, reader: Fork, point: str, random: Random) -> Fork:
    """Kill the reader at this point of its turn. Returns its heir, which was there before."""
    async with _held_at(s, point, random):
        heir = lives.start()
        claims = await s.desk.rows(_CLAIMS)
        await reader.kill()
    if POINTS[point] != _BEFORE_THE_ACK:
        # Before the ack it has the next turn already, and goes on with it.
        await _read_more(s, 1)
        assert set(claims) <= set(await s.desk.rows(_CLAIMS)), "what the dead one holds is left alone"
    for row in claims:
        # As if their time was over, which is longer than any turn can last.
        await s.desk.execute(_CLAIM_ENDS, row["device_id"], row["leased_until"])

    async def read() -> bool:
        left = "select count(*) from detail_reads where read_at is null and device_id = any($1::text[])"
        return not await s.desk.value(left, [row["device_id"] for row in claims])

    # Else another kill might meet them. Of the third a device that kills its readers is thought to be the reason.
    await until("what the dead one had claimed is read", read)
    return heir


@asynccontextmanager
async def _held_at(s: Sweep, point: str, random: Random) -> AsyncGenerator[None]:
    """Returns when the reader is at this point, and holds it there."""
    if point == "the RMM is asked":
        fault = await s.rmm.fault({"path": "custom-fields", "nth": random.randint(1, TURN)}, delay_ms=IN_FLIGHT_MS)
        await until(f"kill point {point!r}", lambda: s.rmm.fired(fault))
        yield
        await s.rmm.heal()
        return
    lock = POINTS[point]
    assert lock
    conn = await asyncpg.connect(s.stage.database_url)
    try:
        if lock == _BEFORE_THE_END:
            await until("a turn has begun", lambda: s.desk.rows(_CLAIMS))
        async with conn.transaction():
            await conn.execute(lock, s.integration_id)
            await until(f"kill point {point!r}", lambda: s.desk.value(_HELD_UP))
            yield
    finally:
        await conn.close()


async def _read_more(s: Sweep, count: int) -> None:
    before = await s.desk.value(_READ)

    async def ask() -> bool:
        return bool(await s.desk.value(_READ) >= before + count)

    await until(f"dates of {count} more devices are read", ask)


async def _nothing_is_going_on(s: Sweep) -> None:
    """Returns when the last turn is over, and the RMM has answered those that are dead."""

    async def ask() -> bool:
        row = await s.row()
        late = [each for each in await s.rmm.requests("values_v2") if each["ms"] >= IN_FLIGHT_MS]
        return bool(row["announced_at"] is None and late)

    await until("the last turn is over", ask)
