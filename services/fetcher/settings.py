"""Settings of the fetcher."""

from pydantic import Field

from shared.settings import ListingSettings, RmmSettings


class FetcherSettings(RmmSettings, ListingSettings):
    """What the fetcher needs beyond every service that talks to an RMM."""

    chunks_waiting_own: int = Field(
        default=3,
        ge=1,
        description="parts of pages of one integration that may wait for the writer, shared while several sync;"
        " about two for each writer",
    )
    chunks_waiting_all: int = Field(default=32, ge=1, description="parts of pages that may wait for the writer in all")
    details_per_turn: int = Field(
        default=10, ge=1, le=100, description="devices of one integration whose dates are read in one turn"
    )
    fetcher_prefetch: int = Field(default=24, ge=1, le=100, description="pages that one fetcher works on at once")
