"""`lifecycle` as a shell runs it: a process of its own, with the addresses of one stage.

The process is forked from one that has everything imported, for a test proves nothing by the seconds that this takes.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lifecycle.main import run
from lifecycle.settings import environment
from lifecycle.stack.layout import project_root
from tests.support.forks import FORKED
from tests.support.stage import Stage


@dataclass(frozen=True)
class Result:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Runs `lifecycle` as a process of its own."""

    variables: dict[str, str]
    folder: Path

    @classmethod
    def at(cls, stage: Stage, folder: Path) -> Self:
        """A shell in this folder, in the name of tess."""
        variables = {name: value for name, value in environment().items() if not name.startswith("LIFECYCLE_")}
        variables |= {
            "LIFECYCLE_AMQP_URL": stage.amqp_url,
            "LIFECYCLE_DATABASE_URL": stage.database_url,
            "LIFECYCLE_LOCAL_DIR": str(folder / "local"),
            "LIFECYCLE_SEALING_KEY": stage.keys.public_text,
            "LIFECYCLE_ACTOR": "tess",
            "PYTHONPATH": str(project_root()),
        }
        return cls(variables, folder)

    async def __call__(self, *words: object, stdin: str = "") -> Result:
        """Run one command line to its end."""
        with tempfile.TemporaryDirectory() as name:
            files = Path(name)
            (files / "0").write_text(stdin)
            process = FORKED.Process(target=_become, args=(files, [*map(str, words)], self.variables, self.folder))
            process.start()
            await asyncio.to_thread(process.join)
            assert process.exitcode is not None
            return Result(process.exitcode, (files / "1").read_text(), (files / "2").read_text())

    async def start(self, *words: object) -> asyncio.subprocess.Process:
        """Begin a command line as a process from scratch; the test waits for it or kills it."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lifecycle", *map(str, words)),
            env=self.variables,
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )


def _become(files: Path, words: Sequence[str], variables: Mapping[str, str], folder: Path) -> None:
    """In the forked process: its streams, its environment and its folder, then the command line."""
    for stream, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY | os.O_CREAT), (2, os.O_WRONLY | os.O_CREAT)):
        os.dup2(os.open(files / str(stream), flags, 0o600), stream)
    sys.stdin = os.fdopen(0)
    os.environ.clear()  # noqa: TID251 - it is the command's process from here on
    os.environ.update(variables)  # noqa: TID251 - the same
    os.chdir(folder)
    sys.exit(run(words))
