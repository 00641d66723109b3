"""Sees to it that this machine has a broker and a database to start; starts neither. Part of `make setup`."""

import asyncio
import sys

from lifecycle.exits import Failure
from lifecycle.settings import CommandSettings
from lifecycle.stack.choice import choose_broker, choose_database
from lifecycle.stack.layout import layout


async def provide() -> bool:
    """Chooses both as `lifecycle up` would, installing what it would; False where one of them is missing."""
    settings = CommandSettings()
    folder = layout(settings.local_dir)
    folder.create()
    complete = True
    for choose in (choose_broker, choose_database):
        try:
            _say((await choose(folder, settings, _say)).description)
        except Failure as failure:
            _say(f"{failure.message}; {failure.next_step}")
            complete = False
    return complete


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(provide()) else 1)
