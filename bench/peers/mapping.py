"""A device to the 23 columns that every peer stores: the same code for all of them."""

from typing import Any

COLUMNS = (
    "integration_id",
    "device_id",
    "company_id",
    "company_name",
    "site_id",
    "name",
    "manufacturer",
    "model",
    "serial_number",
    "operating_system",
    "os_type",
    "os_version",
    "processor",
    "cores",
    "memory_bytes",
    "storage_bytes",
    "mac_address",
    "ip_address",
    "bios_version",
    "domain",
    "endpoint_type",
    "agent_installed_at",
    "friendly_name",
)
NUMBERS = ("cores", "memory_bytes", "storage_bytes")


def row_of(
    integration_id: str, company: tuple[str, str], site_id: str | None, device: dict[str, Any]
) -> dict[str, Any]:
    """Map one device; what was not sent is None."""
    system, os = device.get("system") or {}, device.get("os") or {}
    bios, board = device.get("bios") or {}, device.get("baseboard") or {}
    processors, networks = device.get("processors") or [{}], device.get("networks") or [{}]
    memory, drives = device.get("physicalMemory") or [], device.get("drives") or []
    return {
        "integration_id": integration_id,
        "device_id": str(device["endpointID"]).lower(),
        "company_id": company[0],
        "company_name": company[1],
        "site_id": site_id,
        "name": device.get("deviceName"),
        "manufacturer": board.get("manufacturer"),
        "model": system.get("model") or system.get("product"),
        "serial_number": system.get("serialNumber") or bios.get("serialNumber") or board.get("serialNumber"),
        "operating_system": os.get("product"),
        "os_type": os.get("type"),
        "os_version": os.get("version"),
        "processor": processors[0].get("product"),
        "cores": sum(int(one.get("numberOfCores") or 0) for one in processors),
        "memory_bytes": sum(int(one.get("sizeBytes") or 0) for one in memory),
        "storage_bytes": sum(int(one.get("sizeBytes") or 0) for one in drives),
        "mac_address": networks[0].get("macAddress"),
        "ip_address": networks[0].get("ipv4"),
        "bios_version": bios.get("version"),
        "domain": system.get("domain"),
        "endpoint_type": device.get("endpointType"),
        "agent_installed_at": device.get("agentInstalledUTC"),
        "friendly_name": device.get("friendlyName"),
    }
