"""Where the next page starts, from an answer's Link header; no I/O (API notes 2.4, K6, K9).

Of a link only its query is ever read. Origin and path are ours, so a link to a stranger never gets the token, and a
relative link works like an absolute one.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from shared.errors import CursorLoop, RmmAnswerUnreadable

__all__ = ["next_cursor", "next_link", "next_query", "step"]

_LINK: Final = re.compile(r"<(?P<url>[^<>]*)>(?P<parameters>(?:[^,\"<]|\"[^\"]*\")*)")
_PARAMETER: Final = re.compile(r";\s*(?P<name>[\w*-]+)\s*=\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<bare>[^\s;,\"]+))")
_CURSOR: Final = re.compile(r"[0-9]{1,18}")


def next_link(header: str | None) -> str | None:
    """Give the URL that a Link header names as `rel=next`; None where there is none.

    Takes several links in one header, other parameters, commas inside URLs and quotes, `rel=next` without quotes and
    `rel="next last"`.
    """
    for found in _LINK.finditer(header or ""):
        parameters = _PARAMETER.finditer(found["parameters"])
        # RFC 8288: the first rel counts.
        rel = next((one["quoted"] or one["bare"] or "" for one in parameters if one["name"].lower() == "rel"), "")
        if "next" in rel.lower().split():
            return found["url"].strip()
    return None


def next_query(header: str | None) -> tuple[tuple[str, str], ...] | None:
    """Give the query of the next link; None where there is no next link. Raises RmmAnswerUnreadable."""
    url = next_link(header)
    if url is None:
        return None
    try:
        query = urlsplit(url).query
    except ValueError as error:
        raise RmmAnswerUnreadable("the next link of the rmm's answer is no url") from error
    return tuple(parse_qsl(query, keep_blank_values=True))


def next_cursor(header: str | None) -> int | None:
    """Give the cursor of the next link; None where there is no next link.

    Raises RmmAnswerUnreadable where there is a next link and not exactly one whole number as its cursor: ending there
    would cut the fleet short without a word.
    """
    query = next_query(header)
    if query is None:
        return None
    values = {value.strip() for name, value in query if name.lower() == "cursor"}
    if len(values) != 1 or not _CURSOR.fullmatch(value := values.pop()):
        raise RmmAnswerUnreadable("the next link of the rmm's answer has no whole number as its cursor")
    return int(value)


def step(cursor: int, found: int | None, *, devices: int, limit: int, links: bool | None) -> int | None:
    """Decide where the next page starts: None at the end.

    `found` is the cursor of the next link, None without one. `links` is whether this tenant was seen to page by links,
    None while unknown. Without a link the end is reached, unless links are not known to be used and the page is full:
    then the devices are counted on, at the price of one request that finds nothing where the fleet ends there.
    Raises CursorLoop where a link does not lead onwards.
    """
    if found is not None:
        if found <= cursor:
            raise CursorLoop(f"the page at cursor {cursor} names {found} as the next cursor")
        return found
    if links or devices < limit:
        return None
    return cursor + devices
