"""A device as the vendor sends it, as far as we read it (API notes, 2.3 to 2.5).

Every section and every member is optional, in each of the layouts: the v2 list, the v2 detail with the device's own
values under its category, and the v1 detail with `baseBoard`. Members that are not named here stay in the vendor's
JSON and are not looked at.
"""

from typing import Final

import msgspec


class Board(msgspec.Struct, rename="camel", gc=False):
    """The main board; its maker is the machine's maker."""

    manufacturer: str | None = None
    serial_number: str | None = None


class Bios(msgspec.Struct, rename="camel", gc=False):
    """The firmware. Its maker is not the machine's, so it is not read."""

    serial_number: str | None = None


class System(msgspec.Struct, rename="camel", gc=False):
    """The machine as its maker names it. `manufacturer` is in no specification, but one client reads it."""

    product: str | None = None
    model: str | None = None
    serial_number: str | None = None
    system_name: str | None = None
    domain_role: str | None = None
    category: str | None = None
    manufacturer: str | None = None


class OperatingSystem(msgspec.Struct, rename="camel", gc=False):
    """The operating system."""

    product: str | None = None
    version: str | None = None
    type: str | None = None


class Processor(msgspec.Struct, gc=False):
    """One processor."""

    product: str | None = None


class Sized(msgspec.Struct, rename="camel", gc=False):
    """A memory module or a drive."""

    size_bytes: int | None = None


class Adapter(msgspec.Struct, rename="camel", gc=False):
    """A network adapter."""

    product: str | None = None
    ip_enabled: bool | None = None
    ipv4: str | None = None
    mac_address: str | None = None


class Device(msgspec.Struct, rename="camel", gc=False):
    """One device. Ids come in several spellings, even within one answer (API notes, section 2)."""

    endpoint_upper: str | None = msgspec.field(default=None, name="endpointID")
    endpoint_camel: str | None = msgspec.field(default=None, name="endpointId")
    endpoint_pascal: str | None = msgspec.field(default=None, name="EndpointID")
    site_upper: str | None = msgspec.field(default=None, name="siteID")
    site_camel: str | None = msgspec.field(default=None, name="siteId")
    company_upper: str | None = msgspec.field(default=None, name="companyID")
    company_camel: str | None = msgspec.field(default=None, name="companyId")
    client_upper: str | None = msgspec.field(default=None, name="clientID")
    client_camel: str | None = msgspec.field(default=None, name="clientId")
    friendly_name: str | None = None
    device_name: str | None = None
    resource_type: str | None = None
    endpoint_type: str | None = None
    type: str | None = None
    sub_resource_type: str | None = None
    virtual_type: str | None = None
    os_type: str | None = None
    ip_address: str | None = None
    mac_address: str | None = None
    agent_installed: str | None = msgspec.field(default=None, name="agentInstalledUTC")
    purchase_date: str | None = None
    warranty_expiration_date: str | None = None
    system: System | None = None
    os: OperatingSystem | None = None
    bios: Bios | None = None
    baseboard: Board | None = None
    base_board: Board | None = None
    processors: list[Processor] | None = None
    physical_memory: list[Sized] | None = None
    drives: list[Sized] | None = None
    networks: list[Adapter] | None = None
    # A detail of v2 has the device's own values under its category.
    platform: "Device | None" = None
    network: "Device | None" = None
    cloud: "Device | None" = None


OWN_CATEGORIES: Final = ("platform", "network", "cloud")

# Not strict: a size may come as text, and a flag as 0 or 1.
_DECODER: Final = msgspec.json.Decoder(Device, strict=False)
read_device = _DECODER.decode
"""Read a device that has the types we expect; raises msgspec.ValidationError for one that has not."""


def merge_own_values(device: Device) -> Device:
    """Return the device with the values under its category at the top, where the top has none of its own."""
    for category in OWN_CATEGORIES:
        own: Device | None = getattr(device, category)
        if own is not None:
            for name in Device.__struct_fields__:
                if name not in OWN_CATEGORIES and getattr(device, name) is None:
                    setattr(device, name, getattr(own, name))
    return device
