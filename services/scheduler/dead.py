"""What a dead message says of itself: read leniently, because what ends dead may be anything."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from shared import headers as names

CRASH_LIMIT = "crash_limit"


@dataclass(frozen=True)
class DeadMessage:
    """A message from the dead queue, with what could be read of it."""

    queue: str
    message_id: str
    body: bytes
    content_type: str | None
    headers: dict[str, Any]
    correlation_id: str | None
    event_type: str | None
    event_id: str | None
    account_id: UUID | None
    data: dict[str, Any]

    def id_of(self, name: str) -> UUID | None:
        """A UUID member of the data, or None."""
        return as_uuid(self.data.get(name))

    @property
    def reason_code(self) -> str:
        """Why it is dead; the broker alone sends what reached the delivery limit."""
        return str(self.headers.get(names.REASON_CODE) or CRASH_LIMIT)

    @property
    def reason(self) -> str:
        """Why it is dead, in words."""
        return str(
            self.headers.get(names.REASON) or "its consumer died or lost its connection each time it had the message"
        )

    @property
    def next_action(self) -> str:
        """What a person can do."""
        return str(
            self.headers.get(names.NEXT_ACTION) or "look at the service's log for what ended it, then retry the message"
        )

    @property
    def first_failed_at(self) -> datetime | None:
        """When it failed first, where that was said."""
        value = self.headers.get(names.FIRST_FAILED_AT)
        try:
            return datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            return None

    @property
    def attempts(self) -> int:
        """How often it was tried, at least once."""
        value = self.headers.get(names.ATTEMPT)
        return value if isinstance(value, int) and value > 0 else 1


def read_dead(
    *,
    routing_key: str,
    body: bytes,
    headers: dict[str, Any],
    content_type: str | None,
    message_id: str | None,
    correlation_id: str | None,
) -> DeadMessage:
    """Read what can be read; never raises."""
    envelope = _object(body)
    data = envelope.get("data")
    return DeadMessage(
        queue=routing_key,
        # A foreign publisher may have given none: the same body in the same queue is then the same message.
        message_id=message_id or hashlib.sha256(body).hexdigest(),
        body=body,
        content_type=content_type,
        headers=headers,
        correlation_id=_text(envelope.get("correlationid")) or correlation_id,
        event_type=_text(envelope.get("type")),
        event_id=_text(envelope.get("id")),
        account_id=as_uuid(envelope.get("accountid")),
        data=cast("dict[str, Any]", data) if isinstance(data, dict) else {},
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) else None


def as_uuid(value: Any) -> UUID | None:
    """A UUID from foreign JSON, or None."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
