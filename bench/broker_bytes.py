"""The most bytes that waited in the broker's queues, those delivered and not yet acked included."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.stack import Servers
from lifecycle.exits import Failure
from lifecycle.stack.broker_files import NodeFiles

# Runs within the node: its statistics are five seconds old, and each call of the tool takes a second of CPU. An
# expression, because a node can be asked for nothing else; the overview of a quorum queue is what its state machine
# itself counts.
_BEGIN = """
    Look = fun Look(Peak) ->
        Sizes = [case ra:local_query(amqqueue:get_pid(Queue), fun rabbit_fifo:overview/1, 1000) of
            {ok, {_, #{enqueue_message_bytes := Waiting, checkout_message_bytes := Taken}}, _} -> Waiting + Taken
        end || Queue <- rabbit_amqqueue:list(<<"/">>), amqqueue:get_type(Queue) =:= rabbit_quorum_queue],
        Now = max(Peak, lists:sum(Sizes)),
        receive {From, stop} -> From ! {peak, Now} after 100 -> Look(Now) end
    end,
    register(bench_peak, spawn(fun() -> Look(0) end)), ok.
"""
_END = "bench_peak ! {self(), stop}, receive {peak, Peak} -> Peak after 5000 -> gone end."


@dataclass
class Peak:
    """The most bytes at once, known when the context has ended."""

    bytes: int = 0


@asynccontextmanager
async def peak_bytes(servers: Servers) -> AsyncGenerator[Peak]:
    """Look every 100 ms for as long as the context lasts. Not for what is timed: it costs the broker some CPU."""
    found = Peak()
    await _evaluate(servers, _BEGIN)
    try:
        yield found
    finally:
        said = await _evaluate(servers, _END)
    found.bytes = int(said)


async def _evaluate(servers: Servers, expression: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(servers.binaries / "rabbitmqctl"),
        "eval",
        expression,
        env=NodeFiles.load(servers.layout.broker).environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    if process.returncode:
        raise Failure("the broker does not say how many bytes wait in it", said.decode(errors="replace")[-500:])
    return out.decode().strip()
