"""Which type of asset a device is, from the words that the vendor and the makers use for it."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from shared.assets.canonical import AssetType


class Words(NamedTuple):
    """What a device says of itself; `category` is the list that it stands in, `maker` and `model` as sent."""

    category: str
    own_type: str | None
    sub_type: str | None
    resource_type: str | None
    endpoint_type: str | None
    virtual_type: str | None
    system_category: str | None
    domain_role: str | None
    os_type: str | None
    os_product: str | None
    maker: str | None
    model: str | None
    product: str | None


def _any_of(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


# The names that hypervisors give their guests' hardware.
_GUEST: Final = _any_of(
    r"\bvmware", r"virtualbox", r"\bkvm\b", r"\bqemu\b", r"virtual machine", r"\bhvm domu\b", r"\bbochs\b",
    r"^parallels\b", r"^amazon ec2", r"google compute engine", r"\bopenstack\b", r"\bnutanix ahv", r"\bahv\b",
    r"\bbhyve\b", r"\bproxmox\b", r"\brhev\b", r"\bovirt\b", r"^xen$", r"\bvirtual platform\b", r"^standard pc \(",
)  # fmt: skip
_GUEST_WORDS: Final = _any_of(r"virtual[ _-]?machine", r"\bvm\b", r"cloud[ _-]?vm", r"\bvirtual\b", r"\bguest\b")
# What virtualType says of machines that are not guests.
_NO_GUEST: Final = _any_of(r"\bhost\b", r"physical", r"^none$", r"^no$", r"^false$", r"^n/?a$", r"^not ", r"^unknown$")

_PRINTER: Final = _any_of(r"printer", r"\bmfp\b", r"multifunction", r"plotter", r"laserjet", r"officejet", r"copier")
_TABLET: Final = _any_of(r"tablet", r"\bipad", r"galaxy tab")
_PHONE: Final = _any_of(r"\bphone", r"smartphone", r"\biphone", r"mobile device", r"^mobile$")
_NETWORK: Final = _any_of(
    r"network", r"\bswitch", r"\brouter", r"firewall", r"access[ _-]?point", r"\bgateway\b", r"\bnas\b", r"wireless",
    r"load[ _-]?balancer", r"\bups\b", r"\bpdu\b", r"hypervisor management",
)  # fmt: skip
_SERVER: Final = _any_of(r"server", r"domain[ _-]?controller", r"\besxi?\b", r"vsphere", r"^hyper-?v host")
# A numeric domainRole is Win32_ComputerSystem.DomainRole: 2 to 5 are servers and domain controllers.
_SERVER_ROLES: Final = frozenset({"2", "3", "4", "5"})
_LAPTOP: Final = _any_of(r"laptop", r"notebook", r"portable", r"convertible", r"detachable", r"ultrabook")
_LAPTOP_MODEL: Final = _any_of(
    r"latitude", r"thinkpad", r"elitebook", r"probook", r"\bzbook", r"macbook", r"travelmate", r"toughbook",
    r"zenbook", r"vivobook", r"expertbook", r"ideapad", r"chromebook", r"lifebook", r"port[eé]g[eé]", r"tecra",
    r"satellite pro", r"surface (?:laptop|book|pro|go)", r"\bxps 1[3-7]", r"dynabook",
)  # fmt: skip
# Lenovo's machine types: 20 and 21 are ThinkPads, 80 to 83 IdeaPads and their kin.
_LENOVO_LAPTOP: Final = re.compile(r"(?:2[01]|8[0-3])[0-9A-Z]{2,8}", re.IGNORECASE)
_WORKSTATION: Final = _any_of(r"desktop", r"workstation", r"\bpc\b", r"all[ _-]?in[ _-]?one", r"\bmini ?pc\b")
_MOBILE_OS: Final = _any_of(r"\bandroid\b", r"\bios\b", r"\bipados\b")
_PERSONAL_OS: Final = _any_of(r"windows", r"mac ?os", r"darwin", r"os x", r"linux", r"ubuntu", r"chrome ?os", r"debian")


@lru_cache(maxsize=4096)
def asset_type(words: Words, /) -> AssetType:
    """Return the type. The hardest evidence first: a guest is a guest whatever runs on it, a server by its system."""
    told = (words.own_type, words.sub_type, words.endpoint_type, words.system_category)
    said = " ; ".join(word for word in told if word)
    models = " ; ".join(word for word in (words.model, words.product) if word)
    if _is_guest(words, said, models):
        return "virtual_machine"
    return _by_device(words, said, models) or _by_use(words, said, models) or ("other" if said else "unknown")


def _is_guest(words: Words, said: str, model: str) -> bool:
    virtual = (words.virtual_type or "").strip()
    if virtual:
        return not _NO_GUEST.search(virtual)
    return bool(
        words.category == "cloud"
        or _GUEST_WORDS.search(said)
        or _GUEST.search(model)
        or (words.maker and _GUEST.search(words.maker))
    )


def _by_device(words: Words, said: str, model: str) -> AssetType | None:
    """Return what is told by the device's own kind, before any operating system."""
    if _PRINTER.search(said) or (words.category == "network" and _PRINTER.search(model)):
        return "printer"
    if _TABLET.search(said) or _TABLET.search(model):
        return "tablet"
    if _PHONE.search(said) or _PHONE.search(model):
        return "phone"
    if words.category == "network" or _NETWORK.search(said) or _NETWORK.search(words.resource_type or ""):
        return "network_device"
    return None


def _by_use(words: Words, said: str, model: str) -> AssetType | None:
    system = f"{words.os_product or ''} ; {words.os_type or ''}"
    role = words.domain_role or ""
    if _SERVER.search(system) or _SERVER.search(said) or _SERVER.search(role) or role in _SERVER_ROLES:
        return "server"
    if _LAPTOP.search(said) or _LAPTOP_MODEL.search(model) or _is_lenovo_laptop(words):
        return "laptop"
    if _MOBILE_OS.search(system):
        return "phone"
    if _WORKSTATION.search(said) or _WORKSTATION.search(role) or _PERSONAL_OS.search(system):
        return "workstation"
    return None


def _is_lenovo_laptop(words: Words) -> bool:
    is_lenovo = "lenovo" in (words.maker or "").lower()
    return is_lenovo and any(name and _LENOVO_LAPTOP.fullmatch(name) for name in (words.model, words.product))
