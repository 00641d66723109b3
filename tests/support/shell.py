"""`lifecycle` as a shell runs it: a process of its own, with the addresses of one stage."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lifecycle.settings import environment
from lifecycle.stack.layout import project_root
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
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lifecycle", *map(str, words)),
            env=self.variables,
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Result(process.returncode, out.decode(), err.decode())
