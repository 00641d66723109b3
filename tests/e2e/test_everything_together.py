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
from uuid import UUID

import httpx
import pytest

from lifecycle.settings import environment
from lifecycle.stack.layout import Layout, project_root
from tests.support.books import Books
from tests.support.keys import Keys
from tests.support.rmm import Rmm
from tests.support.stage import attach_stage
from tests.support.waiting import until

SEED = random.SystemRandom().randrange(1_000_000)
DEVICES = 5_000
KILLS = 8
SYNCING = ("fetcher", "normalizer", "writer", "scheduler")
COMMAND_SECONDS = 240.0


class Script:
    """Calls the command as a script does, with `--json`, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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

        await until(f"{name} is started again", replaced)
    return killed


async def test_two_of_each_service_killed_at_random_lose_nothing_and_do_nothing_twice(script: Script) -> None:
    sys.stderr.write(f"seed {SEED}\n")
    scale = [word for service in SYNCING for word in ("--scale", f"{service}=2")]
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
    assert killed
    assert code == 0, f"seed {SEED}: {run}"
    balance = run["balance"]
    parts = ("created", "updated", "unchanged", "rejected", "repeated")
    assert balance["seen"] == sum(balance[part] for part in parts)
    files = Layout(script.folder)
    keys = Keys.read(files.private_keys_file, files.sealing_key_file)
    # Not the simulator's: it stands for the vendor, and says its own key when it starts.
    paths = [path for path in files.logs.glob("*-[0-9].log") if not path.name.startswith("simulator")]
    logs = {path.name: path.read_text(errors="replace") for path in paths}
    assert len(logs) >= 2 * len(SYNCING)
    async with (
        attach_stage(addresses["amqp_url"], addresses["database_url"], keys) as stage,
        Rmm.at(addresses["rmm_base_url"]) as rmm,
    ):
        held = await rmm.devices()
        await rmm.key()
        books = Books(stage)
        await books.quiet()
        await books.check(rmm, UUID(added["integration_id"]), logs=logs)
    assert balance["seen"] == len(held)
    assert len(await script.done("assets", "list")) == len(held)
