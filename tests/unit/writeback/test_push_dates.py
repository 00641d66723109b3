"""A turn of pushes: what it asks of the store and of the RMM, and in which order."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID, uuid4

from services.writeback.handlers import push_dates
from services.writeback.turns import DeviceWork, Look, PushTurn, ToWrite, Trouble
from shared.dates.calendar import PURCHASE, WARRANTY, DateField
from shared.dates.pushing import Seen

INTEGRATION = uuid4()
DAY = date(2027, 3, 1)


def seen_by(seq: int) -> Look:
    return Look("custom_fields", seq, {PURCHASE: Seen(None), WARRANTY: Seen(None)})


def work_on(*fields: DateField) -> DeviceWork:
    return DeviceWork(INTEGRATION, uuid4(), uuid4(), "d", "c", "s", dict.fromkeys(fields, 1))


class World:
    """Store and RMM in one: says what is asked, and claims `later` when the first write is settled."""

    def __init__(self, later: DateField | None = None, *, patch: bool = True) -> None:
        self.asked: list[str] = []
        self._later: DateField | None = later
        self._patch = patch
        self._seq = 0

    async def gather(self, integration_id: UUID) -> None:
        self.asked.append("gather")

    async def claim(self, integration_id: UUID) -> Sequence[DeviceWork]:
        self.asked.append("claim")
        return [work_on(PURCHASE)]

    async def decide(self, work: DeviceWork, look: Look) -> ToWrite | None:
        self.asked.append(f"decide by look {look.observed_seq}")
        return ToWrite(dict.fromkeys(work.leases, DAY), dict.fromkeys(work.leases, Seen(None)), dict(work.leases))

    async def settle(self, work: DeviceWork, written: ToWrite, look: Look) -> DeviceWork | None:
        self.asked.append(f"settle by look {look.observed_seq}")
        if work.in_hand or self._later is None:
            return None
        return work.following(work_on(self._later).leases, look)

    async def settle_trouble(self, work: DeviceWork, trouble: Trouble, sent: ToWrite | None = None) -> None:
        self.asked.append(trouble.kind)

    async def release(self, rest: Sequence[DeviceWork], trouble: Trouble | None) -> None:
        self.asked.append("release")

    async def end_turn(self, integration_id: UUID) -> None:
        self.asked.append("end")

    async def look(self, work: DeviceWork, written: ToWrite | None = None) -> Look | Trouble:
        self._seq += 1
        self.asked.append("look")
        return seen_by(self._seq)

    async def write(self, work: DeviceWork, values: ToWrite) -> Trouble | None:
        self.asked.append(f"write {'+'.join(values.values)}")
        if self._patch:
            return None
        self._patch = True
        return Trouble("other_way", "patch_unsupported", "no patch", "nothing")


async def asked(world: World) -> list[str]:
    await push_dates(PushTurn(INTEGRATION), world, world)
    return world.asked


async def test_a_write_is_a_look_a_write_and_a_look() -> None:
    written = ["look", "decide by look 1", f"write {PURCHASE}", "look", "settle by look 2"]
    assert await asked(World()) == ["gather", "claim", *written, "end"]


async def test_what_was_wished_meanwhile_is_decided_by_the_look_in_hand() -> None:
    first = ["look", "decide by look 1", f"write {PURCHASE}", "look", "settle by look 2"]
    following = ["decide by look 2", f"write {WARRANTY}", "look", "settle by look 3"]
    assert await asked(World(WARRANTY)) == ["gather", "claim", *first, *following, "end"]


async def test_a_tenant_without_the_patch_is_looked_at_the_other_way() -> None:
    tried = ["look", "decide by look 1", f"write {PURCHASE}"]
    again = ["look", "decide by look 2", f"write {PURCHASE}", "look", "settle by look 3"]
    assert await asked(World(patch=False)) == ["gather", "claim", *tried, *again, "end"]
