"""Every switch of the simulator, as one frozen value that can be replaced while the server runs."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ALL_SCOPES: tuple[str, ...] = (
    "platform.companies.read",
    "platform.companies.write",
    "platform.sites.read",
    "platform.sites.write",
    "platform.devices.read",
    "platform.devices.write",
    "platform.asset.read",
    "platform.agent.read",
    "platform.agent-token.read",
    "platform.custom_fields_definitions.read",
    "platform.custom_fields_definitions.write",
    "platform.custom_fields_values.read",
    "platform.custom_fields_values.write",
    "platform.deviceGroups.read",
    "platform.automation.read",
    "platform.tickets.read",
    "platform.patching.read",
)
"""Scopes that a key may be given; the names are those of the vendor's specification."""

FIXED = frozenset(
    {"seed", "devices", "companies", "dated_share", "client_id", "client_secret", "page_cache_mb", "tenants"}
)
"""Settings that shape the fleet or the process and so cannot change while the server runs."""


class CustomField(BaseModel):
    """A custom field definition that exists from the start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: Literal["string", "boolean", "integer", "datetime", "enum"] = "datetime"


class SimulatorConfig(BaseModel):
    """What the simulated tenant holds and how it behaves; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=7, description="The fleet is a pure function of this number.")
    devices: int = Field(default=1000, ge=0, le=1 << 24, description="Devices of all categories together.")
    companies: int = Field(default=10, ge=1, le=20_000, description="Companies; about one in twenty has no devices.")
    dated_share: float = Field(default=0.0, ge=0, le=1, description="Share of devices that start with both dates set.")
    client_id: str = Field(default="", description="First key's id; derived from the seed when empty.")
    client_secret: str = Field(default="", description="First key's secret; derived from the seed when empty.")
    page_cache_mb: int = Field(default=40, ge=0, description="Bound of the cache of rendered device pages.")
    tenants: dict[str, int] = Field(
        default={},
        description="Tenants beside the first, name to number of devices: each its own fleet, key and quota.",
    )

    scopes: tuple[str, ...] = Field(default=ALL_SCOPES, description="Scopes ticked on the first key.")
    token_ttl_s: int = Field(default=3599, description="Life of a token, and its `expires_in`.")
    mint_limit: int = Field(
        default=30, description="Sign-ins a key gets per window while a token lives, then 423; 0 = any."
    )
    mint_window_s: float = Field(default=300.0, description="Window of `mint_limit`.")
    tokens_die_with_key: bool = Field(default=True, description="Regenerate and disable end tokens at once.")

    quota: int = Field(default=0, ge=0, description="Requests a key gets in any window; 0 = no quota.")
    quota_window_s: float = Field(default=300.0, gt=0, description="Length of the sliding quota window.")
    quota_counts_rejected: bool = Field(default=False, description="Whether a 429 itself uses quota.")
    rate_headers: Literal["both", "x", "plain", "none"] = "both"
    retry_after: Literal["seconds", "date", "none"] = "seconds"
    latency_ms: float = Field(default=0.0, ge=0, description="Delay before each API answer.")
    error_style: Literal["family", "code_message", "message"] = "family"

    list_method: Literal["both", "post", "get"] = Field(default="both", description="Methods of the v2 device list.")
    max_resources: int = Field(default=4, ge=1, le=4, description="Company ids that one list call takes.")
    list_has_site: bool = Field(default=True, description="Whether list groups carry `siteID`.")
    refused_fields: tuple[str, ...] = Field(
        default=(), description="Names in `field=` that give 400; `*` refuses any list."
    )
    missing_details: tuple[str, ...] = Field(default=(), description="Sections that no detail ever shows.")
    companies_page: int = Field(default=0, ge=0, description="Companies a page, with a `Link`; 0 = all in one body.")

    custom_fields: tuple[CustomField, ...] = (
        CustomField(name="Purchase Date"),
        CustomField(name="Warranty Expiration Date"),
        CustomField(name="Location", type="string"),
    )
    purchase_field: str = Field(default="Purchase Date", description="Custom field that shows the purchase date.")
    warranty_field: str = Field(
        default="Warranty Expiration Date", description="Custom field that shows the warranty date."
    )
    link_dates: bool = Field(
        default=True, description="The two date fields and the two native members are one value; else apart."
    )
    attribute_spelling: Literal["auto", "attributeId", "attributeID"] = "auto"
    values_put_status: Literal[200, 204] = 200
    definitions_writable: bool = Field(default=True, description="Whether definitions may be created (else 403).")
    visible_after_s: float = Field(default=0.0, ge=0, description="Reads show a written date only this much later.")

    patch_mode: Literal["off", "on", "forbidden", "unchanged"] = "off"
    patch_off_status: Literal[404, 405, 501] = 405
    patch_status: Literal[200, 204] = 200
    patch_paths: Literal["both", "v1", "v2"] = "both"
    purchase_member: str = Field(default="purchaseDate", description="Native member name of the purchase date.")
    warranty_member: str = Field(
        default="warrantyExpirationDate", description="Native member name of the warranty date."
    )

    def beside(self, name: str) -> "SimulatorConfig":
        """Return what a tenant beside the first holds: a fleet of its own seed, with some 50 devices a company."""
        devices = self.tenants[name]
        own: dict[str, object] = {
            "seed": self.seed + 1 + list(self.tenants).index(name),
            "devices": devices,
            "companies": max(1, devices // 50),
            "client_id": "",
            "client_secret": "",
            "tenants": {},
        }
        return SimulatorConfig.model_validate({**self.model_dump(), **own})

    def changed(self, changes: dict[str, Any]) -> "SimulatorConfig":
        """Return a copy with `changes`; raises ValueError for an unknown, fixed or wrongly typed setting."""
        fixed = FIXED & changes.keys()
        if fixed:
            raise ValueError(f"cannot change while running: {', '.join(sorted(fixed))}")
        return SimulatorConfig.model_validate({**self.model_dump(), **changes})
