"""JSON shapes of a device, compiled once per archetype to byte templates that are filled by `%`.

A shape is written as an ordinary dictionary in which a per-device value is a marker; dumping it once and splitting at
the markers gives the template. The capture time `createTimeUTC` moves at every request, so it stays a one-byte mark
(`STAMP`) in the rendered bytes and is joined in when the answer is sent.
"""

import json
import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from simulator.catalogue import Archetype
from simulator.identity import DOCK, MISSING, NULLS, SLOTS, VARIANTS, Values

SECTIONS: tuple[str, ...] = (
    "system", "os", "bios", "baseboard", "processors", "physicalMemory", "drives", "networks",
)  # fmt: skip
"""Sections that `field=` can ask for."""

MINIMAL = frozenset({"system", "os"})
"""Sections shown when `field=` is absent."""

STAMP = b"\x01"
"""Stands for the capture time in rendered bytes; it cannot occur inside JSON text."""

ITEM_HEAD = b'{"createTimeUTC":"'
ITEM_GAP = b"," + ITEM_HEAD
"""What a list item begins with, and what stands between the end of one and the capture time of the next."""

_OPEN, _CLOSE, _STAMP_TEXT = "\ue000", "\ue001", "\ue002"
_MARK = re.compile(f"{_OPEN}(\\w+){_CLOSE}")
_Json = dict[str, Any]


def _slot(name: str) -> str:
    return f"{_OPEN}{name}{_CLOSE}"


_MAC_TAIL = _slot("mac")
_IP = f"10.20.{_slot('ip')}"


def _system(kind: Archetype) -> _Json:
    return {
        "product": kind.model,
        "model": kind.model,
        "serialNumber": _slot("serial"),
        "systemName": _slot("name"),
        "domain": "corp.local" if kind.os and kind.os.family == "Windows" else "WORKGROUP",
        "domainRole": "Member Server" if kind.endpoint_type == "Server" else "Member Workstation",
        "category": kind.kind.replace("_", " ").title(),
    }


def _os(kind: Archetype) -> _Json:
    assert kind.os is not None
    return {
        "product": kind.os.product,
        "manufacturer": kind.os.maker,
        "version": kind.os.version,
        "type": kind.os.family,
        "arch": "64-bit",
        "installDate": kind.os_installed_at,
    }


def _bios(kind: Archetype) -> _Json:
    maker = {"VMware, Inc.": "Phoenix Technologies LTD", "Micro-Star International Co., Ltd.": "American Megatrends"}
    return {
        "product": f"BIOS {kind.index}.{kind.index * 7 % 30}.0",
        "manufacturer": maker.get(kind.manufacturer, kind.manufacturer),
        "version": f"{kind.index % 5 + 1}.{kind.index % 23}.1",
        "serialNumber": _slot("serial"),
    }


def _baseboard(kind: Archetype) -> _Json:
    return {
        "product": f"0{kind.index * 7919 % 100_000:05d}",
        "manufacturer": kind.manufacturer,
        "serialNumber": f"/{_slot('serial')}/CNFCW0025P01QX/",
    }


def _processors(kind: Archetype) -> list[_Json]:
    return [
        {
            "product": kind.processor,
            "manufacturer": "AuthenticAMD" if kind.processor.startswith("AMD") else "GenuineIntel",
            "numberOfCores": kind.cores,
            "clockSpeedMhz": "2400",
        }
    ]


def _memory(kind: Archetype) -> list[_Json]:
    return [{"manufacturer": "SK Hynix", "serialNumber": "00000000", "sizeBytes": size} for size in kind.memory]


def _drives(kind: Archetype) -> list[_Json]:
    return [
        {
            "product": product,
            "mediaType": media,
            "serialNumber": f"{n}S{kind.part}",
            "sizeBytes": size,
        }
        for n, (product, media, size) in enumerate(kind.drives)
    ]


def _networks(kind: Archetype, *, dock: bool) -> list[_Json]:
    found: list[_Json] = [
        {
            "product": "Intel(R) Ethernet I219-LM" if kind.category == "platform" else "eth0",
            "dhcpEnabled": kind.category == "platform",
            "ipEnabled": True,
            "ipv4": _IP,
            "defaultIPGateway": "10.20.0.1",
            "macAddress": f"{kind.mac_prefix}:{_MAC_TAIL}",
        }
    ]
    if kind.kind == "laptop":
        found.append({"product": "Wi-Fi 6E AX211", "ipEnabled": False, "macAddress": f"DC:21:5C:{_MAC_TAIL}"})
    if dock:
        mac = f"00:50:B6:{_slot('dock')}"
        found.append({"product": "USB-C Dock Ethernet", "ipEnabled": False, "macAddress": mac})
    return found


def sections(kind: Archetype, variant: int) -> _Json:
    """Return every hardware section that a device of this archetype and variant has, markers in place of values."""
    found: _Json = {"system": _system(kind)}
    if kind.category != "network":
        found |= {"os": _os(kind), "bios": _bios(kind), "baseboard": _baseboard(kind)}
        found |= {"processors": _processors(kind), "physicalMemory": _memory(kind), "drives": _drives(kind)}
    found["networks"] = _networks(kind, dock=variant == DOCK)
    for name in MISSING.get(variant, ()):
        found.pop(name, None)
    if variant == NULLS:
        _blank(found)
    return found


def _blank(found: _Json) -> None:
    found["system"] |= {"model": None, "domain": None}
    found["networks"][0]["defaultIPGateway"] = None
    if "os" in found:
        found["os"] |= {"installDate": None}
        found["bios"]["version"] = None
        found["baseboard"] = None


def _own(kind: Archetype, variant: int) -> _Json:
    return {
        "deviceName": _slot("name"),
        "friendlyName": None if variant == NULLS else _slot("name"),
        "resourceType": "endpoint",
        "endpointType": kind.endpoint_type,
        "type": kind.kind,
        "virtualType": kind.virtual,
        "ipAddress": _IP,
        "macAddress": f"{kind.mac_prefix}:{_MAC_TAIL}",
    }


def _times(kind: Archetype, variant: int) -> _Json:
    return {"createTimeUTC": _STAMP_TEXT, "agentInstalledUTC": None if variant == NULLS else kind.installed_at}


def _shown(kind: Archetype, variant: int, asked: frozenset[str]) -> _Json:
    return {name: value for name, value in sections(kind, variant).items() if name in asked}


def list_item(kind: Archetype, variant: int, asked: frozenset[str]) -> _Json:
    """Return a device as an item of the v2 list."""
    # The capture time comes first: see `compile_item`.
    return _times(kind, variant) | {"endpointID": _slot("list_id")} | _own(kind, variant) | _shown(kind, variant, asked)


def detail_v2(kind: Archetype, variant: int, asked: frozenset[str]) -> _Json:
    """Return a device as the v2 detail shows it: its own values under its category, sections beside."""
    head: _Json = {"endpointID": _slot("id"), "companyID": _slot("company"), "siteID": _slot("site")}
    own: _Json = {kind.category: _own(kind, variant)}
    return head | _times(kind, variant) | own | _shown(kind, variant, asked)


def detail_v1(kind: Archetype, variant: int, asked: frozenset[str]) -> _Json:
    """Return a device as the v1 detail shows it: everything at the root, `baseBoard` with a capital."""
    head: _Json = {"endpointID": _slot("id"), "clientID": _slot("company"), "siteID": _slot("site")}
    own = {name: _own(kind, variant)[name] for name in ("friendlyName", "resourceType", "endpointType")}
    shown = {("baseBoard" if n == "baseboard" else n): v for n, v in _shown(kind, variant, asked).items()}
    return head | _times(kind, variant) | own | shown


def list_item_v1(kind: Archetype, variant: int, asked: frozenset[str]) -> _Json:
    """Return a device as an item of the v1 list, which has ids and little else."""
    del variant, asked
    return {
        "clientId": _slot("company"),
        "siteId": _slot("site"),
        "endpointId": _slot("list_id"),
        "regId": kind.part,
        "endpointType": kind.endpoint_type,
        "osType": kind.os.family if kind.os else "",
    }


Layout = Callable[[Archetype, int, frozenset[str]], _Json]


Template = tuple[bytes, Callable[[tuple[bytes, ...]], tuple[bytes, ...]]]
"""Bytes with holes, and the choice of values that fills them; a plain tuple because it is on the hot path."""


def compile_template(shape: _Json) -> Template:
    """Turn a marked shape into a template; every shape has at least two markers."""
    text = json.dumps(shape, ensure_ascii=False, separators=(",", ":")).replace("%", "%%")
    order = [SLOTS.index(name) for name in _MARK.findall(text)]
    body = _MARK.sub("%b", text).encode().replace(_STAMP_TEXT.encode(), STAMP)
    return body, itemgetter(*order)


def compile_item(shape: _Json) -> Template:
    """Turn a list item into a template that begins after its own capture time and ends where the next one's goes.

    So a page is one join of its items by the capture time, without a second copy of its bytes.
    """
    text, pick = compile_template(shape)
    return text.removeprefix(ITEM_HEAD + STAMP) + ITEM_GAP, pick


class Templates:
    """Templates of one layout and one set of sections, compiled when a device first needs them."""

    def __init__(self, layout: Layout, asked: frozenset[str]) -> None:
        """Start with nothing compiled."""
        self._layout = layout
        self._asked = asked
        self._made: dict[int, Template] = {}

    def fill(self, devices: list[Values]) -> list[bytes]:
        """Render devices in order."""
        made, make = self._made, self._make
        found: list[bytes] = []
        for kind, variant, values in devices:
            text, pick = made.get(kind.index * VARIANTS + variant) or make(kind, variant)
            found.append(text % pick(values))
        return found

    def _make(self, kind: Archetype, variant: int) -> Template:
        compiled = compile_item if self._layout is list_item else compile_template
        template = compiled(self._layout(kind, variant, self._asked))
        self._made[kind.index * VARIANTS + variant] = template
        return template
