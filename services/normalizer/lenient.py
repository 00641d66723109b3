"""Reading a device whose types are not what we expect: the slow way, which loses a member and never a device."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
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
    for field, candidates in _candidates(members, Device):
        setattr(device, field, _first(_reading_of(field, nested=nested), candidates))
    return device


def _reading_of(field: str, *, nested: bool) -> Callable[[object], object]:
    if field in OWN_CATEGORIES:
        return _nothing if nested else _own_values
    if field in _ONE:
        return partial(_section, kind=_ONE[field])
    if field in _MANY:
        return partial(_sections, kind=_MANY[field])
    return _text


def _nothing(_: object) -> None:
    return None


def _own_values(found: object) -> Device | None:
    return _device(cast("dict[str, Any]", found), nested=True) if isinstance(found, dict) else None


def _candidates(members: dict[str, Any], kind: type[msgspec.Struct]) -> Iterator[tuple[str, list[object]]]:
    """Yield each field with the values that may be its: of its own spelling first, then of any other casing."""
    by_name: dict[str, list[object]] = {}
    for name, value in members.items():
        by_name.setdefault(name.lower(), []).append(value)
    for field, name in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        found = by_name.get(name.lower())
        if found:
            yield field, [members[name], *found] if name in members else found


def _first(reading: Callable[[object], object], candidates: Iterable[object]) -> object:
    return next((value for found in candidates if (value := reading(found)) is not None), None)


def _sections(found: object, kind: type[msgspec.Struct]) -> list[msgspec.Struct] | None:
    items = cast("list[object]", found) if isinstance(found, list) else [found]
    return [section for item in items if (section := _section(item, kind)) is not None] or None


def _section(found: object, kind: type[msgspec.Struct]) -> msgspec.Struct | None:
    if isinstance(found, list) and found:
        found = cast("list[object]", found)[0]
    if not isinstance(found, dict):
        return None
    section = kind()
    for field, candidates in _candidates(cast("dict[str, Any]", found), kind):
        reading = _integer if field in _INTEGERS else _flag if field in _FLAGS else _text
        setattr(section, field, _first(reading, candidates))
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
