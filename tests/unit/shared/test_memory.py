"""Freed memory stays with the process: the next page finds it there."""

import platform
import subprocess
import sys

import pytest

from shared.memory import keep_freed_memory

_WORK = """
import resource, sys
from shared.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def page():
    return [bytes(1500) for _ in range(500)]
page()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    page()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    """Page faults of twenty pages of 750 kB after the first."""
    done = subprocess.run([sys.executable, "-c", _WORK, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep what is freed")
def test_twenty_pages_need_no_more_memory_than_one() -> None:
    assert page_faults("give back") > 20 * 100
    assert page_faults("keep") < 200


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert keep_freed_memory() is False
