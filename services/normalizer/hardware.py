"""The rules for maker, model, serial, sizes, addresses and stamps of one device. Pure; what repeats is remembered."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from services.normalizer.vendor import Adapter, Sized
from shared.assets.dates import EARLIEST, LATEST
from shared.assets.macs import is_foreign_adapter, is_shared_mac, normalise_mac
from shared.assets.manufacturers import normalise_manufacturer
from shared.assets.serials import is_junk_serial, is_placeholder, normalise_serial
from shared.assets.texts import clean

_BIGINT: Final = 2**63 - 1

remembered_clean = lru_cache(maxsize=8192)(clean)
"""`clean` for text that many devices share: models, systems, processors."""

_foreign_adapter = lru_cache(maxsize=4096)(is_foreign_adapter)


@lru_cache(maxsize=4096)
def maker_of(board: str | None, system: str | None) -> tuple[str | None, str | None]:
    """Return the maker as sent and normalised: the board's, else the system's; never the firmware's (API notes 2.5)."""
    for sent in (board, system):
        text = clean(sent)
        if text and not is_placeholder(text):
            return text, normalise_manufacturer(text)
    return None, None


@lru_cache(maxsize=8192)
def model_of(model: str | None, product: str | None) -> str | None:
    """Return the model, else the product; a placeholder is neither."""
    for sent in (model, product):
        text = clean(sent)
        if text and not is_placeholder(text):
            return text
    return None


def serial_of(candidates: Sequence[str | None], names: tuple[str | None, ...]) -> tuple[str | None, str | None]:
    """Return the serial as sent and normalised: the first that is not junk (`names`: model and product).

    Where all are junk, the first one as sent, and nothing normalised.
    """
    first: str | None = None
    for sent in candidates:
        text = clean(sent)
        if text is None:
            continue
        normalised = normalise_serial(text)
        if not is_junk_serial(normalised, names):
            return text, normalised
        first = first or text
    return first, None


def total_bytes(parts: Sequence[Sized]) -> int | None:
    """Return the sum of the sizes; None where none is known, or the sum is no number of bytes."""
    total = 0
    for part in parts:
        if part.size_bytes is not None and part.size_bytes > 0:
            total += part.size_bytes
    return total if 0 < total <= _BIGINT else None


def addresses_of(adapters: Sequence[Adapter], own: str | None) -> tuple[list[str] | None, list[str]]:
    """Return all burnt-in addresses, sorted and unique (None for none), and those of them that tell the machine.

    What is left out of the second: adapters that are software, docks and plugs, and addresses that many machines have.
    The device's own address counts as its adapter is judged.
    """
    found: set[str] = set()
    trusted: list[str] = []
    for adapter in adapters:
        mac = normalise_mac(adapter.mac_address)
        if mac is not None and mac not in found:
            found.add(mac)
            if not _foreign_adapter(adapter.product) and not is_shared_mac(mac):
                trusted.append(mac)
    mac = normalise_mac(own)
    if mac is not None and mac not in found:
        found.add(mac)
        if not is_shared_mac(mac):
            trusted.append(mac)
    return (sorted(found) if found else None), trusted


_IPV4: Final = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}")
# Loopback, self-assigned and "this host" say nothing of where the device is.
_NOWHERE: Final = ("0.", "127.", "169.254.")


def ip_of(adapters: Sequence[Adapter], own: str | None) -> str | None:
    """Return the first IPv4 address of an enabled adapter, else the device's own address (of either family)."""
    for adapter in adapters:
        if adapter.ip_enabled and adapter.ipv4:
            text = adapter.ipv4.strip()
            if _IPV4.fullmatch(text) and not text.startswith(_NOWHERE):
                return text
    return _own_ip(own.strip()) if own else None


def _own_ip(text: str) -> str | None:
    if _IPV4.fullmatch(text):
        return None if text.startswith(_NOWHERE) else text
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return None if address.is_loopback or address.is_link_local or address.is_unspecified else str(address)


_FIRST: Final = datetime(EARLIEST.year, EARLIEST.month, EARLIEST.day, tzinfo=UTC)
_LAST: Final = datetime(LATEST.year, LATEST.month, LATEST.day, tzinfo=UTC)


def instant(sent: str | None) -> datetime | None:
    """Read a stamp (RFC 3339; UTC where it has no zone, as the names of such members say); None where it makes no sense."""
    if not sent:
        return None
    try:
        at = datetime.fromisoformat(sent.strip())
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at if _FIRST < at < _LAST else None
