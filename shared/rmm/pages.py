"""One page of the device list, cut into groups of raw devices: the hot path of a sync (API notes 2.4, K1, K12).

Devices are not looked into: each stays the bytes that the vendor sent (a view of the page's buffer), for the normalizer
to read once. So a single odd device cannot spoil its page, and bytes inside a device are not checked at all, not even
for UTF-8.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from shared.errors import RmmAnswerUnreadable
from shared.rmm.wording import why_unreadable

__all__ = ["DeviceGroup", "DevicePage", "parse_device_page"]


@dataclass(frozen=True, slots=True)
class DeviceGroup:
    """Devices of one company and site in one category.

    Ids are in lower case. `company_id` is None where the vendor left it out and more than one company was asked for;
    `site_id` is None where the vendor left it out, which is normal. `endpoints` are the vendor's bytes of one device
    each; they keep the whole page alive, so drop the page when done (or take `bytes(raw)`).
    """

    category: str
    company_id: str | None
    site_id: str | None
    endpoints: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class DevicePage:
    """One page.

    `next_cursor` is where the next one starts, None at the end. `devices` counts all groups. `not_found` is True where
    the vendor answered 404 or an empty object, which reads as "no devices": distrust it for a company that had some
    (K10).
    """

    groups: list[DeviceGroup]
    next_cursor: int | None
    devices: int
    not_found: bool = False


class _Group(msgspec.Struct, gc=False):
    """The id's spelling varies: `companyID` is seen live, the others by family (API notes 2, casing trap)."""

    endpoints: list[msgspec.Raw] | None = None
    company_upper: str | None = msgspec.field(default=None, name="companyID")
    company_camel: str | None = msgspec.field(default=None, name="companyId")
    client_upper: str | None = msgspec.field(default=None, name="clientID")
    client_camel: str | None = msgspec.field(default=None, name="clientId")
    site_upper: str | None = msgspec.field(default=None, name="siteID")
    site_camel: str | None = msgspec.field(default=None, name="siteId")

    def company_id(self) -> str | None:
        return self.company_upper or self.company_camel or self.client_upper or self.client_camel

    def site_id(self) -> str | None:
        return self.site_upper or self.site_camel


class _Body(msgspec.Struct, gc=False):
    platform: list[_Group] | msgspec.UnsetType | None = msgspec.UNSET
    network: list[_Group] | msgspec.UnsetType | None = msgspec.UNSET
    cloud: list[_Group] | msgspec.UnsetType | None = msgspec.UNSET


_BODY: Final = msgspec.json.Decoder(_Body)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_device_page(body: bytes, company_ids: tuple[str, ...]) -> tuple[list[DeviceGroup], bool]:
    """Cut a page into groups, and tell whether it was an empty object without any category.

    Groups of the same category, company and site become one, in the order of their first appearance. `company_ids` are
    those that were asked for. Raises RmmAnswerUnreadable for what is not such a page; the message has no content of it.
    """
    try:
        decoded = _BODY.decode(body)
        categories = (("platform", decoded.platform), ("network", decoded.network), ("cloud", decoded.cloud))
        known = [(name, groups) for name, groups in categories if groups is not msgspec.UNSET]
        empty = not known and not _MEMBERS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RmmAnswerUnreadable(
            f"a device page of {len(body)} bytes is not readable: {why_unreadable(body, error)}",
        ) from None
    if not known and not empty:
        raise RmmAnswerUnreadable(f"a device page of {len(body)} bytes has no category that we know")
    only = company_ids[0].lower() if len(company_ids) == 1 else None
    merged: dict[tuple[str, str | None, str | None], DeviceGroup] = {}
    for category, groups in known:
        for group in groups or ():
            company, site = _lower(group.company_id()) or only, _lower(group.site_id())
            key = (category, company, site)
            if key in merged:
                merged[key].endpoints.extend(group.endpoints or ())
            else:
                merged[key] = DeviceGroup(category, company, site, list(group.endpoints or ()))
    return list(merged.values()), empty


def _lower(text: str | None) -> str | None:
    """Ids differ in case between answers (K5); one spelling from here on."""
    return text.lower() if text else None
