"""The copies that share the unit tests: each test runs once, and nothing that goes wrong in a copy is lost."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from lifecycle.settings import environment
from lifecycle.stack.layout import project_root

pytestmark = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core makes no copy")

FILE = """
import os, time
from pathlib import Path

COLLECTED_BY, HERE = os.getpid(), Path(__file__).parent

def in_one_copy():
    try:
        return os.getpid() != COLLECTED_BY and (HERE / "first").mkdir() is None
    except FileExistsError:
        return False

def test_two_run_at_once(capfd, tmp_path):
    (HERE / f"runs-{os.getpid()}").mkdir()
    while len(list(HERE.glob("runs-*"))) < 2:
        time.sleep(0.01)
    for number in range(300):
        print(os.getpid(), number)
        assert capfd.readouterr().out == f"{os.getpid()} {number}\\n"

def test_it():
    if in_one_copy():
        %s
"""


async def run(folder: Path, what: str) -> tuple[int, str]:
    """Run two files of two tests; `what` happens once, in a copy. Returns how that ended and what was said."""
    for name in ("test_a.py", "test_b.py"):
        (folder / name).write_text(FILE % what)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-c", str(project_root() / "pyproject.toml"), str(folder)),
        *("-p", "tests.support.copies", "-p", "no:xdist", "-p", "no:rerunfailures", "-p", "no:cacheprovider"),
        env=environment() | {"PYTEST_ADDOPTS": ""},
        cwd=project_root(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_each_test_runs_once_and_sees_its_own_output_alone(tmp_path: Path) -> None:
    code, said = await run(tmp_path, "pass")
    assert "4 passed" in said
    assert code == 0


async def test_a_test_that_fails_in_a_copy_fails(tmp_path: Path) -> None:
    code, said = await run(tmp_path, "assert 'this' == 'that'")
    assert "1 failed, 3 passed" in said
    assert "AssertionError: assert 'this' == 'that'" in said
    assert code == 1


async def test_a_copy_that_ends_by_itself_is_a_failure_that_names_its_test(tmp_path: Path) -> None:
    code, said = await run(tmp_path, "os._exit(3)")
    assert "ended by itself" in said
    assert "::test_it" in said
    assert code == 1


async def test_what_a_test_leaves_behind_in_a_copy_is_a_failure(tmp_path: Path) -> None:
    code, said = await run(tmp_path, "never = [asleep()]; never.append(never)\n\nasync def asleep():\n    pass")
    assert "left by some test: RuntimeWarning(\"coroutine 'asleep' was never awaited\")" in said
    assert code == 1
