"""What a waited run tells the shell, and how its progress reads."""

from typing import Any

import pytest

from lifecycle.data.progress import Rate, progress_text
from lifecycle.data.runs import covers, exit_code
from lifecycle.exits import ExitCode


def a_run(status: str, **changes: Any) -> dict[str, Any]:
    balance = {"seen": 1234, "created": 1000, "updated": 0, "unchanged": 0, "rejected": 0, "repeated": 0}
    companies = {"known": 10, "done": 3}
    return {"status": status, "kind": "full", "target": None, "balance": balance, "companies": companies, **changes}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("succeeded", ExitCode.DONE),
        ("succeeded_with_rejects", ExitCode.DONE),
        ("partial", ExitCode.PARTIAL),
        ("needs_review", ExitCode.FAILED),
        ("failed", ExitCode.FAILED),
        ("cancelled", ExitCode.FAILED),
        ("running", ExitCode.WAIT_RAN_OUT),
        ("queued", ExitCode.WAIT_RAN_OUT),
    ],
)
def test_only_success_is_done(status: str, code: ExitCode) -> None:
    assert exit_code(a_run(status)) is code


def test_a_full_run_covers_everything_and_a_narrow_one_itself() -> None:
    narrow = a_run("running", kind="company", target="c1")
    assert covers(a_run("running"), "device", "d1")
    assert covers(narrow, "company", "c1")
    assert not covers(narrow, "company", "c2")
    assert not covers(narrow, "full", None)


def test_progress_never_says_none_of_none() -> None:
    assert progress_text(a_run("queued"), 0) == "queued: waits for a fetcher"
    unknown = a_run("running", companies={"known": 0, "done": 0})
    assert progress_text(unknown, 0) == "running: 1,234 devices listed, 1,000 in"
    assert progress_text(a_run("running"), 410) == ("running: 3 of 10 companies, 1,234 devices listed, 1,000 in, 410/s")


def test_the_rate_is_of_the_last_ten_seconds() -> None:
    rate = Rate()
    assert rate.add(0, 0) == 0
    assert rate.add(10, 1000) == 100
    assert rate.add(20, 1000) == pytest.approx(0)
