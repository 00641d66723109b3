"""The vendor's own words in an error body, whatever its shape, made safe to show (API notes 4 and K3).

At least six shapes exist. The words are one line, at most 200 characters, and what looks like key material is masked:
an error text is shown to people and kept, a payload is not.
"""

import re
from dataclasses import dataclass
from typing import Final, cast

import msgspec

__all__ = ["Wording", "looks_like_html", "read_wording", "safe_words", "why_unreadable"]

_LONGEST: Final = 200
_LARGEST_BODY: Final = 64 * 1024
_DEEPEST: Final = 4
_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# Long unbroken runs are tokens and secrets; ids are not, and scope words are broken by their dots.
_OPAQUE: Final = re.compile(rf"(?<![A-Za-z0-9+/_=-])(?!{_UUID}\b)[A-Za-z0-9+/=_-]{{33,}}")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+\S+")


@dataclass(frozen=True, slots=True)
class Wording:
    """What an error body says: `code` (`invalid_scope`), `text` for people, and whether it was a JSON error at all."""

    code: str = ""
    text: str = ""
    is_json_error: bool = False
    is_html: bool = False

    def __str__(self) -> str:
        if self.code and self.text and self.code != self.text:
            return f"{self.code}: {self.text}"
        return self.text or self.code or ("an HTML page" if self.is_html else "no reason given")

    def names(self, *words: str) -> bool:
        """Tell whether the body mentions one of these words, in any case."""
        said = f"{self.code} {self.text}".lower()
        return any(word.lower() in said for word in words)


def read_wording(body: bytes, *, hide: tuple[str, ...] = ()) -> Wording:
    """Read an error body leniently; never raises. `hide` holds secrets of ours that the body may echo."""
    if not body.strip():
        return Wording()
    if looks_like_html(body):
        return Wording(is_html=True)
    content = _decoded(body)
    if content is None:
        return Wording(text=safe_words(body[: 4 * _LONGEST].decode("utf-8", "replace"), hide=hide))
    code, text = _words(content)
    return Wording(
        safe_words(code, hide=hide), safe_words(text, hide=hide), is_json_error=bool(code or text), is_html=False
    )


def why_unreadable(body: bytes, error: Exception) -> str:
    """Why a body is not the JSON that was expected, without its content: msgspec names types, places and bytes only."""
    if looks_like_html(body):
        return "a web page came in the place of JSON"
    return str(error).lower() if isinstance(error, msgspec.DecodeError) else type(error).__name__


def looks_like_html(body: bytes) -> bool:
    """Tell whether a body is a page for people: a proxy, a sign-in or a maintenance page, not the API."""
    start = body[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<!--", b"<?xml"))


def safe_words(text: str, *, hide: tuple[str, ...] = ()) -> str:
    """Make a foreign text fit to show: one line, clipped, without `hide` and without what looks like key material."""
    for secret in hide:
        if secret:
            text = text.replace(secret, "***")
    text = _OPAQUE.sub("***", _BEARER.sub(r"\1 ***", text))
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _decoded(body: bytes) -> object | None:
    if len(body) > _LARGEST_BODY:
        return None
    try:
        return cast("object", msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _words(content: object, depth: int = 0) -> tuple[str, str]:
    """Find (code, text) in the order of K3: description, message, error_description, error[].message, and so on."""
    if isinstance(content, str):
        return "", content
    if isinstance(content, list) and content and depth < _DEEPEST:
        return _words(cast("list[object]", content)[0], depth + 1)
    if not isinstance(content, dict) or depth == _DEEPEST:
        return "", ""
    members = cast("dict[str, object]", content)
    error = members.get("error")
    error_text = error if isinstance(error, str) else ""
    inner = ("", "") if error_text else _words(error, depth + 1)
    text = _first(members, "description", "message", "error_description") or inner[1] or error_text
    text = text or _first(members, "detail", "title") or _errors(members)
    return error_text or _first(members, "code") or inner[0], text


def _errors(members: dict[str, object]) -> str:
    """Read the first text of an `errors` list, which one client expects."""
    errors = members.get("errors")
    return _words(cast("object", errors))[1] if isinstance(errors, list) else ""


def _first(members: dict[str, object], *names: str) -> str:
    for name in names:
        value = members.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return ""
