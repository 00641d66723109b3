"""Reading a device whose types are not what we expect: the slow way, which loses a member and never a device."""

import contextlib
import math
from typing import Any, Final, cast

import msgspec

from services.normalizer.vendor import (
    OWN_CATEGORIES,
    Adapter,
    Bios,
    Board,
    Device,
    OperatingSystem,
    Processor,
    Sized,
    System,
)

_ONE: Final[dict[str, type[msgspec.Struct]]] = {
    "system": System,
    "os": OperatingSystem,
    "bios": Bios,
    "baseboard": Board,
    "base_board": Board,
}
_MANY: Final[dict[str, type[msgspec.Struct]]] = {
    "processors": Processor,
    "physical_memory": Sized,
    "drives": Sized,
    "networks": Adapter,
}
_INTEGERS: Final = frozenset({"size_bytes"})
_FLAGS: Final = frozenset({"ip_enabled"})
_TRUE: Final = frozenset({"true", "yes", "1"})


_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def json_members(vendor: bytes) -> object:
    """Read any JSON value; of an object's members those that no number can hold (1e999) are left out.

    Raises msgspec.DecodeError, UnicodeDecodeError or RecursionError for what is no JSON that we can read.
    """
    try:
        return msgspec.json.decode(vendor)
    except msgspec.ValidationError:
        found: dict[str, object] = {}
        for name, value in _RAW_MEMBERS.decode(vendor).items():
            with contextlib.suppress(msgspec.ValidationError):
                found[name] = msgspec.json.decode(value)
        return found


def read_leniently(members: dict[str, Any]) -> Device:
    """Build a device from any JSON object: names in any casing, numbers as text, text as numbers, one for many.

    A member that makes no sense is taken for absent.
    """
    return _device(members, nested=False)


def _device(members: dict[str, Any], *, nested: bool) -> Device:
    device = Device()
    by_name = _by_name(members)
    for field, name in zip(Device.__struct_fields__, Device.__struct_encode_fields__, strict=True):
        found = by_name.get(name.lower())
        if found is None:
            continue
        if field in OWN_CATEGORIES:
            value: object = (
                None if nested or not isinstance(found, dict) else _device(_members(cast("object", found)), nested=True)
            )
        elif field in _ONE:
            value = _section(found, _ONE[field])
        elif field in _MANY:
            value = _sections(found, _MANY[field])
        else:
            value = _text(found)
        setattr(device, field, value)
    return device


def _by_name(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members by name in lower case; of several spellings the first that has a value."""
    found: dict[str, Any] = {}
    for name, value in members.items():
        if found.get(name.lower()) is None:
            found[name.lower()] = value
    return found


def _members(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value)


def _sections(found: object, kind: type[msgspec.Struct]) -> list[msgspec.Struct]:
    items = cast("list[object]", found) if isinstance(found, list) else [found]
    return [section for item in items if (section := _section(item, kind)) is not None]


def _section(found: object, kind: type[msgspec.Struct]) -> msgspec.Struct | None:
    if isinstance(found, list) and found:
        found = cast("list[object]", found)[0]
    if not isinstance(found, dict):
        return None
    section = kind()
    by_name = _by_name(_members(cast("object", found)))
    for field, name in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        value = by_name.get(name.lower())
        if field in _INTEGERS:
            setattr(section, field, _integer(value))
        elif field in _FLAGS:
            setattr(section, field, _flag(value))
        else:
            setattr(section, field, _text(value))
    return section


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value) if "." in value or "e" in value.lower() else int(value)
        except ValueError:
            return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    return value if isinstance(value, int) else None


def _flag(value: object) -> bool | None:
    if isinstance(value, str):
        return value.strip().lower() in _TRUE
    return bool(value) if isinstance(value, int) else None
