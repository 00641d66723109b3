"""The RMM's id of a device: one spelling, wherever and however the vendor writes it."""

from typing import Final

import msgspec

MAX_ID_LENGTH: Final = 200
"""Longer ids are refused: they are keys of indexes, whose rows Postgres limits to 2,704 bytes."""

_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def normalise_id(sent: str | None) -> str | None:
    """Return an id in lower case without spaces around it, None for none.

    The vendor's answers differ in the case of ids (API notes, K5), so they are compared and stored in lower case.
    """
    return sent.replace("\0", "").strip().lower() or None if sent else None


def find_device_id(device: bytes | msgspec.Raw) -> str | None:
    """Find `endpointID` in any casing at the top of a device's JSON without reading the rest; never raises."""
    try:
        members = _MEMBERS.decode(device)
        for name, value in members.items():
            if name.lower() == "endpointid":
                found = msgspec.json.decode(value, type=str | int | float | None)
                return (normalise_id(str(found)) or "")[:MAX_ID_LENGTH] or None if found is not None else None
    except _UNREADABLE:
        pass
    return None
