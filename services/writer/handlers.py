"""The writer's one handler."""

from typing import Protocol
from uuid import UUID

from services.writer.store import Written
from shared.events.bulk import AssetPageNormalized, Bulk
from shared.observability import metrics


class Assets(Protocol):
    """Where assets are kept."""

    async def write(self, chunk: AssetPageNormalized, correlation_id: str) -> Written | None:
        """Write a chunk once; None when there is nothing to write any more."""

    async def close_if_done(self, run_id: UUID) -> None:
        """Close the run when nothing of it is open."""


async def write_page(page: Bulk[AssetPageNormalized], assets: Assets) -> None:
    """Write a chunk of assets and close the run with its last one.

    Twice is safe: a chunk is recorded in the transaction that writes its rows, and a recorded one is dropped.
    Any order is safe: every row keeps the observation number it was written from, and a lower one never overwrites.
    A crash before the commit leaves nothing; after it, the redelivery finds the chunk recorded and still closes the
    run, which is guarded itself.
    """
    with metrics.CHUNK_SECONDS.time():
        written = await assets.write(page.data, page.correlation_id)
    if written:
        metrics.DEVICES.labels(outcome="created").inc(len(written.created))
        metrics.DEVICES.labels(outcome="updated").inc(len(written.updated))
        metrics.DEVICES.labels(outcome="unchanged").inc(written.unchanged)
        metrics.DEVICES.labels(outcome="rejected").inc(written.rejected)
        metrics.DEVICES.labels(outcome="repeated").inc(written.repeated)
    await assets.close_if_done(UUID(page.data.run_id))
