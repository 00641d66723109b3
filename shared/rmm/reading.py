"""From a successful answer's JSON to plain values, leniently: unknown members are ignored, absent ones are None."""

from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import msgspec

from shared.errors import RmmAnswerUnreadable
from shared.rmm.connection import Answer
from shared.rmm.refusals import Purpose
from shared.rmm.wording import why_unreadable

__all__ = ["decode", "decode_list", "path"]

T = TypeVar("T")


def decode(answer: Answer, shape: type[T], purpose: Purpose) -> T:
    """Read the body as `shape`. Raises RmmAnswerUnreadable, whose message has no content of the body."""
    try:
        return msgspec.json.decode(answer.body.removeprefix(b"\xef\xbb\xbf"), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = why_unreadable(answer.body, error)
    raise RmmAnswerUnreadable(f"the answer is not readable ({what}) to {purpose.said(answer.request_id)}")


def decode_list(answer: Answer, shape: type[list[T]], purpose: Purpose) -> list[T]:
    """Read the body as a list; `null` and a 204 are empty ones, as some servers write them. Raises like `decode`."""
    if answer.status == HTTPStatus.NO_CONTENT or answer.body.strip() == b"null":
        return []
    return decode(answer, shape, purpose)


def path(*parts: str) -> str:
    """Join path parts, each quoted, so that an id with a slash or a query in it stays an id."""
    return "/" + "/".join(quote(part, safe="") for part in parts)
