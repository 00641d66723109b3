"""Text from outside, fit to be stored."""

import unicodedata
from typing import Final

MAX_TEXT: Final = 512
"""Characters that a text column keeps."""


def clean(sent: str | None, limit: int = MAX_TEXT) -> str | None:
    """Return the text without NULs and without space around it, at most `limit` characters; None for nothing.

    Postgres refuses NUL in text. The cut is between characters and not bytes, and takes what was combined with the
    last one along, so no half of an accent or an emoji stays behind.
    """
    if not sent:
        return None
    text = sent.strip()
    if "\0" in text:
        text = text.replace("\0", "").strip()
    if len(text) > limit:
        text = _cut(text, limit)
    return text or None


def _cut(text: str, limit: int) -> str:
    end = limit
    # Back to a boundary: not before a combining mark, a variation selector or a joiner, nor after a joiner.
    while end > limit // 2 and (_joins(text[end]) or text[end - 1] == "\u200d"):
        end -= 1
    return text[:end].rstrip()


def _joins(character: str) -> bool:
    return character == "\u200d" or unicodedata.category(character) in ("Mn", "Me", "Mc")
