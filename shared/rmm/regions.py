"""The vendor's regions: base URLs, and the region hidden in a client id (API notes 1, hosts)."""

from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

__all__ = ["BASE_URLS", "Region", "base_url", "check_base_url", "detect_region", "wrong_region"]


class Region(StrEnum):
    """A region of the vendor's cloud; a key works in its own region only."""

    NA = "na"
    EU = "eu"
    AU = "au"


BASE_URLS: Final[dict[Region, str]] = {
    Region.NA: "https://openapi.service.itsupport247.net",
    Region.EU: "https://openapi.service.euplatform.connectwise.com",
    Region.AU: "https://openapi.service.auplatform.connectwise.com",
}

# One source only names these prefixes, so they are a hint that a person may overrule, never a refusal.
_PREFIXES: Final = {"0e30": Region.NA, "0e31": Region.EU, "0e32": Region.AU}
_PREFIX_LENGTH: Final = 4


def base_url(region: Region, override: str | None = None) -> str:
    """Give the base URL of a region, without a trailing slash; `override` (from configuration only) wins.

    Raises ValueError where `override` is not an http or https address.
    """
    return check_base_url(override) if override else BASE_URLS[region]


def check_base_url(url: str) -> str:
    """Give `url` without a trailing slash. Raises ValueError, which never repeats it, unless it is http(s) with a host.

    A user, a query, a fragment, and a port that is no number up to 65535 are refused too.
    """
    if not _is_base_url(url.strip()):
        raise ValueError("the base url of the rmm must be like https://host[:port][/path], without user or query")
    return url.strip().rstrip("/")


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        readable_port = parts.port != 0
    except ValueError:  # the port is no number up to 65535, or a bracket is not closed
        return False
    user_or_more = parts.query or parts.fragment or parts.username is not None
    return bool(parts.scheme in {"http", "https"} and parts.hostname and readable_port and not user_or_more)


def detect_region(client_id: str) -> Region | None:
    """Guess the region from the first four characters of a client id; None where they tell nothing."""
    return _PREFIXES.get(client_id.strip().lower()[:_PREFIX_LENGTH])


def wrong_region(region: Region, client_id: str) -> str | None:
    """Tell a person in one sentence that `client_id` looks like another region's; None where it fits or is unknown."""
    found = detect_region(client_id)
    if found is None or found is region:
        return None
    return (
        f"This client ID starts with {client_id.strip()[:_PREFIX_LENGTH]}, as keys of the {found.upper()} region do, "
        f"but the region chosen is {region.upper()}: choose {found.upper()}, or make a key in {region.upper()}."
    )
