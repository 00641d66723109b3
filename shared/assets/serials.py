"""Serial numbers: one spelling, and which of them are nobody's.

The list of junk grows by evidence, and each entry says where it was seen; what holds for endless many is a rule.
"""

from collections.abc import Container
from typing import Final

from shared.assets.data_lines import data_lines

MAX_KEY_PART: Final = 128
"""A longer serial or maker is no identity; Postgres limits the rows of an index to 2,704 bytes."""

_MIN_LENGTH: Final = 4

# Hyphens, dashes, the minus sign, the soft hyphen and dots; white space goes by str.split.
_DROPPED: Final = dict.fromkeys(map(ord, "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad._\u00b7\u2024\0"))
# "_" is among the junk's spellings (OEM_Serial) and in no maker's serial.

_UP: Final = "0123456789" * 4
_DOWN: Final = "9876543210" * 4


def normalise_serial(sent: str) -> str:
    """Return the serial in upper case without spaces, dashes, dots and underscores. Doing it again changes nothing."""
    if sent.isascii() and sent.isalnum():
        return sent.upper()
    # casefold first, because upper() alone can need a second round (a ligature, a sharp s).
    return "".join(sent.translate(_DROPPED).split()).casefold().upper().casefold().upper()


_JUNK: Final = frozenset(normalise_serial(entry) for entry, _ in data_lines("junk_serials.txt"))


def is_placeholder(sent: str) -> bool:
    """Return whether a text is on the list of what firmware says when nobody filled it in."""
    return normalise_serial(sent) in _JUNK


def is_junk_serial(normalised: str, names: Container[str] = ()) -> bool:
    """Return whether a normalised serial tells no machine apart: it never matches.

    On the list; under four characters; one character over and over; a run of digits up or down; one of `names`, the
    normalised product and model of the same device; or a mainboard's `/machine/part/` with such a part.
    """
    return (
        len(normalised) < _MIN_LENGTH
        or normalised in _JUNK
        or normalised.count(normalised[0]) == len(normalised)
        or normalised in _UP
        or normalised in _DOWN
        or normalised in names
        or _is_junk_board(normalised, names)
    )


def _is_junk_board(normalised: str, names: Container[str]) -> bool:
    """Return whether this is a mainboard's `/machine/part/` of which either is missing or junk itself."""
    parts = normalised[1:-1].split("/") if normalised[0] == normalised[-1] == "/" else []
    return any(not part or is_junk_serial(part, names) for part in parts)


def serial_key(normalised: str | None, manufacturer_normalised: str | None) -> str | None:
    """Return what identity is matched by: serial and maker in upper case with a bar between; None without a serial.

    Makers number on their own, so a serial alone does not tell machines apart.
    """
    maker = (manufacturer_normalised or "").upper()
    if not normalised or len(normalised) > MAX_KEY_PART or len(maker) > MAX_KEY_PART:
        return None
    return f"{normalised}|{maker}"
