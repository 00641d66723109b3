"""What tells one device from another, computed from (seed, index) alone and nothing stored.

A device is an archetype, a *variant* (which kind of mess it shows, mostly none) and a tuple of short byte strings, one
for each name in `SLOTS`. Ids, serial numbers and MAC addresses come from a bijection of the index, so they are unique
without being remembered, and an id can be turned back into its index.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import shake_128
from random import Random
from zlib import crc32

from simulator.catalogue import TABLES, Archetype
from simulator.names import AWKWARD_DEVICES, PLACEHOLDER_SERIALS

SLOTS: tuple[str, ...] = ("id", "list_id", "name", "serial", "mac", "ip", "dock", "company", "site")
"""Names of the per-device values, in the order in which they stand in the tuple."""

DEVICE_ID, LIST_ID, NAME, SERIAL, MAC, IP, DOCK_MAC, COMPANY, SITE = range(9)

STANDARD, NO_BIOS, NO_SYSTEM, NO_OS, NO_NETWORKS, NO_DRIVES, NO_PROCESSOR, NULLS, DOCK = range(9)
VARIANTS = 9
MISSING: dict[int, tuple[str, ...]] = {
    NO_BIOS: ("bios",),
    NO_SYSTEM: ("system",),
    NO_OS: ("os",),
    NO_NETWORKS: ("networks",),
    NO_DRIVES: ("drives",),
    NO_PROCESSOR: ("processors", "physicalMemory"),
}
"""Sections that a device of each variant lacks."""

# Shares of 65,536, cumulative: 2 % placeholder serials, 0.2 % clones, 3 % a section missing, 1 % nulls, 2 % other id
# casing, 0.5 % awkward names, 1.5 % docking stations.
_PLACEHOLDER, _CLONE, _MISSING, _NULLS, _CASING, _NAMES, _DOCKS = 1311, 1442, 3408, 4063, 5374, 5702, 6685
MESS = _DOCKS

Row = tuple[int, int, int, int]
Values = tuple[Archetype, int, tuple[bytes, ...]]

_ROW = struct.Struct("<HHHH")
_BLOCK = 128
_STEP = 0x9E3779B1
_BACK = pow(_STEP, -1, 1 << 32)

_ALPHABET = "0123456789BCDFGHJKLMNPQRSTVWXYZ"


def _pools() -> tuple[list[bytes], ...]:
    draw = Random(20_240_229)
    triples = [a + b + c for a in _ALPHABET for b in _ALPHABET for c in _ALPHABET]
    parts = [text.encode() for text in draw.sample(triples, 4096)]
    tails = [b"-%04x-4%03x-%04x-%012x" % (draw.getrandbits(16), draw.getrandbits(12),
             0x8000 | draw.getrandbits(14), draw.getrandbits(48)) for _ in range(4096)]  # fmt: skip
    macs_a = [b"%02X:%X" % (n >> 4, n & 15) for n in range(4096)]
    macs_b = [b"%X:%02X" % (n >> 8, n & 255) for n in range(4096)]
    ips = [b"%d.%d" % (n >> 7, 2 + (n & 127)) for n in range(4096)]
    return parts, tails, macs_a, macs_b, ips


_PARTS, _TAILS, _MACS_A, _MACS_B, _IPS = _pools()


# What the hot path needs of an archetype, ready as bytes.
_Draw = tuple[Archetype, bytes, bytes, bool]
_DRAWS: tuple[tuple[_Draw, ...], ...] = tuple(
    tuple((kind, kind.serial_prefix.encode(), f"-{kind.tag}-".encode(), kind.serial_style != "short") for kind in table)
    for table in TABLES
)


def escaped(text: str) -> bytes:
    """Return `text` as the inside of a JSON string, in UTF-8."""
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


_AWKWARD = tuple(escaped(name) for name in AWKWARD_DEVICES)
_PLACEHOLDERS = tuple(escaped(serial) for serial in PLACEHOLDER_SERIALS)


@dataclass(frozen=True, slots=True)
class Home:
    """Where a run of devices belongs: what its values need to know of category, company and site."""

    category: int
    code: bytes
    first: int
    company_id: bytes
    site_id: bytes


class Identity:
    """The pure function from (seed, index) to a device's values."""

    def __init__(self, seed: int) -> None:
        """Make the function of one seed."""
        self._prefix = b"lifecycle simulator %d " % seed
        self._offset = crc32(self._prefix)
        # Devices are mostly asked for in order, so the last few blocks serve single look-ups too.
        self._digest = lru_cache(maxsize=16)(self._hash)

    def _hash(self, block: int) -> bytes:
        return shake_128(self._prefix + block.to_bytes(8, "little")).digest(_BLOCK * _ROW.size)

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        """Yield the pseudo-random row of each index in the half-open range."""
        while start < stop:
            block, skip = divmod(start, _BLOCK)
            digest = self._digest(block)
            end = min(stop, (block + 1) * _BLOCK)
            yield from _ROW.iter_unpack(digest[skip * _ROW.size : (end - block * _BLOCK) * _ROW.size])
            start = end

    def index(self, device_id: str) -> int | None:
        """Return the index that an id of this seed would have, or None; the id's other digits are not checked."""
        try:
            number = int(device_id[:8], 16)
        except ValueError:
            return None
        return ((number - self._offset) * _BACK) & 0xFFFFFFFF

    def span(self, start: int, stop: int, home: Home) -> list[Values]:
        """Return archetype, variant and slot values of each index in the half-open range.

        Column by column, because a comprehension a column costs half of a function call a device.
        """
        rows = list(self.rows(start, stop))
        if not rows:
            return []
        kind_draws, mess, tails, places = zip(*rows, strict=True)
        draws = _DRAWS[home.category]
        kinds: list[_Draw] = [draws[n & 0x1FFF] for n in kind_draws]
        first = (start * _STEP + self._offset) & 0xFFFFFFFF
        uniques = [n & 0xFFFFFFFF for n in range(first, first + _STEP * len(rows), _STEP)]
        ids = [b"%08x%b" % (u, _TAILS[n & 0xFFF]) for u, n in zip(uniques, tails, strict=True)]
        serials = [
            kind[1] + _PARTS[u & 0xFFF] + _PARTS[u >> 12 & 0xFFF] for kind, u in zip(kinds, uniques, strict=True)
        ]
        macs = [_MACS_A[u >> 12 & 0xFFF] + _MACS_B[u & 0xFFF] for u in uniques]
        numbers = range(start - home.first, stop - home.first)
        names = [home.code + kind[2] + b"%d" % n for kind, n in zip(kinds, numbers, strict=True)]
        company, site = home.company_id, home.site_id
        found: list[Values] = [
            (kind[0], 0, (own, own, name, serial, mac, _IPS[n & 0xFFF], b"", company, site))
            for kind, own, name, serial, mac, n in zip(kinds, ids, names, serials, macs, places, strict=True)
        ]
        for n, kind in enumerate(kinds):
            if kind[3]:
                serial = _virtual_serial(kind[0].serial_style, uniques[n], tails[n] << 16 | places[n])
                found[n] = with_value(found[n], SERIAL, serial)
        for n, share in enumerate(mess):
            if share < MESS:
                found[n] = self._messy(start + n, rows[n], home, found[n])
        return found

    def _messy(self, index: int, row: Row, home: Home, plain: Values) -> Values:
        mess, variant = row[1], _variant(row[1])
        if variant:
            return plain[0], variant, plain[2]
        if mess < _PLACEHOLDER:
            return with_value(plain, SERIAL, _PLACEHOLDERS[mess % len(_PLACEHOLDERS)])
        if mess < _CLONE:
            return self._clone(index, home, plain)
        if mess < _CASING:
            return with_value(plain, LIST_ID, plain[2][0].upper())
        if mess < _NAMES:
            return with_value(plain, NAME, b"%b %d" % (_AWKWARD[mess % len(_AWKWARD)], index - home.first))
        # A few docking stations a company, moved from desk to desk: their MAC shows up on several laptops.
        dock = (crc32(home.code) + (row[2] >> 14) * 7919) & 0xFFFFFF
        kind, _, values = with_value(plain, DOCK_MAC, _MACS_A[dock >> 12] + _MACS_B[dock & 0xFFF])
        return kind, DOCK if kind.kind == "laptop" else STANDARD, values

    def _clone(self, index: int, home: Home, plain: Values) -> Values:
        """Give the device the serial number and the make of the one before it: a disk image put on two machines."""
        draw, mess, *_ = next(self.rows(index - 1, index)) if index else (0, 0)
        kind, prefix, _, is_virtual = _DRAWS[home.category][draw & 0x1FFF]
        if mess < MESS or is_virtual:
            return plain
        unique = ((index - 1) * _STEP + self._offset) & 0xFFFFFFFF
        serial = prefix + _PARTS[unique & 0xFFF] + _PARTS[unique >> 12 & 0xFFF]
        return kind, STANDARD, with_value(plain, SERIAL, serial)[2]


def _variant(mess: int) -> int:
    """Return the variant of a device whose mess is a section or a value that is not there."""
    if _CLONE <= mess < _MISSING:
        return 1 + mess % 6
    return NULLS if _MISSING <= mess < _NULLS else STANDARD


def _virtual_serial(style: str, unique: int, noise: int) -> bytes:
    """Return a serial number as the hypervisor makes it up: unique, long, and of no use to a warranty lookup."""
    if style == "vmware":
        pairs = (unique + (noise << 32)).to_bytes(8, "big").hex(" ").encode()
        return b"VMware-42 1c %b-%b 9e 4b d1 05" % (pairs[:17], pairs[12:])
    return b"%04d-%04d-%04d-%04d-4471-%04d-%02d" % (
        unique // 100_000_000, unique // 10_000 % 10_000, unique % 10_000, noise % 10_000, noise % 9973, noise % 97
    )  # fmt: skip


def with_value(plain: Values, at: int, value: bytes) -> Values:
    """Return a device's values with one slot replaced."""
    kind, variant, values = plain
    return kind, variant, (*values[:at], value, *values[at + 1 :])
