"""What a dead message says of itself: read leniently, because what ends dead may be anything."""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast
from uuid import UUID

from shared import headers as names

CRASH_LIMIT = "crash_limit"

# Postgres takes neither in a text, and a dead message that can't be stored would come back for ever.
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class DeadMessage:
    """A message from the dead queue, with what could be read of it: every member fits into its column."""

    queue: str
    # Which message it is in its queue: a foreign publisher may give several one id, or none.
    key: str
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

    def number_of(self, name: str, bits: int = 31) -> int | None:
        """A whole number of the data that fits into `bits`, or None."""
        value = self.data.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return value if 0 <= value < 1 << bits else None

    @property
    def reason_code(self) -> str:
        """Why it is dead; the broker alone sends what reached the delivery limit."""
        return self._said(names.REASON_CODE) or CRASH_LIMIT

    @property
    def reason(self) -> str:
        """Why it is dead, in words."""
        return self._said(names.REASON) or "its consumer died or lost its connection each time it had the message"

    @property
    def next_action(self) -> str:
        """What a person can do."""
        return self._said(names.NEXT_ACTION) or "look at the service's log for what ended it, then retry the message"

    @property
    def traceback(self) -> str | None:
        """The frames of a bug, where it was one."""
        return self._said(names.TRACEBACK)

    @property
    def first_failed_at(self) -> datetime | None:
        """When it failed first, where that was said."""
        value = self.headers.get(names.FIRST_FAILED_AT)
        try:
            at = datetime.fromisoformat(value) if isinstance(value, str) else None
            return at.astimezone(UTC) if at and at.tzinfo else None
        except (ValueError, OverflowError):
            return None

    @property
    def attempts(self) -> int:
        """How often it was tried, at least once."""
        value = self.headers.get(names.ATTEMPT)
        return int(value) if isinstance(value, int) and 0 < value < 1 << 31 else 1

    @property
    def headers_json(self) -> str:
        """The headers as JSON that Postgres takes."""
        try:
            return json.dumps(_plain(self.headers))
        except RecursionError:
            return "{}"

    def _said(self, header: str) -> str | None:
        value = self.headers.get(header)
        return _storable(str(value)) if value else None


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
        queue=_storable(routing_key),
        key=_key(message_id, body),
        body=body,
        content_type=_text(content_type),
        headers=headers,
        correlation_id=_text(envelope.get("correlationid")) or _text(correlation_id),
        event_type=_text(envelope.get("type")),
        event_id=_text(envelope.get("id")),
        account_id=as_uuid(envelope.get("accountid")),
        data=cast("dict[str, Any]", data) if isinstance(data, dict) else {},
    )


def _key(message_id: str | None, body: bytes) -> str:
    """The same id with the same body, and the same body without an id, is the same message delivered again."""
    digest = hashlib.sha256(body).hexdigest()
    return _storable(f"{message_id}#{digest}") if message_id else digest


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return _storable(value[:200]) if isinstance(value, str) else None


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _plain(value: Any) -> Any:
    """A header's value as JSON knows it; times, bytes and what is no number become text."""
    if isinstance(value, dict):
        return {_storable(str(key)): _plain(each) for key, each in cast("dict[object, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[Any]", value)]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return _storable(repr(value) if isinstance(value, bytes) else str(value))


def as_uuid(value: Any) -> UUID | None:
    """A UUID from foreign JSON, or None."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
