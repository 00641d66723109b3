"""Write-back's handlers: record an edit, and carry a turn of dates into an RMM."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from services.writeback.intake import EditOrder
from services.writeback.turns import DeviceWork, Look, PushTurn, ToWrite, Trouble


class Edits(Protocol):
    """The ledger of edits."""

    async def record(self, order: EditOrder) -> None:
        """Record an edit once, with all that follows from it."""


class Pushes(Protocol):
    """What each RMM is to hold. Whoever holds the lease of a field may say how it went, nobody else."""

    async def gather(self, integration_id: UUID) -> None:
        """Wait, below a second, for the other date of a device that was edited just now."""

    async def claim(self, integration_id: UUID) -> Sequence[DeviceWork]:
        """Claim a few devices for which something is due; none is a good answer."""
        ...

    async def decide(self, work: DeviceWork, look: Look) -> ToWrite | None:
        """Settle what needs no write, and mark the rest as on its way; None where nothing is left."""

    async def settle(self, work: DeviceWork, written: ToWrite, look: Look) -> DeviceWork | None:
        """Settle a write by the look after it; what is wished of the device by then is claimed, with that look."""

    async def settle_trouble(self, work: DeviceWork, trouble: Trouble, sent: ToWrite | None = None) -> None:
        """Settle a look or a write that did not come about; `sent` is what the RMM may have got nevertheless."""

    async def release(self, rest: Sequence[DeviceWork], trouble: Trouble | None) -> None:
        """Give claims back untried."""

    async def end_turn(self, integration_id: UUID) -> None:
        """Announce the next turn where something is due."""


class Rmm(Protocol):
    """The RMM, by whichever way this tenant takes dates."""

    async def look(self, work: DeviceWork, written: ToWrite | None = None) -> Look | Trouble:
        """Read what stands there; `written` is what was written just now."""
        ...

    async def write(self, work: DeviceWork, values: ToWrite) -> Trouble | None:
        """Write all the values in one request; None where the RMM took it."""


async def record_edit(order: EditOrder, edits: Edits) -> None:
    """Record an edit, compute what counts now, and wish it into the RMMs.

    Twice is safe: an edit is one row by its event's id and source, and a recorded one is left alone. Any order is safe:
    what became of the edits of an asset is computed from all of them in their own order. Edits that come at the same
    time commit together, and this returns after the commit. A crash before it leaves nothing, and the edits are
    delivered again; after it, the wake-up is in the outbox.
    """
    await edits.record(order)


async def push_dates(turn: PushTurn, pushes: Pushes, rmm: Rmm) -> None:
    """Carry the dates of a few devices of one integration into its RMM; the rest goes to a following turn.

    Twice and in any order is safe: a turn takes what is due and not claimed, and nothing due is nothing. A crash in the
    waiting at its beginning leaves the message, for nothing is taken yet. A later one leaves claims that run out, and
    what was on its way is settled by reading: it stands there, or it is written again, the newest wish both times. A
    pause that a request meets is raised when all claims are given back.
    """
    await pushes.gather(turn.integration_id)
    works = await pushes.claim(turn.integration_id)
    for place, work in enumerate(works):
        trouble = await _push_device(work, pushes, rmm)
        if trouble and trouble.stops:
            await pushes.release(works[place + 1 :], trouble)
            if trouble.kind == "hold" and trouble.error:
                raise trouble.error
            break
    await pushes.end_turn(turn.integration_id)


async def _push_device(work: DeviceWork, pushes: Pushes, rmm: Rmm) -> Trouble | None:
    """Bring a device's dates there, and what was wished of it meanwhile."""
    left: DeviceWork | Trouble | None = work
    while isinstance(left, DeviceWork):
        left = await _write_device(left, pushes, rmm)
    return left


async def _write_device(work: DeviceWork, pushes: Pushes, rmm: Rmm) -> DeviceWork | Trouble | None:
    """Look, write what differs, look again. A crash between any two steps is settled by the first look of the next.

    The second look is the first one of what was wished meanwhile: that is claimed in the transaction that settles the
    write, and if all ends there, the claim runs out and the next holder looks for itself.
    """
    while True:
        look = work.in_hand or await rmm.look(work)
        if isinstance(look, Trouble):
            return await _troubled(work, look, pushes)
        work = work.by(look.way)
        to_write = await pushes.decide(work, look)
        if to_write is None:
            return None
        trouble = await rmm.write(work, to_write)
        if trouble is None:
            break
        if trouble.kind != "other_way":
            return await _troubled(work, trouble, pushes, to_write)
        work = work.falling_back()
    after = await rmm.look(work, to_write)
    if isinstance(after, Trouble):
        return await _troubled(work, after, pushes, to_write)
    return await pushes.settle(work, to_write, after)


async def _troubled(work: DeviceWork, trouble: Trouble, pushes: Pushes, sent: ToWrite | None = None) -> Trouble:
    await pushes.settle_trouble(work, trouble, sent)
    return trouble
