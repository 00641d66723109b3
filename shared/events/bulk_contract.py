"""The published contract of the two bulk events, as pydantic models.

Services read and write these bodies by the structs of `bulk.py`, which are several times as fast; this module is what
others read: it makes the schemas, and a contract test holds both to the same recorded JSON, member by member.
"""

from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from shared.assets.canonical import AssetType
from shared.events.envelope import EventData


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class PageHeader(EventData):
    """What a chunk says of the page and the run it belongs to."""

    run_id: UUID = Field(description="the sync run")
    integration_id: UUID = Field(description="the integration whose devices these are")
    account_id: UUID = Field(description="the account of that integration")
    scope_id: UUID = Field(description="the part of the run that the page belongs to")
    fetch_id: UUID = Field(description="one GET of one page; with chunk_no the identity of this chunk")
    page_no: int = Field(ge=0, description="0 for the first page of the scope")
    chunk_no: int = Field(ge=0, description="0 for the first chunk of the page")
    chunk_count: int = Field(ge=1, description="chunks that the page was cut into")
    observed_seq: int = Field(ge=0, description="number issued by our Postgres just before the GET; the newest wins")
    fetched_at: AwareDatetime = Field(description="when the page was read")


class OversizedDevice(_Part):
    """A device that is too large for a message."""

    size_bytes: int = Field(ge=0, description="bytes of its JSON")
    device_id: str | None = Field(default=None, description="the RMM's id in lower case, where one was found")


class DeviceGroup(_Part):
    """Devices of one company, site and category."""

    category: str = Field(description="the vendor's device category, such as `platform` or `network`")
    endpoints: list[JsonValue] = Field(description="devices as the vendor sent them, one JSON value each")
    company_id: str | None = Field(default=None, description="the RMM's company id in lower case")
    company_name: str | None = Field(default=None, description="its name")
    site_id: str | None = Field(default=None, description="the RMM's site id in lower case; often left out")
    oversized: list[OversizedDevice] = Field(default=[], description="devices that no message can carry")


class DevicePageFetched(PageHeader):
    """One chunk of a page of devices, as the vendor sent them."""

    event_type: ClassVar[str] = "device.page_fetched"
    groups: list[DeviceGroup] = Field(description="the devices, in the order of the page")
    sites: dict[str, str | None] = Field(default={}, description="names of sites by id in lower case")


class CanonicalAsset(_Part):
    """Canonical columns of an asset. A member that is not there was not sent, and erases nothing."""

    asset_type: AssetType | None = Field(default=None, description="left out where nothing tells it")
    company_id: str | None = Field(default=None, description="the RMM's company id in lower case")
    company_name: str | None = None
    site_id: str | None = Field(default=None, description="the RMM's site id in lower case")
    site_name: str | None = None
    name: str | None = Field(default=None, max_length=512, description="friendly name, else device or system name")
    manufacturer: str | None = Field(default=None, max_length=512, description="as sent")
    manufacturer_normalised: str | None = Field(default=None, max_length=512, description="the maker's usual name")
    model: str | None = Field(default=None, max_length=512)
    serial_number: str | None = Field(default=None, max_length=512, description="as sent, junk too")
    serial_normalised: str | None = Field(default=None, description="upper case without separators; never junk")
    operating_system: str | None = Field(default=None, max_length=512)
    os_version: str | None = Field(default=None, max_length=512)
    processor: str | None = Field(default=None, max_length=512)
    memory_bytes: int | None = Field(default=None, gt=0, description="sum of the modules")
    storage_bytes: int | None = Field(default=None, gt=0, description="sum of the drives")
    mac_addresses: list[str] | None = Field(default=None, description="lower case with colons, sorted")
    ip_address: str | None = None
    agent_installed_at: AwareDatetime | None = Field(default=None, description="UTC")
    purchase_date: date | None = Field(default=None, description="calendar date, native to the vendor")
    warranty_expiration_date: date | None = Field(default=None, description="calendar date, native to the vendor")


class NormalizedAsset(_Part):
    """One device as a canonical asset."""

    device_id: str = Field(min_length=1, max_length=200, description="the RMM's id in lower case")
    content_hash: str = Field(pattern="^[0-9a-f]{32}$", description="changes only when the device does")
    serial_key: str | None = Field(description="normalised serial, a bar, normalised maker; null where it is junk")
    mac_key: str | None = Field(description="trusted MACs, sorted, commas between; null where there are none")
    asset: CanonicalAsset = Field(description="canonical columns")
    vendor: dict[str, JsonValue] = Field(description="the device as the vendor sent it")


class Reject(_Part):
    """One device that could not be mapped."""

    reason_code: str = Field(description="no_device_id, not_an_object, unreadable or too_large")
    detail: str = Field(description="the reason in words, without content of the device")
    device_id: str | None = Field(default=None, description="the RMM's id in lower case, where one was found")
    vendor: JsonValue = Field(default=None, description="what was sent; left out where it is too large")


class AssetPageNormalized(PageHeader):
    """One chunk of a page as canonical assets, and the rejects among its devices."""

    event_type: ClassVar[str] = "asset.page_normalized"
    assets: list[NormalizedAsset] = Field(description="the assets, in the order of the devices")
    rejects: list[Reject] = Field(default=[], description="devices that could not be mapped")


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schema of each event's `data` by event type."""
    return {model.event_type: model.model_json_schema() for model in (DevicePageFetched, AssetPageNormalized)}
