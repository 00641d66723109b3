"""The PATCH of native date members of a device, where a tenant has it (API notes 7, row 12: ASSUMED, never seen)."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from shared.rmm.connection import MERGE_PATCH, Answer, Call
from shared.rmm.rates import Priority
from shared.rmm.reading import path
from shared.rmm.refusals import PatchUnsupported, Purpose
from shared.rmm.scopes import ScopeSet
from shared.rmm.session import Session, is_json_404, is_unknown_path

__all__ = ["patch_members"]

Version = Literal["v2", "v1"]


async def patch_members(
    session: Session, company_id: str, site_id: str | None, device_id: str, members: Mapping[str, str | None]
) -> None:
    """Write members of a device; the promise stands at RmmClient.patch_dates."""
    purpose = Purpose("patch_device", session.integration_id, f"device {device_id}", device_id=device_id, writes=True)
    quirks = session.quirks
    answers: list[Answer] = []
    for version, where in _paths(session, company_id, site_id, device_id):
        call = Call(
            purpose,
            "PATCH",
            where,
            body=msgspec.json.encode(dict(members)),
            content_type=MERGE_PATCH,
            priority=Priority.WRITE,
            repeatable=False,
        )
        answer = await session.send(call, ScopeSet.WRITE)
        if answer.ok:
            if quirks.patch_version != version or not quirks.patch_known:
                quirks.patch_version, quirks.patch_known = version, True
            return
        if not is_unknown_path(answer):
            raise answer.error(purpose)
        answers.append(answer)
    if quirks.patch_known and is_json_404(answers[0]):
        raise answers[0].error(purpose)
    wording = answers[0].wording()
    raise PatchUnsupported(
        f"the rmm has no {purpose.said(answers[0].request_id)}: {answers[0].status} {wording}",
        status=answers[0].status,
        words=str(wording),
        # A 405 or 501 tells of the method; where all say 404 in JSON it may be the device.
        definite=not all(is_json_404(answer) for answer in answers),
    )


def _paths(session: Session, company_id: str, site_id: str | None, device_id: str) -> list[tuple[Version, str]]:
    quirks = session.quirks
    v1 = path("api", "platform", "v1", "device", "endpoints", device_id)
    if site_id is None:
        return [("v1", v1)]
    parts = ("api", "platform", "v2", "device", "companies", company_id, "sites", site_id, "endpoints", device_id)
    paths: list[tuple[Version, str]] = [("v2", path(*parts)), ("v1", v1)]
    if quirks.patch_known:
        return [found for found in paths if found[0] == quirks.patch_version]
    return paths
