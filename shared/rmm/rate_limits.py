"""The vendor's own count of requests by operation group (API notes 4, K14)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from shared.rmm.connection import Call
from shared.rmm.rates import Priority
from shared.rmm.reading import decode, path
from shared.rmm.refusals import Purpose
from shared.rmm.session import Session

__all__ = ["RateBucket", "rate_limits"]


@dataclass(frozen=True, slots=True)
class RateBucket:
    """One bucket: `name` such as `asset/partner-asset-endpoints-details`; `reset_at` None where not given."""

    name: str
    limit: int
    remaining: int
    reset_at: datetime | None


async def rate_limits(session: Session) -> list[RateBucket]:
    """Read all buckets, the tightest first; the promise stands at RmmClient.rate_limits."""
    purpose = Purpose("read_rate_limits", session.integration_id)
    answer = await session.must(Call(purpose, "GET", path("v1", "rate_limits"), priority=Priority.DETAIL))
    groups = _object(decode(answer, dict[str, object], purpose).get("resources"))
    buckets = [
        bucket
        for group, members in groups.items()
        for name, member in _object(members).items()
        if (bucket := _bucket(f"{group}/{name}", _object(member))) is not None
    ]
    return sorted(buckets, key=lambda bucket: (bucket.remaining, bucket.name))


def _bucket(name: str, members: dict[str, object]) -> RateBucket | None:
    limit, remaining, reset = members.get("limit"), members.get("remaining"), members.get("reset")
    if not isinstance(limit, int) or not isinstance(remaining, int) or limit <= 0:
        return None
    try:
        at = datetime.fromtimestamp(reset, UTC) if isinstance(reset, int | float) and reset > 0 else None
    except (OverflowError, OSError, ValueError):
        at = None
    return RateBucket(name, limit, max(remaining, 0), at)


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
