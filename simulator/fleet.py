"""The seeded fleet: companies, sites and devices as pure functions of a seed, for the server and for tests."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import shake_128
from random import Random
from uuid import UUID

from simulator.catalogue import CATEGORIES
from simulator.identity import (
    COMPANY,
    DEVICE_ID,
    DOCK,
    DOCK_MAC,
    IP,
    MAC,
    MISSING,
    NAME,
    SERIAL,
    SITE,
    Home,
    Identity,
    Values,
)
from simulator.names import AWKWARD_COMPANIES, COMPANY_HEADS, COMPANY_TAILS, SITE_NAMES

EMPTY_EVERY = 20
"""Each company whose number ends a run of this length has no devices."""


@dataclass(frozen=True, slots=True)
class Company:
    """A customer of the MSP; `start` and `stop` bound its devices' indexes, `sites` its sites' numbers."""

    index: int
    id: str
    name: str
    code: str
    start: int
    stop: int
    sites: range


@dataclass(frozen=True, slots=True)
class Site:
    """A site of a company; `bounds` are the starts of its platform, network and cloud devices, and their end."""

    index: int
    id: str
    name: str
    company: int
    bounds: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """Everything a test may expect to learn about one device."""

    index: int
    id: str
    company_id: str
    site_id: str
    category: str
    name: str
    kind: str
    virtual_type: str
    manufacturer: str
    model: str
    serial_number: str
    operating_system: str | None
    os_version: str | None
    processor: str | None
    memory_bytes: int | None
    storage_bytes: int | None
    mac_addresses: tuple[str, ...]
    ip_address: str
    agent_installed_at: str
    missing_sections: tuple[str, ...]
    purchase_date: str | None
    warranty_expiration_date: str | None


def _id(*parts: object) -> str:
    digest = shake_128("/".join(map(str, parts)).encode()).digest(16)
    return str(UUID(bytes=digest, version=4))


def _shares(total: int, weights: list[float]) -> list[int]:
    """Split `total` into whole parts in proportion to `weights`; exact, nothing lost to rounding."""
    whole = sum(weights)
    parts: list[int] = []
    reached, given = 0.0, 0
    for weight in weights:
        reached += weight
        upto = round(total * reached / whole) if whole else 0
        parts.append(upto - given)
        given = upto
    return parts


class Fleet:
    """A tenant as it was on the first day: `device(i)` for any `i`, nothing kept per device."""

    def __init__(self, seed: int, devices: int, companies: int, *, dated_share: float = 0.0) -> None:
        """Lay out companies and sites; time and memory depend on their number, not on the devices'."""
        self.seed = seed
        self.devices = devices
        self.identity = Identity(seed)
        self.companies: list[Company] = []
        self.sites: list[Site] = []
        self._dated = round(dated_share * 0x10000)
        self._lay_out(companies)
        self._company_of = {company.id: company for company in self.companies}
        self._site_of = {site.id: site for site in self.sites}
        self._starts = [site.bounds[0] for site in self.sites]
        self.home = lru_cache(maxsize=4096)(self._home)

    def _lay_out(self, companies: int) -> None:
        draw = Random(self.seed)
        weights = [draw.lognormvariate(0, 1.0) for _ in range(companies)]
        weights[EMPTY_EVERY - 1 :: EMPTY_EVERY] = [0.0] * len(weights[EMPTY_EVERY - 1 :: EMPTY_EVERY])
        start = 0
        for index, size in enumerate(_shares(self.devices, weights)):
            self._add_company(draw, index, start, start + size)
            start += size

    def _add_company(self, draw: Random, index: int, start: int, stop: int) -> None:
        code = "".join(draw.choice("ABCDEFGHJKLMNPRSTUVWXZ") for _ in range(3))
        name = f"{draw.choice(COMPANY_HEADS)} {draw.choice(COMPANY_TAILS)}"
        if draw.random() < 0.15:  # noqa: PLR2004 - the documented share of awkward names
            name = draw.choice(AWKWARD_COMPANIES)
        count = 1 + min(8, int(draw.random() * (stop - start).bit_length() * 0.8))
        sites = range(len(self.sites), len(self.sites) + count)
        company_id = _id(self.seed, "company", index)
        self.companies.append(Company(index, company_id, f"{name} {index + 1}", code, start, stop, sites))
        weights = [draw.lognormvariate(0, 0.8) for _ in sites]
        first = draw.randrange(len(SITE_NAMES))
        for number, (site, size) in enumerate(zip(sites, _shares(stop - start, weights), strict=True)):
            platform, network, cloud = _shares(size, [1.0, draw.uniform(0.03, 0.11), draw.uniform(0.0, 0.01)])
            bounds = (start, start + platform, start + platform + network, start + platform + network + cloud)
            label = SITE_NAMES[(first + number) % len(SITE_NAMES)]
            self.sites.append(Site(site, _id(self.seed, "site", site), label, index, bounds))
            start += size

    def company(self, company_id: str) -> Company | None:
        """Find a company by id, whatever its casing."""
        return self._company_of.get(company_id.lower())

    def site(self, site_id: str) -> Site | None:
        """Find a site by id, whatever its casing."""
        return self._site_of.get(site_id.lower())

    def site_at(self, index: int) -> Site:
        """Return the site where the device was on the first day; a device added later counts from the first site."""
        if index >= self.devices:
            return self.sites[index % len(self.sites)]
        return self.sites[bisect_right(self._starts, index) - 1]

    def category_at(self, index: int) -> int:
        """Return the number of a device's category; devices added later are agents."""
        if index >= self.devices:
            return 0
        bounds = self.site_at(index).bounds
        return bisect_right(bounds, index, 1, 3) - 1

    def _home(self, site: int, category: int) -> Home:
        place = self.sites[site]
        company = self.companies[place.company]
        return Home(category, company.code.encode(), company.start, company.id.encode(), place.id.encode())

    def values(self, index: int) -> Values:
        """Return the raw values of one device at its first-day place."""
        home = self.home(self.site_at(index).index, self.category_at(index))
        return self.identity.span(index, index + 1, home)[0]

    def index_of(self, device_id: str, limit: int | None = None) -> int | None:
        """Return the index of a device id in any casing, or None where there is no such device below `limit`."""
        index = self.identity.index(device_id)
        if index is None or index >= (self.devices if limit is None else limit):
            return None
        return index if self.values(index)[2][DEVICE_ID].decode() == device_id.lower() else None

    def dates(self, index: int) -> tuple[str | None, str | None]:
        """Return the purchase and warranty dates that a device has from the start."""
        if not self._dated:
            return None, None
        draw = int.from_bytes(shake_128(f"{self.seed} dates {index}".encode()).digest(8), "little")
        if draw & 0xFFFF >= self._dated:
            return None, None
        year, month, day = 2018 + (draw >> 16) % 8, 1 + (draw >> 24) % 12, 1 + (draw >> 32) % 28
        years = (3, 3, 4, 5)[(draw >> 40) & 3]
        return f"{year}-{month:02d}-{day:02d}", f"{year + years}-{month:02d}-{day:02d}"

    def device(self, index: int) -> DeviceFacts:
        """Return the facts of one device as they were on the first day."""
        kind, variant, values = self.values(index)
        text = [value.decode() for value in values]
        macs = [f"{kind.mac_prefix}:{text[MAC]}"]
        macs += [f"DC:21:5C:{text[MAC]}"] if kind.kind == "laptop" else []
        macs += [f"00:50:B6:{text[DOCK_MAC]}"] if variant == DOCK else []
        purchase, warranty = self.dates(index)
        return DeviceFacts(
            index=index, id=text[DEVICE_ID], company_id=text[COMPANY], site_id=text[SITE], category=kind.category,
            name=_plain(values[NAME]), kind=kind.kind, virtual_type=kind.virtual, manufacturer=kind.manufacturer,
            model=kind.model, serial_number=text[SERIAL], operating_system=kind.os.product if kind.os else None,
            os_version=kind.os.version if kind.os else None, processor=kind.processor or None,
            memory_bytes=sum(kind.memory) or None, storage_bytes=sum(size for *_, size in kind.drives) or None,
            mac_addresses=tuple(macs), ip_address=f"10.20.{text[IP]}", agent_installed_at=kind.installed_at,
            missing_sections=MISSING.get(variant, ()), purchase_date=purchase, warranty_expiration_date=warranty,
        )  # fmt: skip

    def __iter__(self) -> Iterator[DeviceFacts]:
        return map(self.device, range(self.devices))

    def count(self) -> dict[str, int]:
        """Return how many devices each category has on the first day."""
        totals = [sum(bounds[n + 1] - bounds[n] for bounds in (site.bounds for site in self.sites)) for n in range(3)]
        return dict(zip(CATEGORIES, totals, strict=True))


def _plain(inside: bytes) -> str:
    return str(json.loads(b'"%b"' % inside))
