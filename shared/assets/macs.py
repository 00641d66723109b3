"""MAC addresses: one spelling, and which of them can tell a machine."""

import re
from collections.abc import Iterable
from typing import Final

from shared.assets.data_lines import data_lines

MAX_KEY_MACS: Final = 32
"""Something with more adapters than this is a switch or a host of virtual ones, and its set of them changes daily."""

_COLONS: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_SEPARATORS: Final = dict.fromkeys(map(ord, ":-."))
_OTHERS: Final = re.compile(
    r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}|[0-9a-f]{12}"
)
# The two low bits of the first byte: a group address, and one that its owner made up (IEEE 802, 8.2).
_OWN_SECOND_DIGIT: Final = frozenset("048c")
_ZERO: Final = "00:00:00:00:00:00"

_SHARED: Final = tuple(prefix for prefix, _ in data_lines("shared_macs.txt"))
_BEGINNING: Final = len("00:ff")
# Asked first, because hardly any address begins like one of them.
_SHARED_BEGINNINGS: Final = frozenset(prefix[:_BEGINNING] for prefix in _SHARED)

# Names of adapters that are software, or hardware that moves from machine to machine.
_FOREIGN_ADAPTER: Final = re.compile(
    r"\b(?:vpn|usb|dock(?:ing)?|tap|tun|tunnel|wintun|wireguard|openvpn|anyconnect|globalprotect|pangp|fortinet|"
    r"loopback|miniport|teredo|isatap|docker|vmnet\d*|host-only|thunderbolt|virtual ethernet adapter)\b",
    re.IGNORECASE,
)


def normalise_mac(sent: str | None) -> str | None:
    """Return `a4:bb:6d:00:11:22` for any of the usual spellings of a burnt-in address; None for anything else.

    Refused are all zeros, broadcast, multicast, and locally administered addresses: a phone or a laptop makes up a
    new one for each network.
    """
    if not sent:
        return None
    text = sent.lower()
    if not _COLONS.fullmatch(text):
        digits = text.strip()
        if not _OTHERS.fullmatch(digits):
            return None
        digits = digits.translate(_SEPARATORS)
        text = ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    return text if text[1] in _OWN_SECOND_DIGIT and text != _ZERO else None


def is_shared_mac(mac: str) -> bool:
    """Return whether a normalised address is one of those that many machines have."""
    return mac[:_BEGINNING] in _SHARED_BEGINNINGS and mac.startswith(_SHARED)


def is_foreign_adapter(name: str | None) -> bool:
    """Return whether an adapter's name says that it is software, a dock or plugged in: its address moves."""
    return name is not None and _FOREIGN_ADAPTER.search(name) is not None


def mac_key(trusted: Iterable[str]) -> str | None:
    """Return what identity is matched by: sorted normalised addresses with commas between; None for none."""
    macs = set(trusted)
    return ",".join(sorted(macs)) if 0 < len(macs) <= MAX_KEY_MACS else None
