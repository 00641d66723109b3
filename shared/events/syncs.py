"""Events of a sync. The two bulk ones, device.page_fetched and asset.page_normalized, are in bulk.py."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.events.envelope import EventData


class SyncRequested(EventData):
    """Somebody wants a sync. While a run is going the request joins it; a full one follows a narrower run."""

    event_type: ClassVar[str] = "sync.requested"
    integration_id: UUID
    run_id: UUID | None = Field(default=None, description="the run, where the requester has queued it in the store")
    kind: Literal["full", "company", "device"] = "full"
    target: str | None = Field(default=None, description="company or device id of the RMM, for the narrow kinds")


class PageDue(EventData):
    """A turn of one scope is due: one page or several are to be fetched. A turn that is over is nothing."""

    event_type: ClassVar[str] = "sync.page_due"
    integration_id: UUID
    run_id: UUID
    scope_id: UUID
    page_no: int = Field(ge=0, le=2**31 - 1, description="page at which the turn begins, 0 for the first of the scope")


class DetailDue(EventData):
    """A turn of the slow sweep of dates is due. Which devices, the store knows; a turn that is over is nothing."""

    event_type: ClassVar[str] = "sync.detail_due"
    integration_id: UUID
    turn: int = Field(
        ge=0,
        le=2**31 - 1,
        description="number of the turn; only the current one of the integration does anything",
    )


class SyncCompleted(EventData):
    """A run ended with its balance: seen = created + updated + unchanged + rejected + repeated."""

    event_type: ClassVar[str] = "sync.completed"
    integration_id: UUID
    run_id: UUID
    status: str
    seen: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    repeated: int
    missing: int
    archived: int


class SyncFailed(EventData):
    """A run ended without success, with the reason and what to do."""

    event_type: ClassVar[str] = "sync.failed"
    integration_id: UUID
    run_id: UUID
    status: str
    reason_code: str
    reason: str
    next_action: str


class AssetsChanged(EventData):
    """Assets of one chunk were created or changed; at most as many as a chunk has devices."""

    event_type: ClassVar[str] = "asset.changed"
    integration_id: UUID
    run_id: UUID
    created: list[UUID]
    updated: list[UUID]
