"""The root of our errors and its three branches; each branch is a verdict over the message in hand."""

from datetime import timedelta
from typing import Literal
from uuid import UUID

Pauses = Literal["integration", "writing", "dates"]
"""What a pause stops: all of the integration, only writes to the RMM, or only the reading and writing of dates."""


class PipelineError(Exception):
    """The root: raised on purpose, with a stable `code` and a `next_action` in words."""

    code: str = "pipeline_error"
    next_action: str = "read the message; the log has the context"

    def __init__(self, message: str, *, code: str | None = None, next_action: str | None = None) -> None:
        """Keep the class's `code` and `next_action` unless this case has better ones."""
        super().__init__(message)
        if code is not None:
            self.code = code
        if next_action is not None:
            self.next_action = next_action


class Transient(PipelineError):  # noqa: N818 - names the kind of trouble; the house tree has it so
    """The message is fine, the world is not: retry later, bounded by tries and by age.

    `retry_after` is the wait that the other side asked for, None where it asked for none. `counts_as_attempt` is False
    where the message itself was never tried; `bounded_by_age` is False where even its age does not end it.
    """

    code = "transient"
    next_action = "nothing; it is retried by itself"
    counts_as_attempt: bool = True
    bounded_by_age: bool = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta | None = None,
        counts_as_attempt: bool | None = None,
        code: str | None = None,
        next_action: str | None = None,
    ) -> None:
        """`counts_as_attempt` None keeps what the class says."""
        super().__init__(message, code=code, next_action=next_action)
        self.retry_after = retry_after
        if counts_as_attempt is not None:
            self.counts_as_attempt = counts_as_attempt


class Paused(PipelineError):  # noqa: N818 - names the kind of trouble; the house tree has it so
    """The integration cannot be used now: the message is kept and goes on by itself once the cause is gone.

    `pauses` tells how much stops.
    """

    code = "paused"
    next_action = "open the integration; it says what is missing"
    pauses: Pauses = "integration"

    def __init__(
        self,
        message: str,
        *,
        integration_id: UUID,
        reason_code: str | None = None,
        next_action: str | None = None,
        pauses: Pauses | None = None,
    ) -> None:
        """`reason_code` and `pauses` None keep what the class says."""
        super().__init__(message, code=reason_code, next_action=next_action)
        self.integration_id = integration_id
        self.credentials_version: int | None = None
        """Which of its credentials were in use, where that is known: said by whoever opened the line with them."""
        if pauses is not None:
            self.pauses = pauses

    @property
    def reason_code(self) -> str:
        """The same as `code`: the reason that is stored with the integration."""
        return self.code


class Permanent(PipelineError):  # noqa: N818 - names the kind of trouble; the house tree has it so
    """The message or the request is wrong: a retry cannot help, so it is parked with the reason."""

    code = "permanent"
    next_action = "read the reason; correct and re-drive it, or discard it"

    def __init__(self, message: str, *, reason_code: str | None = None, next_action: str | None = None) -> None:
        """`reason_code` None keeps what the class says."""
        super().__init__(message, code=reason_code, next_action=next_action)

    @property
    def reason_code(self) -> str:
        """The same as `code`: the reason that is stored with the parked message."""
        return self.code
