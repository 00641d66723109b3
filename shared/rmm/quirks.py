"""What was learnt about one tenant's API: which of several spellings it takes (API notes 2.4, 3.2, K2, K7, K8).

Tenants differ and the documents contradict each other, so the client tries the likely form first and remembers here
what worked. Quirks are hints: losing them costs a few extra requests and nothing else.
"""

from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PrivateAttr, ValidationError

__all__ = ["MINIMAL_FIELDS", "Quirks"]

MINIMAL_FIELDS: Final = "system,os"
"""The sections that were seen live in a list (API notes 2.4)."""


class Quirks(BaseModel):
    """The facts of one integration, stored as JSON beside it. Not for two tasks at once.

    The client assigns; the caller stores `changes()` when there are any and then calls `saved()`.
    """

    model_config = ConfigDict(validate_assignment=True, extra="ignore", hide_input_in_errors=True)

    list_method: Literal["POST", "GET"] = Field(
        default="POST", description="method of the device list; GET carries a body"
    )
    list_known: bool = Field(default=False, description="whether the list's form below and above was seen to work")
    resource_word: str = Field(default="company", max_length=40, description="resourceType of the device list")
    companies_per_call: int = Field(default=4, ge=1, le=100, description="how many companies one list call may name")
    list_fields: str | None = Field(
        default=None,
        max_length=400,
        description="sections that the list takes where it refused ours; empty for none at all",
    )
    links_used: bool | None = Field(
        default=None, description="whether device pages come with next links; None while unknown"
    )
    sites_all: bool = Field(default=True, description="whether one call lists all sites")
    detail_version: Literal["v2", "v1"] = Field(default="v2", description="path of the device detail")
    detail_fields: bool = Field(default=True, description="whether the v2 detail takes a field list")
    definition_entity: Literal["device", "endpoint"] = Field(
        default="device", description="entityType of field definitions"
    )
    values_version: Literal["v2", "v1"] = Field(default="v2", description="path that reads custom fields")
    values_known: bool = Field(default=False, description="whether that version was seen to work")
    write_version: Literal["v2", "v1"] = Field(default="v2", description="path and spelling that write custom fields")
    write_known: bool = Field(default=False, description="whether that version was seen to work")
    clear_with: Literal["empty", "null"] = Field(default="empty", description="how a custom field is cleared")
    patch_version: Literal["v2", "v1"] = Field(default="v2", description="path of the device PATCH")
    patch_known: bool = Field(default=False, description="whether that path was seen to take a PATCH")
    adapter: Literal["auto", "patch", "custom_fields"] = Field(
        default="auto", description="how dates are written; set by write-back after a read-back, never by the client"
    )

    _stored: dict[str, JsonValue] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: object, /) -> None:
        """Take the state at the start as stored."""
        del context
        self.saved()

    @classmethod
    def from_json(cls, text: str | bytes | None) -> Self:
        """Read stored quirks; a member that this build does not understand falls back to its default."""
        if not text:
            return cls()
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            wrong = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        try:
            members = _Members.model_validate_json(text).model_extra or {}
        except ValidationError:
            return cls()
        return cls.model_validate({name: value for name, value in members.items() if name not in wrong})

    def to_json(self) -> str:
        """Give all members as JSON."""
        return self.model_dump_json()

    @property
    def changed(self) -> bool:
        """Tell whether anything differs from what was read or last saved."""
        return bool(self.changes())

    def changes(self) -> dict[str, JsonValue]:
        """Give only what differs, so that a merge into the stored JSON keeps what another process learnt."""
        return {name: value for name, value in self._members().items() if self._stored.get(name, ...) != value}

    def saved(self) -> None:
        """Take the present state as stored."""
        self._stored = self._members()

    def _members(self) -> dict[str, JsonValue]:
        return self.model_dump(mode="json")


class _Members(BaseModel):
    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)
