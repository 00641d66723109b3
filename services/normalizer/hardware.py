"""The rules for maker, model, serial, sizes, addresses and stamps of one device. Pure; what repeats is remembered."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from socket import AF_INET, inet_pton
from typing import Final, NamedTuple

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


class Machine(NamedTuple):
    """What many devices have in common: maker as sent and normalised, model, and names that are no serial."""

    maker: str | None
    maker_normalised: str | None
    model: str | None
    no_serials: frozenset[str]


@lru_cache(maxsize=4096)
def machine_of(board_maker: str | None, system_maker: str | None, model: str | None, product: str | None) -> Machine:
    """Return the board's maker, else the system's, never the firmware's (API notes 2.5); the model, else the product.

    What firmware says when nobody filled it in is neither.
    """
    maker = _first_real(board_maker, system_maker)
    return Machine(
        maker,
        normalise_manufacturer(maker) if maker else None,
        _first_real(model, product),
        frozenset(normalise_serial(name) for name in (model, product) if name),
    )


def _first_real(*candidates: str | None) -> str | None:
    for sent in candidates:
        text = clean(sent)
        if text and not is_placeholder(text):
            return text
    return None


@lru_cache(maxsize=4096)
def system_of(product: str | None, kind: str | None, version: str | None) -> tuple[str | None, str | None]:
    """Return the operating system's name, or its kind where it has none, and its version."""
    return clean(product) or clean(kind), clean(version)


def serial_of(candidates: Iterable[str | None], no_serials: frozenset[str]) -> tuple[str | None, str | None]:
    """Return the serial as sent and normalised: the first that is not junk and none of `no_serials`.

    Where all are junk, the first one as sent, and nothing normalised.
    """
    first: str | None = None
    for sent in candidates:
        text = clean(sent)
        if text is None:
            continue
        normalised = normalise_serial(text)
        if not is_junk_serial(normalised, no_serials):
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
    if not adapters and not own:
        return None, []
    found: set[str] = set()
    trusted: list[str] = []
    for adapter in adapters:
        mac = normalise_mac(adapter.mac_address)
        if mac is not None and mac not in found:
            found.add(mac)
            if not _foreign_adapter(adapter.product) and not is_shared_mac(mac):
                trusted.append(mac)
    if own and (not adapters or own != adapters[0].mac_address):
        mac = normalise_mac(own)
        if mac is not None and mac not in found:
            found.add(mac)
            if not is_shared_mac(mac):
                trusted.append(mac)
    return (sorted(found) if found else None), trusted


# Loopback, self-assigned and "this host" say nothing of where the device is.
_NOWHERE: Final = ("0.", "127.", "169.254.")


def ip_of(adapters: Sequence[Adapter], own: str | None) -> str | None:
    """Return the first IPv4 address of an enabled adapter, else the device's own address (of either family)."""
    for adapter in adapters:
        if adapter.ip_enabled and adapter.ipv4:
            text = adapter.ipv4.strip()
            if not text.startswith(_NOWHERE) and _is_ipv4(text):
                return text
    return _own_ip(own.strip()) if own else None


def _is_ipv4(text: str) -> bool:
    """Return whether this is four numbers, in base ten and without leading zeros, none left out."""
    try:
        inet_pton(AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def _own_ip(text: str) -> str | None:
    if _is_ipv4(text):
        return None if text.startswith(_NOWHERE) else text
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return None if address.is_loopback or address.is_link_local or address.is_unspecified else str(address)


_FIRST: Final = datetime(EARLIEST.year, EARLIEST.month, EARLIEST.day, tzinfo=UTC)
_LAST: Final = datetime(LATEST.year, LATEST.month, LATEST.day, tzinfo=UTC)


def instant(sent: str | None) -> datetime | None:
    """Read an RFC 3339 stamp, in UTC where it has no zone (the members' names say so); None where it makes no sense."""
    if not sent:
        return None
    try:
        at = datetime.fromisoformat(sent.strip())
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at if _FIRST < at < _LAST else None
