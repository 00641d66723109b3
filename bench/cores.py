"""How whole the cores are: whether a process works as fast while the other core works as well.

A peer is one process and a Postgres that take turns, so it has one core at a time; the pipeline has all of them busy.
Where cores share what is below them (two threads of one core, a neighbour's machine), work costs more CPU seconds when
all are busy, and a ratio between the two kinds says as much of the machine as of the programs.
"""

import asyncio
import sys

# Reads and writes JSON of some megabytes, for about a second.
_WORK = """
import json, time
text = json.dumps([{"number": number, "text": "x" * 40, "list": [1, 2, 3]} for number in range(2000)])
began = time.process_time()
for _ in range(150):
    json.dumps(json.loads(text))
print(time.process_time() - began)
"""


async def slowdown(cores: int) -> float:
    """CPU seconds of a piece of work while every core does the same, by those of the same work alone."""
    alone = await _seconds()
    together = await asyncio.gather(*(_seconds() for _ in range(cores)))
    return sum(together) / len(together) / alone


async def _seconds() -> float:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _WORK, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return float(out)
