"""The writer's handler: what became of the devices of a chunk is counted."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from services.writer.handlers import write_page
from services.writer.store import CREATED, SAME, UPDATED, Written
from shared.observability import metrics

OUTCOMES = ("created", "updated", "unchanged", "rejected", "repeated")


class Assets:
    """A store to which every chunk comes to the same."""

    def __init__(self, written: Written | None) -> None:
        self._written = written

    async def write(self, _: Any, __: str) -> Written | None:
        return self._written

    async def close_if_done(self, _: UUID) -> None:
        """No run to close."""


def counted() -> list[float]:
    return [metrics.DEVICES.labels(outcome=outcome)._value.get() for outcome in OUTCOMES]


async def written_as(written: Written | None) -> list[float]:
    """By how much each outcome grew."""
    page: Any = SimpleNamespace(data=SimpleNamespace(run_id=str(uuid4())), correlation_id="story")
    before = counted()
    await write_page(page, Assets(written))
    return [after - earlier for after, earlier in zip(counted(), before, strict=True)]


async def test_each_device_of_a_chunk_counts_by_what_became_of_it() -> None:
    written = Written(created=[uuid4()], updated=[uuid4(), uuid4()], rejected=4, repeated=5)
    written.add(1, CREATED)
    written.add_all([2, 3], UPDATED)
    written.add_all([4, 5, 6], SAME)
    assert await written_as(written) == [1, 2, 3, 4, 5]


async def test_a_chunk_that_was_written_before_counts_for_nothing() -> None:
    assert await written_as(None) == [0, 0, 0, 0, 0]
