"""Settings of the scheduler."""

from pydantic import Field

from shared.settings import ListingSettings


class SchedulerSettings(ListingSettings):
    """What the scheduler needs beyond every service."""

    tick_seconds: float = Field(default=1.0, gt=0, description="how often the scheduler looks for what is due")
    outbox_sweep_after_seconds: float = Field(
        default=5.0, gt=0, description="age at which the scheduler publishes an event that its writer did not"
    )
    stuck_after_seconds: float = Field(
        default=360.0, gt=0, description="a run without progress for so long is told again; longer than a quota window"
    )
    detail_freshness_seconds: int = Field(
        default=86_400, ge=1, description="dates that were read longer ago are read again, where quota is left"
    )
    stuck_announcements: int = Field(
        default=5, ge=1, description="a run that was told again so often without progress is given up"
    )
