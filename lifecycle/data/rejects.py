"""How a person recognises a device that could not be taken in: by what the RMM sent of it. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

_NAMES: Final = ("friendlyName", "deviceName", "hostName", "name")
_SERIALS: Final = (("system", "serialNumber"), ("bios", "serialNumber"), ("baseboard", "serialNumber"))
_LONGEST: Final = 60


def described(sent: str | None) -> str:
    """Name and serial of the device where it has any, else the beginning of what was sent.

    `sent` is the vendor's JSON as text, None where it was too large to keep.
    """
    if not sent:
        return ""
    try:
        device: Any = json.loads(sent)
    except (ValueError, RecursionError):
        return shortened(sent)
    parts: list[str] = []
    if isinstance(device, dict):
        members = cast("Mapping[str, Any]", device)
        parts += [text for name in _NAMES if (text := _text(members.get(name)))][:1]
        serials = (_text(_inside(members, section, member)) for section, member in _SERIALS)
        parts += [f"serial {text}" for text in serials if text][:1]
    return shortened(", ".join(parts) or sent)


def shortened(text: str) -> str:
    """The text, or its beginning where it is longer than a column."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _inside(members: Mapping[str, Any], section: str, member: str) -> Any:
    found = members.get(section)
    return cast("Mapping[str, Any]", found).get(member) if isinstance(found, dict) else None


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
