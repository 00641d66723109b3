"""Reading companies and their sites (API notes 2.1, 2.2); "company" and "client" are the same thing."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from shared.assets.texts import clean
from shared.errors import CursorLoop, RmmAnswerUnreadable
from shared.rmm.connection import Answer, Call
from shared.rmm.paging import next_query
from shared.rmm.reading import decode, decode_list, path
from shared.rmm.refusals import Purpose
from shared.rmm.session import Session

__all__ = ["Company", "Site", "companies", "sites", "sites_of"]

# Paging of these lists is not documented; a few thousand companies in pages of 50 fit below it.
_MOST_PAGES: Final = 200
_COMPANY: Final = ("api", "platform", "v1", "company")


@dataclass(frozen=True, slots=True)
class Company:
    """One customer of the MSP. `inactive_at` is the vendor's RFC 3339 text, None while active."""

    company_id: str
    name: str
    inactive_at: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """One place of a company. `company_id` is None where the vendor did not say whose it is."""

    site_id: str
    name: str
    company_id: str | None = None


class _Owner(msgspec.Struct):
    id: str | None = None


class _Row(msgspec.Struct, rename="camel"):
    """A company or a site; both have these members."""

    id: str
    name: str | None = None
    friendly_name: str | None = None
    inactive_date: str | None = None
    deleted_date: str | None = None
    company: _Owner | None = None
    company_id: str | None = None

    def label(self) -> str:
        return clean(self.name) or clean(self.friendly_name) or self.id

    def owner(self) -> str | None:
        named = self.company.id if self.company else None
        owner = named or self.company_id
        return owner.lower() if owner else None


class _Wrapped(msgspec.Struct):
    """Two clients also take the list inside an object."""

    companies: list[_Row] | None = None
    sites: list[_Row] | None = None


async def companies(session: Session) -> list[Company]:
    """List all companies; the promise stands at RmmClient.companies."""
    purpose = Purpose("list_companies", session.integration_id)
    rows = await _rows(session, Call(purpose, "GET", path(*_COMPANY, "companies")))
    return [Company(row.id.lower(), row.label(), row.inactive_date or row.deleted_date or None) for row in rows]


async def sites(session: Session, company_ids: Sequence[str] | None) -> list[Site]:
    """List all sites; the promise stands at RmmClient.sites."""
    if session.quirks.sites_all:
        purpose = Purpose("list_sites", session.integration_id)
        call = Call(purpose, "GET", path(*_COMPANY, "sites"))
        answer = await session.send(call)
        if answer.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            return [Site(row.id.lower(), row.label(), row.owner()) for row in await _rows(session, call, answer)]
    owners = [company.company_id for company in await companies(session)] if company_ids is None else company_ids
    found = [site for owner in owners for site in await sites_of(session, owner)]
    if owners and session.quirks.sites_all:
        # Only now: had the right been missing, the calls above would have been refused as well.
        session.quirks.sites_all = False
    return found


async def sites_of(session: Session, company_id: str) -> list[Site]:
    """List the sites of one company; the promise stands at RmmClient.sites_of."""
    purpose = Purpose("list_company_sites", session.integration_id, f"company {company_id}")
    call = Call(purpose, "GET", path(*_COMPANY, "companies", company_id, "sites"))
    answer = await session.send(call)
    if answer.status == HTTPStatus.NOT_FOUND and answer.wording().is_json_error:
        return []
    rows = await _rows(session, call, answer)
    return [Site(row.id.lower(), row.label(), row.owner() or company_id.lower()) for row in rows]


async def _rows(session: Session, call: Call, answer: Answer | None = None) -> list[_Row]:
    """Read all pages of a list, with the first answer where it is there already.

    Of a next link only the query is used, on our own path. Raises CursorLoop where a query comes twice.
    """
    rows: list[_Row] = []
    seen: set[tuple[tuple[str, str], ...]] = {call.query}
    following = call
    for _ in range(_MOST_PAGES):
        answer = answer or await session.send(following)
        if not answer.ok:
            raise answer.error(call.purpose)
        rows.extend(_page(answer, call.purpose))
        query = next_query(answer.headers.get("Link"))
        if query is None:
            return rows
        if query in seen:
            raise CursorLoop(f"the next link leads back: {call.purpose.said(answer.request_id)}")
        seen.add(query)
        following = Call(call.purpose, call.method, call.path, query)
        answer = None
    raise CursorLoop(f"more than {_MOST_PAGES} pages: {call.purpose.said('many')}")


def _page(answer: Answer, purpose: Purpose) -> list[_Row]:
    if not answer.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return decode_list(answer, list[_Row], purpose)
    wrapped = decode(answer, _Wrapped, purpose)
    rows = wrapped.companies if wrapped.companies is not None else wrapped.sites
    if rows is None:
        raise RmmAnswerUnreadable(f"the answer is no list to {purpose.said(answer.request_id)}")
    return rows
