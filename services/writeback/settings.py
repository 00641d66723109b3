"""Settings of write-back."""

from datetime import timedelta

from pydantic import Field

from shared.settings import RmmSettings


class WritebackSettings(RmmSettings):
    """What write-back needs beyond every service that talks to an RMM."""

    # A date is a few hundred bytes; and what a killed writer held is free again only after its longest request.
    rmm_timeout_seconds: float = Field(default=20.0, gt=0, description="deadline of one request to the RMM")
    writeback_prefetch: int = Field(default=10, ge=1, le=100, description="turns of pushes that one replica works on")
    edits_prefetch: int = Field(
        default=100, ge=2, le=1000, description="edits that one replica takes at once, and records together in two lots"
    )
    devices_per_turn: int = Field(default=10, ge=1, le=100, description="devices of one integration in one turn")
    devices_at_once: int = Field(
        default=40, ge=1, le=1000, description="devices of one integration that all replicas together write at once"
    )
    write_max_age_seconds: int = Field(
        default=86_400,
        ge=1,
        description="a date that could not be written for so long, pauses not counted, is given up",
    )
    recheck_seconds: tuple[float, ...] = Field(
        default=(1.0, 4.0, 15.0, 40.0), description="when to look again for a date that the RMM took and does not show"
    )
    push_gather_seconds: float = Field(
        default=0.2, ge=0, lt=1, description="how long an edited date waits for the other date of its device"
    )

    @property
    def lease(self) -> timedelta:
        """How long a claim holds without a step: one request, a sign-in before it, and some waiting for the budget."""
        return timedelta(seconds=self.rmm_timeout_seconds + 45)

    @property
    def gather(self) -> timedelta:
        """How long a wish waits before it is claimed, so that the other date can go in the same request."""
        return timedelta(seconds=self.push_gather_seconds)

    @property
    def write_max_age(self) -> timedelta:
        """The age cap of a write."""
        return timedelta(seconds=self.write_max_age_seconds)
