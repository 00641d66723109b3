"""A plugin of pytest: copies of its process, forked when all is imported and collected, take a share of the tests.

    python -m pytest tests/unit -p tests.support.copies

For tests that take next to no time each. Workers of xdist import and collect everything once more, each by itself, and
tell of every test in six messages: for the unit tests that is as much work as half of the tests.
"""

import gc
import os
import pickle
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from itertools import groupby
from typing import IO, Any, Final, NoReturn

import pytest

_MOST: Final = 4

# What is imported and collected stays, so to look through it for garbage again and again finds none.
gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run every test once, here or in a copy; a file's tests run in one process, for they may share fixtures."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)
    if session.testsfailed or session.config.option.collectonly or session.config.option.usepdb:
        return None
    tests = _Tests(session)
    # The copies make their folders in the one that this process clears away.
    session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    # What two processes say may not come to one file: each begins one of its own.
    capturing: Any = session.config.pluginmanager.getplugin("capturemanager")
    capturing.stop_global_capturing()
    copies = [_Copy(session, tests) for _ in range(min(os.cpu_count() or 1, _MOST) - 1)]
    capturing.start_global_capturing()
    try:
        tests.run()
        capturing.suspend_global_capture()
        for copy in copies:
            copy.tell()
    finally:
        for copy in copies:
            copy.end()
    return True


class _Tests:
    """The tests of a session. Whoever is free takes those of the next file, in whatever process."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._files = [list(tests) for _, tests in groupby(session.items, key=lambda test: test.path)]
        self._turns, give = os.pipe()
        # A pipe gives each of these to one reader, and ends.
        os.write(give, b"".join(number.to_bytes(2, "big") for number in range(len(self._files))))
        os.close(give)

    def _mine(self) -> Iterator[pytest.Item]:
        while number := os.read(self._turns, 2):
            yield from self._files[int.from_bytes(number, "big")]

    def run(self) -> None:
        """Run what is left and nobody else takes, as pytest's own loop does."""
        mine = self._mine()
        test = next(mine, None)
        while test is not None:
            following = next(mine, None)
            test.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
            self.stop_where_told()
            test = following

    def stop_where_told(self) -> None:
        """Raise where no further test shall run."""
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)


class _Copy:
    """A copy of this process that runs tests, and what it tells of them."""

    def __init__(self, session: pytest.Session, tests: _Tests) -> None:
        self._session = session
        self._tests = tests
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 - two processes hold it, for as long as they live
        self._pid: int | None = os.fork()
        if self._pid == 0:
            try:
                _Telling(session.config, self._told).of(tests)
            finally:
                os._exit(0)

    def tell(self) -> None:
        """Wait for its end and report its tests as if they had run here."""
        assert self._pid is not None
        _, status = os.waitpid(self._pid, 0)
        self._pid = None
        self._told.seek(0)
        hook = self._session.config.hook
        last: Any = "its first test"
        while True:
            try:
                kind, what = pickle.load(self._told)
            except EOFError:
                break
            if kind == "broken":
                self._stop(what)
            if kind == "begins":
                last, location = what
                hook.pytest_runtest_logstart(nodeid=last, location=location)
            elif kind == "ended":
                hook.pytest_runtest_logfinish(nodeid=what[0], location=what[1])
            else:
                report = hook.pytest_report_from_serializable(config=self._session.config, data=what)
                hook.pytest_runtest_logreport(report=report)
        if status != 0:
            self._stop(f"a process of the tests ended by itself, with status {status}, in {last}")
        self._tests.stop_where_told()

    def _stop(self, reason: str) -> NoReturn:
        self._session.shouldfail = reason  # is what is shown
        raise self._session.Failed(reason)

    def end(self) -> None:
        """Kill it where nobody waited for it."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._told.close()


class _Telling:
    """What a copy does with its reports."""

    def __init__(self, config: pytest.Config, told: IO[bytes]) -> None:
        self._config = config
        self._told = told

    def of(self, tests: _Tests) -> None:
        """Run tests, and tell what came of each, and whatever else came up."""
        plugins = self._config.pluginmanager
        plugins.unregister(name="terminalreporter")
        plugins.register(self)
        plugins.getplugin("capturemanager").start_global_capturing()  # type: ignore[union-attr]
        try:
            tests.run()
        except (pytest.Session.Failed, pytest.Session.Interrupted):
            pass  # Those who read the reports see the same reason.
        except BaseException:  # noqa: BLE001 - whatever it is, it is told
            self._tell("broken", traceback.format_exc())
        # What pytest does at a session's end: garbage that complains when it goes is some test's fault.
        sys.unraisablehook = lambda left: self._tell("broken", f"left by some test: {left.exc_value!r}")
        gc.collect()

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self._tell("begins", (nodeid, location))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._tell("report", self._config.hook.pytest_report_to_serializable(config=self._config, report=report))

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        self._tell("ended", (nodeid, location))

    def _tell(self, kind: str, what: Any) -> None:
        pickle.dump((kind, what), self._told)
        self._told.flush()
