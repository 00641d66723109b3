"""From an answer that is no success to one of our errors (API notes 4 and 7)."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from uuid import UUID

from shared.errors import (
    CredentialsRejected,
    DeviceGone,
    Locked,
    Pauses,
    PipelineError,
    RateLimited,
    RmmAnswerUnreadable,
    RmmRefused,
    RmmServerError,
    ScopeMissing,
    WriteForbidden,
)
from shared.rmm.rates import RateReading
from shared.rmm.wording import Wording

__all__ = ["LOCKED_WAIT", "PatchUnsupported", "Purpose", "TooManyCompanies", "error_from_response"]

LOCKED_WAIT: Final = timedelta(minutes=5)
"""How long to leave a locked key alone where the vendor does not say: minutes, says every client (API notes 1)."""

_NOT_NOW: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.LOCKED, HTTPStatus.REQUEST_TIMEOUT})


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a request was for, as far as its failure needs it.

    `operation` is a stable snake_case name, fit for a metric; `subject` says of what, with ids. `device_id` makes a 404
    a DeviceGone. `writes` makes a 403 a WriteForbidden; `pauses` is what a 403 to a read stops.
    """

    operation: str
    integration_id: UUID
    subject: str = ""
    device_id: str | None = None
    writes: bool = False
    pauses: Pauses = "integration"

    def said(self, request_id: str) -> str:
        """Say for a message what was asked, of whom."""
        of = f" of {self.subject}" if self.subject else ""
        return f"{self.operation}{of} (integration {self.integration_id}, request {request_id or 'none'})"


class TooManyCompanies(RmmRefused):
    """The vendor refused a list of several companies in one call: split it and ask again."""

    def __init__(self, message: str, *, status: int, words: str, asked: int) -> None:
        """`asked` is how many companies the call named."""
        super().__init__(message, status=status, words=words, reason_code="too_many_companies")
        self.asked = asked


class PatchUnsupported(RmmRefused):
    """The vendor has no PATCH of the device resource; custom fields are the way (API notes 3, row 12 of 7).

    `definite` is False where every path answered a JSON 404, which may mean the device as well.
    """

    def __init__(self, message: str, *, status: int, words: str, definite: bool) -> None:
        """`status` is the first path's."""
        super().__init__(message, status=status, words=words, reason_code="patch_unsupported")
        self.definite = definite


def error_from_response(
    status: int,
    wording: Wording,
    purpose: Purpose,
    *,
    reading: RateReading | None = None,
    request_id: str = "",
) -> PipelineError:
    """Make the error for an answer whose status is not a success; the caller raises it.

    A 401 is taken as final: minting anew and repeating comes before. An HTML page is never taken for the vendor's word:
    a proxy's 403 must not pause an integration.
    """
    wait = reading.wait if reading else None
    said = purpose.said(request_id)
    if status in _NOT_NOW or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED):
        return _not_now(status, wording, said, wait)
    if _is_strangers(status, wording):
        return RmmAnswerUnreadable(f"the rmm answered {status} with {_kind(status, wording)} to {said}")
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _no_right(status, wording, purpose, said)
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE} and purpose.device_id is not None:
        return DeviceGone(f"the rmm has no device {purpose.device_id} for {said}", device_id=purpose.device_id)
    return RmmRefused(f"the rmm refused {said} with {status}: {wording}", status=status, words=str(wording))


def _is_strangers(status: int, wording: Wording) -> bool:
    """Tell whether something between us and the API answered: a page, a redirect, a proxy, a 404 in mere text."""
    if wording.is_html or status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return True
    return status == HTTPStatus.NOT_FOUND and bool(wording.text) and not wording.is_json_error


def _not_now(status: int, wording: Wording, said: str, wait: timedelta | None) -> PipelineError:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(f"the rmm limits the rate of {said}", retry_after=wait)
    if status == HTTPStatus.LOCKED:
        return Locked(f"the rmm has locked the key during {said}: {wording}", retry_after=wait or LOCKED_WAIT)
    return RmmServerError(f"the rmm answered {status} to {said}: {wording}", status=status, retry_after=wait)


def _no_right(status: int, wording: Wording, purpose: Purpose, said: str) -> PipelineError:
    integration_id = purpose.integration_id
    if status == HTTPStatus.UNAUTHORIZED:
        return CredentialsRejected(f"the rmm rejects the key for {said}: {wording}", integration_id=integration_id)
    if purpose.writes:
        return WriteForbidden(f"the key may not write: {said}: {wording}", integration_id=integration_id)
    return ScopeMissing(
        f"the key has no right for {said}: {wording}", integration_id=integration_id, pauses=purpose.pauses
    )


def _kind(status: int, wording: Wording) -> str:
    if wording.is_html:
        return "an HTML page"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "a redirect, which is not followed"
    return "nothing that the API knows"
