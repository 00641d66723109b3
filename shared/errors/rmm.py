"""What can go wrong with the vendor's API, as our errors; how each looks there is in the API notes, section 4."""

from datetime import timedelta
from uuid import UUID

from shared.errors.branches import Paused, Pauses, Permanent, Transient


class RateLimited(Transient):
    """The RMM said 429; `retry_after` is its wish where it had one (API notes 4, rate limit).

    Not an attempt: a foreign tool on the same key may use up the quota for hours, which is no fault of the message.
    """

    code = "rate_limited"
    next_action = "nothing; if it lasts, look for another tool that uses the same key"
    counts_as_attempt = False


class QuotaExhausted(Transient):
    """Our own budget of requests is used up for `wait`; no request was sent, so it is not an attempt."""

    code = "quota_exhausted"
    next_action = "nothing; the budget refills by itself"
    counts_as_attempt = False
    # A budget always refills, so giving up after an hour of a long first sync would lose work for nothing.
    bounded_by_age = False

    def __init__(self, wait: timedelta, message: str | None = None) -> None:
        """`wait` is how long until the budget can give this request; also kept as `retry_after`."""
        words = message or f"the request budget is used up for {wait.total_seconds():.1f} s"
        super().__init__(words, retry_after=wait)
        self.wait = wait


class RmmUnreachable(Transient):
    """No answer: connection refused or lost, DNS, TLS, a timeout. Not an attempt, bounded by age."""

    code = "rmm_unreachable"
    next_action = "check the network, the proxy and the base URL; the vendor may be down"
    counts_as_attempt = False


class RmmServerError(Transient):
    """The RMM answered 5xx, or 408; `status` says which."""

    code = "rmm_server_error"
    next_action = "nothing; if it lasts, look at the vendor's status page"

    def __init__(self, message: str, *, status: int, retry_after: timedelta | None = None) -> None:
        """`status` is the HTTP status."""
        super().__init__(message, retry_after=retry_after)
        self.status = status


class RmmAnswerUnreadable(Transient):
    """An answer came and cannot be used: HTML, cut-off JSON, a wrong shape, a body over the cap, a redirect."""

    code = "rmm_answer_unreadable"
    next_action = "check what stands between us and the RMM (proxy, sign-in page); else report the shape"


class Locked(Transient):
    """The RMM said 423: too many sign-ins, or an unexpired token exists. Wait minutes (API notes 1, token)."""

    code = "rmm_locked"
    next_action = "wait; if it lasts, look for another tool that signs in with the same key"
    counts_as_attempt = False


class CredentialsRejected(Paused):
    """The RMM does not take the key: wrong, regenerated, revoked, or of another region."""

    code = "credentials_rejected"
    next_action = "make a new key in the RMM and enter its client id and secret; check the region"


class ScopeMissing(Paused):
    """The key lacks a right to read; `missing` names scopes where the RMM told which, else it is empty."""

    code = "scope_missing"
    next_action = "make a key with the missing scopes ticked; scopes cannot be added to a key later"

    def __init__(
        self,
        message: str,
        *,
        integration_id: UUID,
        missing: tuple[str, ...] = (),
        pauses: Pauses | None = None,
    ) -> None:
        """`missing` holds scope words such as `platform.devices.read`."""
        super().__init__(message, integration_id=integration_id, pauses=pauses)
        self.missing = missing


class WriteForbidden(Paused):
    """The RMM said 403 to a write: writing pauses, reading goes on."""

    code = "write_forbidden"
    next_action = "make a key with the write scopes ticked; reading goes on meanwhile"
    pauses = "writing"


class IntegrationInactive(Paused):
    """The integration is disabled or already paused; nothing may be fetched or written."""

    code = "integration_inactive"
    next_action = "enable the integration, or solve what paused it"


class RmmRefused(Permanent):
    """The RMM refused the request itself: 400, 409, 412, 422, 405, 501; `status` says which, `words` its reason.

    `words` is one clipped line of the RMM's own text, safe to show and to log.
    """

    code = "rmm_refused"
    next_action = "read the RMM's reason; correct the value or the setting that it names"

    def __init__(self, message: str, *, status: int, words: str = "", reason_code: str | None = None) -> None:
        """`status` is the HTTP status."""
        super().__init__(message, reason_code=reason_code)
        self.status = status
        self.words = words


class DeviceGone(Permanent):
    """The RMM answered 404 for a device that we knew (an id of the RMM, not ours)."""

    code = "device_gone"
    next_action = "nothing; the next full sync settles whether the device is gone"

    def __init__(self, message: str, *, device_id: str) -> None:
        """`device_id` is the RMM's endpoint id."""
        super().__init__(message)
        self.device_id = device_id


class CursorLoop(Permanent):
    """The next page's cursor does not lie beyond the current one: going on would never end (API notes 2.4)."""

    code = "cursor_loop"
    next_action = "start a new sync; if it happens again, report it to the vendor"
