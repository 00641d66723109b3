"""Free ports for private servers."""

import random
import socket
from contextlib import ExitStack

# Below the range from which systems take the ports of outgoing connections: a server that is down for a moment
# must find its port free when it comes back.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 1_000


def free_ports(count: int) -> list[int]:
    """Distinct ports of 127.0.0.1 that nothing listens on now."""
    chosen: list[int] = []
    chooser = random.SystemRandom()
    with ExitStack() as held:
        for _ in range(_TRIES):
            if len(chosen) == count:
                return chosen
            port = chooser.randint(_LOWEST, _HIGHEST)
            if port not in chosen and _hold(held, port):
                chosen.append(port)
    raise OSError(f"no {count} free ports between {_LOWEST} and {_HIGHEST}")


def is_free(port: int) -> bool:
    """Whether nothing listens on the port of 127.0.0.1."""
    with ExitStack() as held:
        return _hold(held, port)


def _hold(held: ExitStack, port: int) -> bool:
    holder = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    # Servers set this too; without it a port counts as taken for a minute after its server ends.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
