"""The vendor's API as fetcher and writeback use it: one method for each thing we ask, all answers as plain values."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import httpx

from shared.rmm import companies, custom_fields, devices, native_dates, rate_limits
from shared.rmm.companies import Company, Site
from shared.rmm.connection import Connection, Limits
from shared.rmm.custom_fields import FieldDefinition, FieldValue
from shared.rmm.devices import DETAIL_FIELDS, LIST_FIELDS, MAX_PAGE, Category, DeviceDetail
from shared.rmm.pages import DevicePage
from shared.rmm.quirks import Quirks
from shared.rmm.rate_limits import RateBucket
from shared.rmm.rates import Budget, Priority
from shared.rmm.scopes import ScopeSet
from shared.rmm.session import Session
from shared.rmm.token import Tokens

__all__ = ["RmmClient"]


class RmmClient:
    """One integration's client. It holds no connection of its own; who made `http` closes it.

    Every method takes one request from the budget for each that it sends, and may raise: QuotaExhausted, RateLimited,
    Locked, RmmUnreachable, RmmServerError, RmmAnswerUnreadable; CredentialsRejected (a second 401), ScopeMissing (403
    to a read) or WriteForbidden (403 to a write); RmmRefused (any other 4xx); and what `tokens` raises.

    It repeats nothing but: once after a 401 with another token; a read once when a pooled connection was found dead;
    and another form of the same request where the tenant refused the first, which `quirks` then remembers. Store
    `quirks.changes()` after use. Ids are given in lower case.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        tokens: Tokens,
        budget: Budget,
        quirks: Quirks,
        *,
        integration_id: UUID,
        limits: Limits | None = None,
    ) -> None:
        """Make `http` with `new_http_client`. Raises ValueError for a base URL that is none."""
        connection = Connection(http, base_url, budget, limits or Limits())
        self._session = Session(connection, tokens, quirks, integration_id)

    @property
    def quirks(self) -> Quirks:
        """What was learnt about this tenant."""
        return self._session.quirks

    async def sign_in(self, scope_set: ScopeSet) -> None:
        """See that the key signs in for a set of scopes; takes no request where a token of the set is stored.

        Raises what `Tokens.get` raises, ScopeMissing first of all.
        """
        await self._session.tokens.get(scope_set, not_this=None)

    async def companies(self) -> list[Company]:
        """List all companies, the inactive ones too. Follows next links where there are any; one request as a rule."""
        return await companies.companies(self._session)

    async def sites(self, company_ids: Sequence[str] | None = None) -> list[Site]:
        """List the sites of all companies in one request.

        Where the tenant refuses that (404, 403), asks for each of `company_ids` (of all companies where None), one
        request each; with very many companies rather call `sites_of` in turns, for a QuotaExhausted starts this anew.
        """
        return await companies.sites(self._session, company_ids)

    async def sites_of(self, company_id: str) -> list[Site]:
        """List the sites of one company; none where the vendor does not know it."""
        return await companies.sites_of(self._session, company_id)

    async def device_page(
        self,
        company_ids: Sequence[str],
        cursor: int = 0,
        *,
        limit: int = MAX_PAGE,
        fields: Sequence[str] = LIST_FIELDS,
        category: Category = "platform",
    ) -> DevicePage:
        """Read one page of the devices of some companies; `cursor` 0 is the first, then `next_cursor`.

        The same device can come twice when devices move between pages: the caller drops repeats and bounds the number
        of pages. A 404 of the API's own is an empty page with `not_found`, for all companies asked (API notes 2.4, 3).
        Also raises TooManyCompanies (ask for `quirks.companies_per_call` at a time) and CursorLoop (API notes 2.4).
        `limit` is 1 to 500.
        """
        if not company_ids or not 1 <= limit <= MAX_PAGE or cursor < 0:
            raise ValueError("a device page needs a company, a limit of 1 to 500 and a cursor of 0 or more")
        return await devices.device_page(
            self._session, tuple(company_ids), cursor, limit=limit, fields=tuple(fields), category=category
        )

    async def device_detail(
        self,
        company_id: str,
        site_id: str | None,
        device_id: str,
        *,
        fields: Sequence[str] = DETAIL_FIELDS,
        priority: Priority = Priority.DETAIL,
    ) -> DeviceDetail:
        """Read one device; without a site, or where v2 does not know it there, by the older path.

        `fields` are names of sections, such as `bios`, or of members, such as a native date. Raises DeviceGone.
        """
        return await devices.device_detail(
            self._session, company_id, site_id, device_id, fields=tuple(fields), priority=priority
        )

    async def custom_field_definitions(self) -> list[FieldDefinition]:
        """List the custom fields of devices."""
        return await custom_fields.definitions(self._session)

    async def create_definition(self, name: str, *, kind: str = "string", description: str = "") -> FieldDefinition:
        """Create a custom field of devices, with a token of its own scope set (DEFINE).

        Only where configured. Raises RmmRefused with status 409 where it exists.
        """
        return await custom_fields.create_definition(self._session, name, kind=kind, description=description)

    async def custom_field_values(
        self, device_id: str, *, attribute_ids: Sequence[str] = (), priority: Priority = Priority.DETAIL
    ) -> list[FieldValue]:
        """Read the custom fields of one device, all of them or only some.

        Raises DeviceGone, and RmmRefused with the reason `custom_field_unknown` where a field is gone.
        """
        return await custom_fields.values(self._session, device_id, attribute_ids=attribute_ids, priority=priority)

    async def put_custom_fields(self, device_id: str, values: Sequence[tuple[str, str | None]]) -> None:
        """Write (attribute id, text) pairs of one device in one request; None clears. Others are left as they are.

        A success says only that the vendor took it: read back. A refusal with 400 may mean the shape of the body, so
        the older one is tried once, and for None the other way to clear (API notes 3.2, K8). Safe to repeat; an error
        does not say that nothing was saved. Raises DeviceGone, and RmmRefused with `custom_field_unknown`.
        """
        await custom_fields.put_values(self._session, device_id, values)

    async def patch_dates(
        self, company_id: str, site_id: str | None, device_id: str, members: Mapping[str, str | None]
    ) -> None:
        """Write members of the device resource by a JSON merge PATCH; None clears.

        A success says only that the vendor took it: read back, for a tenant may ignore unknown members. Raises
        PatchUnsupported where the tenant has no such PATCH, RmmRefused for a refused value. Safe to repeat.
        """
        await native_dates.patch_members(self._session, company_id, site_id, device_id, members)

    async def rate_limits(self) -> list[RateBucket]:
        """Read the vendor's own count of requests, for a diagnosis; bogus buckets are left out (API notes 4)."""
        return await rate_limits.rate_limits(self._session)
