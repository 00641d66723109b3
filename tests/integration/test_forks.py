"""A forked service is a process like any other: by its environment, its log, its signals and its end."""

import os
import signal
import sys
from pathlib import Path

import pytest

from lifecycle.settings import environment
from lifecycle.stack.layout import project_root
from lifecycle.stack.processes import Child, Start, identify, is_running
from tests.support.forks import Fork
from tests.support.waiting import until


def speak() -> None:
    """Say what it was told and where it is, and stay."""
    print(os.environ.get("TOLD"), os.getcwd(), os.getsid(0) == os.getpid(), len(os.environ))  # noqa: T201, PTH109, TID251
    signal.pause()


def leave() -> None:
    """End with a code of its own."""
    sys.exit(3)


def begin(tmp_path: Path) -> Fork:
    return Fork.start(speak, variables={"TOLD": "a word"}, folder=tmp_path, log=tmp_path / "log")


async def said(tmp_path: Path) -> str:
    async def ask() -> str:
        return (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""

    return await until("it says something", ask)


async def test_it_has_its_environment_alone_its_folder_and_a_session_of_its_own(tmp_path: Path) -> None:
    fork = begin(tmp_path)
    assert await said(tmp_path) == f"a word {tmp_path} True 1\n"
    assert "TOLD" not in environment()
    await fork.stop(5)
    assert fork.exit_code() == -signal.SIGTERM


async def test_it_lives_until_it_is_killed_and_what_it_said_stays(tmp_path: Path) -> None:
    fork = begin(tmp_path)
    assert await fork.wait(0.05) is None
    assert "a word" in await said(tmp_path)
    fork.send(signal.SIGKILL)
    assert await fork.wait(5) == -signal.SIGKILL
    fork.send(signal.SIGKILL)
    assert "a word" in await said(tmp_path)


async def test_how_it_ended_is_told(tmp_path: Path) -> None:
    fork = Fork.start(leave, variables={}, folder=tmp_path, log=tmp_path / "log")
    assert await fork.wait(30) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
async def test_it_does_not_outlive_the_tests(tmp_path: Path) -> None:
    program = (
        "import signal; from pathlib import Path; from tests.integration.test_forks import begin\n"
        f"print(begin(Path({str(tmp_path)!r}))._process.pid, flush=True); signal.pause()"
    )
    runner = Child.start(Start((sys.executable, "-c", program), environment(), tmp_path / "runner", project_root()))
    await said(tmp_path)
    fork = identify(int((tmp_path / "runner").read_text()))
    assert fork is not None

    runner.send(signal.SIGKILL)
    await runner.wait()

    async def gone() -> bool:
        return not is_running(fork)

    await until("it is gone as well", gone)
