"""The scheduler's one handler: what ended dead is kept for a person."""

from typing import Protocol

from services.scheduler.dead import DeadMessage


class Parking(Protocol):
    """Where dead messages are kept."""

    async def keep(self, dead: DeadMessage) -> None:
        """Keep one, with its consequence for the run it belongs to."""


async def keep_dead(dead: DeadMessage, parking: Parking) -> None:
    """Keep a dead message.

    Twice is safe: a message is one row by its queue, id and body, and its consequence is in the same transaction.
    Any order is safe: a scope fails only where it still stands at the page of the message. A crash before the commit
    leaves the message in the dead queue.
    """
    await parking.keep(dead)
