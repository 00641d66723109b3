"""The product as a stranger's script has it: the command, every service a process of its own, two of each."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from lifecycle.settings import environment
from lifecycle.stack.layout import project_root
from tests.support.waiting import until

SEED = random.SystemRandom().randrange(1_000_000)
DEVICES = 5_000
KILLS = 8
COMMAND_SECONDS = 240.0


class Script:
    """Calls the command as a script does, with `--json`, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._variables = {
            **{name: value for name, value in environment().items() if not name.startswith("LIFECYCLE_")},
            "LIFECYCLE_LOCAL_DIR": str(folder),
            "PYTHONPATH": str(project_root()),
        }

    async def run(self, *words: str) -> tuple[int, Any]:
        """The exit code and the one document on standard output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "lifecycle",
            *words,
            "--json",
            env=self._variables,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(COMMAND_SECONDS):
            told, said = await process.communicate()
        assert process.returncode is not None
        try:
            return process.returncode, json.loads(told) if told.strip() else None
        except json.JSONDecodeError:
            pytest.fail(f"lifecycle {' '.join(words)} told no JSON: {told!r} {said.decode()[-2000:]}")

    async def done(self, *words: str) -> Any:
        """The document of a command that must succeed."""
        code, document = await self.run(*words)
        assert code == 0, f"lifecycle {' '.join(words)} ended with {code}: {document}"
        return document


@pytest.fixture
async def script(tmp_path: Path) -> AsyncIterator[Script]:
    script = Script(tmp_path / "stack")
    yield script
    await script.run("down", "--purge")


async def _pids(script: Script) -> dict[tuple[str, int], int]:
    return {(each["service"], each["replica"]): each["pid"] for each in await script.done("ps")}


async def _kill_at_random(script: Script, chance: random.Random, until_done: asyncio.Task[Any]) -> int:
    """SIGKILL one service after another while the sync goes; returns how many died."""
    killed = 0
    while not until_done.done() and killed < KILLS:
        pids = await _pids(script)
        name = chance.choice(sorted(pids))
        try:
            os.kill(pids[name], signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed += 1

        async def replaced(name: tuple[str, int] = name, old: int = pids[name]) -> bool:
            return (await _pids(script)).get(name) not in {None, old}

        await until(f"{name} is started again", replaced, within=60)
    return killed


async def test_two_of_each_service_killed_at_random_lose_nothing_and_do_nothing_twice(script: Script) -> None:
    sys.stderr.write(f"seed {SEED}\n")
    services = ("fetcher", "normalizer", "writer", "scheduler")
    scale = [word for service in services for word in ("--scale", f"{service}=2")]
    await script.done("up", "--detach", "--devices", str(DEVICES), "--companies", "30", "--seed", "11", *scale)
    addresses = await script.done("env")
    async with httpx.AsyncClient(base_url=addresses["rmm_base_url"], timeout=30, trust_env=False) as rmm:
        # Slow enough that the services die in the middle of it.
        (await rmm.patch("/_sim/config", json={"latency_ms": 400})).raise_for_status()
        added = await script.done(
            "integrations",
            "add",
            "--name",
            "acme",
            "--region",
            "na",
            "--client-id",
            addresses["client_id"],
            "--client-secret-file",
            addresses["client_secret_file"],
        )
        waiting = asyncio.create_task(
            script.run("integrations", "sync", added["integration_id"], "--wait", "--timeout", "200")
        )
        killed = await _kill_at_random(script, random.Random(SEED), waiting)
        code, run = await waiting
        held = await _held(rmm)
    assert killed
    assert code == 0, f"seed {SEED}: {run}"
    balance = run["balance"]
    parts = ("created", "updated", "unchanged", "rejected", "repeated")
    assert balance["seen"] == sum(balance[part] for part in parts)
    connection = await asyncpg.connect(addresses["database_url"])
    try:
        stored = [row["device_id"] for row in await connection.fetch("select device_id from devices")]
        assets = await connection.fetchval("select count(*) from assets")
        parked = await connection.fetchval("select count(*) from parked_messages")
    finally:
        await connection.close()
    assert sorted(stored) == sorted(held), f"seed {SEED}"
    assert assets == len(held)
    assert parked == 0
    assert len(await script.done("assets", "list")) == len(held)


async def _held(rmm: httpx.AsyncClient) -> list[str]:
    """The ids of the devices that the RMM lists as its platform's."""
    held: list[str] = []
    cursor: int | None = 0
    while cursor is not None:
        query = {"cursor": cursor, "limit": 5000, "category": "platform"}
        page = (await rmm.get("/_sim/devices", params=query)).json()
        held += [each["id"].lower() for each in page["devices"] if not each["vanished"]]
        cursor = page["next"]
    return held
