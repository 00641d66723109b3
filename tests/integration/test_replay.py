"""`lifecycle replay` as a shell sees it: out of the broker's own streams, into queues that services take from."""

import json
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from lifecycle.data.replaying import FULL
from shared import topology
from shared.postgres import connection, transaction
from tests.conftest import MakeLoopPipeline, MakeRmm
from tests.support import queues
from tests.support.books import Books, tables_as_text
from tests.support.desk import Added, Desk
from tests.support.queues import Said
from tests.support.rmm import Rmm
from tests.support.shell import Result, Shell
from tests.support.stage import Stage
from tests.support.waiting import until
from tests.support.wires import wire

PAGES = ("device.page_fetched", "asset.page_normalized")
# All that a sync leaves behind it; the integration itself stands.
SYNCED = (
    *("assets", "devices", "sync_requests", "sync_runs", "sync_scopes", "sync_pages", "sync_chunks"),
    *("companies", "sites", "identity_ambiguities"),
)
KEPT = (*SYNCED, "integrations", "parked_messages", "date_edits", "date_observations")


@pytest.fixture
def shell(stage: Stage, tmp_path: Path) -> Shell:
    return Shell.at(stage, tmp_path)


async def replay(shell: Shell, *words: object) -> Result:
    return await shell("replay", "--from", "1h", *words, "--json")


async def only(stage: Stage) -> asyncpg.Record:
    """The one replay that there was."""
    row = await stage.pool.fetchrow("select * from replays")
    assert row is not None
    return row


async def synced(stage: Stage, rmm: Rmm, name: str = "tenant", key: str = "first") -> Added:
    desk = Desk(stage)
    added = await desk.add_integration(rmm, name=name, key=key)
    assert (await desk.ended(added.run_id))["status"] == "succeeded"
    await Books(stage).quiet()
    return added


async def test_a_preview_counts_what_is_meant_and_sends_nothing(
    shell: Shell, stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=6)
    flow = await in_process(stage, rmm, rmm_page_size=25)
    added = await synced(stage, rmm)
    await flow.stop()

    found = (await replay(shell, "--into", "writer.pages")).json

    counts = Counter(each.routing_key for each in await queues.journal(stage.amqp_url))
    assert {name: found[name] for name in ("applied", "into", "journal", "writes_to_rmm", "unreadable")} == {
        "applied": False,
        "into": "writer.pages",
        "journal": "lifecycle.pages",
        "writes_to_rmm": False,
        "unreadable": 0,
    }
    assert found["by_type"] == {"asset.page_normalized": counts["asset.page_normalized"]}
    assert found["matching"] == counts["asset.page_normalized"] > 10
    assert found["read"] == sum(counts[kind] for kind in PAGES)
    assert found["since"] < found["oldest_kept"] <= found["first"] <= found["last"] < found["until"]
    edits = (await replay(shell, "--into", "writeback.edits", "--integration", "tenant")).json
    assert (edits["matching"], edits["integration_id"]) == (counts["date.edited"], str(added.id))
    assert edits["writes_to_rmm"]
    assert await queues.depths(stage.amqp_url) == {}
    assert await stage.pool.fetchval("select count(*) from replays") == 0
    # Whoever looks is named there too, and is no part of what is looked at.
    looked = await queues.journal(stage.amqp_url, topology.JOURNAL_MARK)
    assert len(looked) == 2 * len(topology.JOURNALS)
    assert (await replay(shell, "--into", "writer.pages")).json["matching"] == found["matching"]


async def test_what_was_lost_comes_back_and_what_is_read_later_is_newer(
    shell: Shell, stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=300, companies=6)
    flow = await in_process(stage, rmm, rmm_page_size=25)
    added = await synced(stage, rmm)
    asked = await rmm.request_count()
    # As a database that was restored from before the sync: its numbers begin anew as well.
    async with transaction(stage.pool) as conn:
        await conn.execute(f"truncate {', '.join(SYNCED)}")
        await conn.execute("alter sequence observation_seq restart with 1")

    result = await replay(shell, "--into", "normalizer.pages", "--rate", 1000, "--apply")

    assert result.code == 0, result.err
    assert result.json["sent"] > 10
    assert (result.json["applied"], result.json["status"]) == (True, "done")
    held = len(await rmm.devices())

    # No run knows of these pages: what a service has in hand of them is seen nowhere.
    async def all_back() -> bool:
        return bool(await stage.pool.fetchval("select count(*) = $1 from devices", held))

    await until("every device is back", all_back)
    await Books(stage).quiet()
    assert await rmm.request_count() == asked
    row = await only(stage)
    assert (row["status"], row["sent"], row["queue"]) == ("done", result.json["sent"], "normalizer.pages")
    audited = await stage.pool.fetch("select actor from audit_log where action = 'replay.started'")
    assert [each["actor"] for each in audited] == ["tess"]
    # A sync after it finds all of them, and takes in what has changed meanwhile.
    await rmm.control("POST", "churn", {"share": 0.3})
    run = await Desk(stage).synced(added.id)
    assert (run["created"], run["seen"]) == (0, held)
    assert run["updated"] > 0
    await Books(stage).quiet()
    await flow.stop()
    await Books(stage).check(rmm, added.id)


async def test_a_replay_of_everything_changes_nothing_and_asks_the_rmm_nothing(
    shell: Shell, stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=100, companies=4)
    await in_process(stage, rmm, rmm_page_size=25)
    await synced(stage, rmm)
    asset = await stage.pool.fetchval("select asset_id from devices order by device_id limit 1")
    edited = await shell("assets", "edit", asset, "--field", "purchase_date", "--value", "2024-05-06", "--json")
    assert edited.code == 0, edited.err
    await Books(stage).quiet()
    before, asked = await tables_as_text(stage, *KEPT), await rmm.request_count()

    sent = {}
    for queue in topology.WORK_QUEUES:
        words = ("--into", queue.name, "--rate", 1000, "--apply", "--allow-write-back")
        result = await replay(shell, *words)
        assert result.code == 0, result.err
        sent[queue.name] = result.json["sent"]

    await Books(stage).quiet()
    assert await tables_as_text(stage, *KEPT) == before
    assert await rmm.request_count() == asked
    assert {name for name, count in sent.items() if count} >= {
        *("fetcher.syncs", "fetcher.pages", "normalizer.pages", "writer.pages", "writeback.edits")
    }


async def test_only_the_events_of_one_tenant_one_device_one_type(
    shell: Shell, stage: Stage, simulator: MakeRmm, in_process: MakeLoopPipeline
) -> None:
    rmm = await simulator(devices=200, companies=4)
    other = await simulator(devices=60, companies=2, seed=5)
    flow = await in_process(stage, rmm, rmm_page_size=25)
    first = await synced(stage, rmm)
    await flow.stop()
    flow = await in_process(stage, other, rmm_page_size=25)
    await synced(stage, other, "second")
    await flow.stop()
    device = await stage.pool.fetchval("select device_id from devices where integration_id = $1 limit 1", first.id)
    asset = await stage.pool.fetchval("select asset_id from devices where device_id = $1", device)
    edited = await shell("assets", "edit", asset, "--field", "purchase_date", "--value", "2024-05-06", "--json")
    assert edited.code == 0, edited.err

    async def count(into: str, *words: object) -> int:
        result = await replay(shell, "--into", into, *words)
        assert result.code == 0, result.err
        found: int = result.json["matching"]
        return found

    whole, mine = await count("normalizer.pages"), await count("normalizer.pages", "--integration", "tenant")
    assert 0 < mine < whole
    assert whole - mine == await count("normalizer.pages", "--integration", "second")
    assert await count("normalizer.pages", "--device", device.upper()) == 1
    assert await count("writer.pages", "--device", device, "--integration", "tenant") == 1
    assert await count("writer.pages", "--device", device, "--integration", "second") == 0
    # The edit names its asset, whose devices the store knows.
    for words, edits in (
        ((), 1),
        (("--integration", "tenant"), 1),
        (("--device", device), 1),
        (("--integration", "second"), 0),
        (("--account", "default"), 1),
    ):
        assert await count("writeback.edits", *words) == edits, words
    assert await count("fetcher.syncs", "--type", "integration.created") == 2
    assert await count("fetcher.syncs", "--type", "sync.requested", "--type", "integration.created") >= 2
    async with connection(stage.pool) as conn:
        await conn.execute("insert into accounts (id, name) values ($1, 'other')", uuid4())
    assert await count("normalizer.pages", "--account", "other") == 0


async def test_write_back_is_asked_for_by_name(shell: Shell, stage: Stage) -> None:
    for queue in ("writeback.edits", "writeback.pushes"):
        refused = await replay(shell, "--into", queue, "--apply")
        assert refused.code == 4
        assert "--allow-write-back" in refused.err
    assert await stage.pool.fetchval("select count(*) from replays") == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--into", "writer.pages"), 2, "--from"),
        (("--from", "1h"), 2, "--into"),
        (("--from", "1h", "--into", "lifecycle.dead"), 2, "writer.pages"),
        (("--from", "1h", "--into", "writer.pages", "--type", "date.edited"), 2, "asset.page_normalized"),
        (("--from", "soon", "--into", "writer.pages"), 2, "--from"),
        (("--from", "1h", "--to", "2h", "--into", "writer.pages"), 2, "before"),
        (("--from", "1h", "--into", "writer.pages", "--rate", "0"), 2, "--rate"),
        (("--from", "1h", "--into", "writer.pages", "--integration", "nobody"), 3, "nobody"),
        (("--resume", "0198f6a0"), 3, "0198f6a0"),
        (("--resume", "0198f6a0", "--into", "writer.pages"), 2, "--resume"),
    ],
)
async def test_what_cannot_be_meant_is_said_in_one_sentence(
    shell: Shell, words: tuple[str, ...], code: int, said: str
) -> None:
    result = await shell("replay", *words, "--json")
    assert (result.code, result.json["error"]["code"]) == (code, code)
    assert said in result.err
    assert "Traceback" not in result.err


async def test_a_broker_that_is_away_is_said(shell: Shell) -> None:
    away = Shell({**shell.variables, "LIFECYCLE_AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}, shell.folder)
    result = await replay(away, "--into", "writer.pages")
    assert result.code == 6
    assert "broker" in result.err


def page(number: int) -> Said:
    body = {
        "specversion": "1.0",
        "id": str(number),
        "source": "/test",
        "type": "asset.page_normalized",
        "time": datetime.now(UTC).isoformat(),
        "data": {"number": number},
    }
    return Said("asset.page_normalized", json.dumps(body).encode(), {})


def numbers(taken: list[bytes]) -> Counter[int]:
    return Counter(json.loads(body)["data"]["number"] for body in taken)


THEM = ("--from", "1h", "--into", "writer.pages")


async def bodies(stage: Stage, queue: str) -> list[bytes]:
    """What lies in a queue that nobody consumes, taken out."""
    found: list[bytes] = []
    async with queues.open_channel(stage.amqp_url) as channel:
        taken = await channel.get_queue(queue, ensure=False)
        while (message := await taken.get(fail=False)) is not None:
            found.append(message.body)
            await message.ack()
    return found


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
async def test_one_that_is_stopped_or_killed_goes_on_where_it_was(
    shell: Shell, stage: Stage, end: signal.Signals
) -> None:
    await queues.publish(stage.amqp_url, map(page, range(60)))
    await bodies(stage, "writer.pages")
    process = await shell.start("replay", *THEM, "--rate", 20, "--apply", "--json")

    async def begun() -> bool:
        return bool(await stage.pool.fetchval("select sent from replays where sent >= 20"))

    await until("it has sent some", begun)
    process.send_signal(end)
    _, err = await process.communicate()

    row = await only(stage)
    assert 20 <= row["sent"] < 60
    if end != signal.SIGKILL:
        assert process.returncode == 130, err
        assert row["status"] == "stopped"
    assert f"lifecycle replay --resume {row['id']} --apply" in err.decode()
    result = await shell("replay", "--resume", str(row["id"])[:8], "--rate", 1000, "--apply", "--json")
    assert result.code == 0, result.err
    assert result.json["replay_id"] == str(row["id"])
    arrived = numbers(await bodies(stage, "writer.pages"))
    # None is lost. Broken off, it may send again the lot that it had not noted.
    assert sorted(arrived) == list(range(60))
    assert set(arrived.values()) <= {1, 2}
    assert arrived.total() <= 60 + 2 * 20
    again = await shell("replay", "--resume", row["id"], "--apply", "--json")
    assert again.code == 4
    assert "came to its end" in again.err


async def test_two_never_go_on_with_one(shell: Shell, stage: Stage) -> None:
    await queues.publish(stage.amqp_url, map(page, range(20)))
    process = await shell.start("replay", *THEM, "--rate", 1, "--apply", "--json")

    async def begun() -> UUID | None:
        found: UUID | None = await stage.pool.fetchval("select id from replays where sent > 0")
        return found

    replay_id = await until("it has sent one", begun)
    refused = await shell("replay", "--resume", replay_id, "--apply", "--json")
    assert refused.code == 4
    assert "elsewhere" in refused.err
    process.kill()
    await process.wait()


async def test_it_waits_while_the_queue_is_full(shell: Shell, stage: Stage) -> None:
    # One that is not meant comes first, and so it is seen that the rest is held.
    await queues.publish(stage.amqp_url, [Said("device.page_fetched", b"{}", {}), *map(page, range(FULL))])
    process = await shell.start("replay", *THEM, "--rate", 10_000, "--apply", "--json")

    async def waits() -> bool:
        return bool(await stage.pool.fetchval("select count(*) from replays where read > 0 and sent = 0"))

    await until("it has read and holds", waits)
    taken = await bodies(stage, "writer.pages")
    _, err = await process.communicate()
    assert process.returncode == 0, err
    assert len(taken) + len(await bodies(stage, "writer.pages")) == 2 * FULL


async def test_what_is_no_event_is_counted_and_left_out(shell: Shell, stage: Stage) -> None:
    await queues.publish(stage.amqp_url, [page(1), Said("asset.page_normalized", b"<html>", {})])
    await bodies(stage, "writer.pages")
    result = await shell("replay", *THEM, "--apply", "--json")
    assert (result.json["sent"], result.json["unreadable"]) == (1, 1)
    assert "no events of ours" in result.err
    assert numbers(await bodies(stage, "writer.pages")) == {1: 1}


async def test_a_connection_that_breaks_leaves_the_place(shell: Shell, stage: Stage) -> None:
    await queues.publish(stage.amqp_url, map(page, range(30)))
    await bodies(stage, "writer.pages")

    async def begun() -> UUID | None:
        found: UUID | None = await stage.pool.fetchval("select id from replays where sent > 0")
        return found

    async with wire(stage.amqp_url) as way:
        wired = Shell({**shell.variables, "LIFECYCLE_AMQP_URL": way.url}, shell.folder)
        process = await wired.start("replay", *THEM, "--rate", 10, "--apply", "--json")
        replay_id = await until("it has sent some", begun)
        way.cut()
        _, err = await process.communicate()
    assert process.returncode == 6, err
    assert b"Traceback" not in err
    result = await shell("replay", "--resume", replay_id, "--rate", 1000, "--apply", "--json")
    assert result.code == 0, result.err
    assert sorted(numbers(await bodies(stage, "writer.pages"))) == list(range(30))
