"""Reading devices: pages of the list, and one device in detail (API notes 2.4, 2.5)."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal

import msgspec

from shared.errors import PipelineError, RmmAnswerUnreadable
from shared.rmm.connection import Answer, Call
from shared.rmm.list_form import ListForm, first_form, next_form, remember
from shared.rmm.pages import DevicePage, parse_device_page
from shared.rmm.paging import next_cursor, step
from shared.rmm.rates import Priority
from shared.rmm.reading import decode, path
from shared.rmm.refusals import Purpose, TooManyCompanies
from shared.rmm.session import Session, is_json_404, is_unknown_path

__all__ = ["DETAIL_FIELDS", "LIST_FIELDS", "MAX_PAGE", "Category", "DeviceDetail", "device_detail", "device_page"]

Category = Literal["platform", "network", "cloud", "all"]

MAX_PAGE: Final = 500
"""The most devices that the vendor gives in one page (API notes 2.4)."""

# v1 names of the hardware sections; that v2 knows them is inferred, hence the fallbacks (API notes 8, 5).
LIST_FIELDS: Final = ("system", "os", "bios", "baseboard", "processors", "physicalMemory", "drives", "networks")
DETAIL_FIELDS: Final = LIST_FIELDS

_DEVICE: Final = ("api", "platform")


@dataclass(frozen=True, slots=True)
class DeviceDetail:
    """One device in full: `members` as the vendor sent them, `version` of the path that gave them (v1 or v2)."""

    device_id: str
    version: Literal["v2", "v1"]
    members: dict[str, object]


async def device_page(
    session: Session,
    company_ids: tuple[str, ...],
    cursor: int,
    *,
    limit: int,
    fields: tuple[str, ...],
    category: Category,
) -> DevicePage:
    """Read one page; the promise stands at RmmClient.device_page."""
    purpose = Purpose("list_devices", session.integration_id, f"{len(company_ids)} companies at cursor {cursor}")
    answer = await _list(session, purpose, company_ids, cursor, limit=limit, fields=fields, category=category)
    if not answer.ok:
        return DevicePage([], None, 0, not_found=True)
    try:
        groups, empty = parse_device_page(answer.body, company_ids)
        found = next_cursor(answer.headers.get("Link"))
    except RmmAnswerUnreadable as error:
        raise RmmAnswerUnreadable(f"{error}: {purpose.said(answer.request_id)}") from None
    devices = sum(len(group.endpoints) for group in groups)
    _learn_links(session, cursor, found, devices)
    following = step(cursor, found, devices=devices, limit=limit, links=session.quirks.links_used)
    return DevicePage(groups, following, devices, not_found=empty)


async def _list(
    session: Session,
    purpose: Purpose,
    company_ids: tuple[str, ...],
    cursor: int,
    *,
    limit: int,
    fields: tuple[str, ...],
    category: Category,
) -> Answer:
    """Ask in the form that this tenant takes; gives a 2xx or the API's own 404, else raises."""
    quirks = session.quirks
    form = first = first_form(quirks, fields)
    tried = [form]
    while True:
        call = _list_call(form, purpose, company_ids, cursor, limit=limit, category=category)
        answer = await session.send(call)
        if answer.ok or is_json_404(answer):
            remember(quirks, first, form, with_devices=answer.ok)
            return answer
        wording = answer.wording()
        following = next_form(tried, answer.status, wording, companies=len(company_ids), known=quirks.list_known)
        if following == "split":
            quirks.companies_per_call = max(1, len(company_ids) // 2)
            raise TooManyCompanies(
                f"the rmm refused {purpose.said(answer.request_id)} with {answer.status}: {wording}",
                status=answer.status,
                words=str(wording),
                asked=len(company_ids),
            )
        if following is None:
            raise _unreadable_path(answer, purpose)
        tried.append(following)
        form = following


def _unreadable_path(answer: Answer, purpose: Purpose) -> PipelineError:
    if is_unknown_path(answer):
        # Neither method exists, or a 404 that the API did not write: a gateway, not an empty company.
        return RmmAnswerUnreadable(
            f"the rmm answered {answer.status} without a reason of its own to {purpose.said(answer.request_id)}"
        )
    return answer.error(purpose)


def _list_call(
    form: ListForm, purpose: Purpose, company_ids: tuple[str, ...], cursor: int, *, limit: int, category: Category
) -> Call:
    query = [("limit", str(limit))]
    if cursor:
        # A missing cursor means 0 (K12).
        query.append(("cursor", str(cursor)))
    if form.fields:
        query.append(("field", form.fields))
    return Call(
        purpose=purpose,
        method=form.method,
        path=path(*_DEVICE, "v2", "device", "categories", category, "endpoints"),
        query=tuple(query),
        body=msgspec.json.encode({"resourceType": form.word, "resources": company_ids}),
        priority=Priority.LIST,
    )


def _learn_links(session: Session, cursor: int, found: int | None, devices: int) -> None:
    quirks = session.quirks
    if found is not None and quirks.links_used is not True:
        quirks.links_used = True
    elif found is None and cursor > 0 and devices > 0 and quirks.links_used is None:
        # We counted on to this page, no link led here, and it has devices: so this tenant sends no links.
        quirks.links_used = False


async def device_detail(
    session: Session,
    company_id: str,
    site_id: str | None,
    device_id: str,
    *,
    fields: tuple[str, ...],
    priority: Priority,
) -> DeviceDetail:
    """Read one device; the promise stands at RmmClient.device_detail."""
    purpose = Purpose("read_device", session.integration_id, f"device {device_id}", device_id=device_id)
    v1 = Call(purpose, "GET", path(*_DEVICE, "v1", "device", "endpoints", device_id), priority=priority)
    quirks = session.quirks
    if site_id is None or quirks.detail_version == "v1":
        return _detail(await session.must(v1), "v1", purpose, device_id)
    parts = (*_DEVICE, "v2", "device", "companies", company_id, "sites", site_id, "endpoints", device_id)
    query = (("field", ",".join(fields)),) if fields and quirks.detail_fields else ()
    v2 = Call(purpose, "GET", path(*parts), query, priority=priority)
    answer = await session.send(v2)
    if answer.status == HTTPStatus.BAD_REQUEST and query:
        answer = await session.send(Call(purpose, "GET", path(*parts), priority=priority))
        if answer.ok:
            quirks.detail_fields = False
    if not is_unknown_path(answer):
        if not answer.ok:
            raise answer.error(purpose)
        return _detail(answer, "v2", purpose, device_id)
    return await _older_detail(session, v1, answer, device_id)


async def _older_detail(session: Session, v1: Call, refused: Answer, device_id: str) -> DeviceDetail:
    """Ask v1 after a 404 from v2, which may mean the path, the site or the device (API notes 2.5)."""
    answer = await session.send(v1)
    if answer.ok:
        if not is_json_404(refused):
            session.quirks.detail_version = "v1"
        return _detail(answer, "v1", v1.purpose, device_id)
    if is_json_404(refused) and answer.status in {HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED}:
        # Without the right to v1 (another scope) the word of v2 stands.
        raise refused.error(v1.purpose)
    if is_unknown_path(answer) and not is_json_404(answer) and not is_json_404(refused):
        raise _unreadable_path(answer, v1.purpose)
    raise answer.error(v1.purpose)


def _detail(answer: Answer, version: Literal["v2", "v1"], purpose: Purpose, device_id: str) -> DeviceDetail:
    return DeviceDetail(device_id, version, decode(answer, dict[str, object], purpose))
