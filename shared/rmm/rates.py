"""The request budget as this client sees it, and what the vendor's answers say about it (API notes 4, rate limit)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final, Protocol

__all__ = ["Budget", "Priority", "RateReading", "read_rate"]

_LONGEST_WAIT: Final = timedelta(seconds=300)
# The vendor's own words are unknown, so every client's guesses are read; SPEC-A's unprefixed ones come first.
_FAMILIES: Final = ("", "X-RateLimit-", "X-Rate-Limit-", "RateLimit-")
# A reset below this is no date of this century but a number of seconds (the IETF draft's meaning of RateLimit-Reset).
_SMALLEST_UNIX_TIME: Final = 100_000_000
_TOO_MANY_REQUESTS: Final = 429
_NUMBER: Final = re.compile(r"\s*(-?[0-9]{1,15})")


class Priority(StrEnum):
    """What a request is for; the budget keeps a reserve for the upper ones."""

    WRITE = "write"
    LIST = "list"
    DETAIL = "detail"


@dataclass(frozen=True, slots=True)
class RateReading:
    """What one answer said about the vendor's limit.

    `limit` and `remaining` are of the tightest bucket that made sense; None where the answer did not say. `wait` is how
    long to hold back, from Retry-After or else from the reset, 300 s at most. `refused` is True for a 429.
    """

    limit: int | None = None
    remaining: int | None = None
    wait: timedelta | None = None
    refused: bool = False


class Budget(Protocol):
    """Port: the integration's shared request budget. Used by every HTTP request, a sign-in and a repeat included."""

    async def take(self, priority: Priority) -> None:
        """Return once one request may be sent; may wait a few seconds.

        Raises QuotaExhausted where the wait is longer.
        """
        ...

    async def corrected(self, reading: RateReading) -> None:
        """Learn from an answer: called for every 429, and for every answer with usable rate headers.

        Must be cheap where nothing follows from the reading, and must not raise QuotaExhausted: the request is done.
        """
        ...


def read_rate(status: int, headers: Mapping[str, str], now: datetime) -> RateReading | None:
    """Read an answer's rate headers and Retry-After; None where there is nothing to learn.

    `headers` is case-insensitive; `now` is aware. The answer's own Date, where there is one, is taken for `now`, so our
    clock may be wrong. A bucket whose limit is zero or less is bogus and not read (seen by one client).
    """
    refused = status == _TOO_MANY_REQUESTS
    now = _http_date(headers.get("Date")) or now
    buckets = [bucket for family in _FAMILIES if (bucket := _bucket(headers, family, now)) is not None]
    tightest = min(buckets, key=lambda bucket: bucket[1], default=None)
    wait = _retry_after(headers.get("Retry-After"), now)
    if tightest is None:
        if wait is None and refused:
            # A 429 whose buckets make no sense still tells when it ends.
            wait = next((reset for family in _FAMILIES if (reset := _reset(headers, family, now)) is not None), None)
        return RateReading(wait=_capped(wait), refused=refused) if refused or wait else None
    limit, remaining, reset = tightest
    if wait is None and (refused or remaining == 0):
        wait = reset
    return RateReading(limit, remaining, _capped(wait), refused)


def _bucket(headers: Mapping[str, str], family: str, now: datetime) -> tuple[int | None, int, timedelta | None] | None:
    limit = _number(headers.get(f"{family}Limit"))
    remaining = _number(headers.get(f"{family}Remaining"))
    if remaining is None or remaining < 0 or (limit is not None and limit <= 0):
        return None
    if limit is None and remaining == 0:
        return None
    return limit, remaining, _reset(headers, family, now)


def _reset(headers: Mapping[str, str], family: str, now: datetime) -> timedelta | None:
    """Read how long until a bucket's reset; None where it is missing or past."""
    value = _number(headers.get(f"{family}Reset"))
    if value is None or value <= 0:
        return None
    seconds = value - now.timestamp() if value >= _SMALLEST_UNIX_TIME else value
    return timedelta(seconds=min(seconds, _LONGEST_WAIT.total_seconds())) if seconds > 0 else None


def _retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Read Retry-After in seconds or as a date; a wait of zero or in the past is none."""
    if text is None:
        return None
    seconds = _number(text) if text.strip().isascii() and text.strip().isdigit() else None
    if seconds is None:
        at = _http_date(text)
        if at is None:
            return None
        seconds = int((at - now).total_seconds())
    return timedelta(seconds=min(seconds, _LONGEST_WAIT.total_seconds())) if seconds > 0 else None


def _http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _number(text: str | None) -> int | None:
    """Read the leading whole number: `500, 500;w=300` is 500."""
    found = _NUMBER.match(text) if text else None
    return int(found[1]) if found else None


def _capped(wait: timedelta | None) -> timedelta | None:
    return None if wait is None else min(wait, _LONGEST_WAIT)
