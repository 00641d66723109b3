"""What a retry sends, and what it says before."""

from typing import Any
from uuid import UUID

from lifecycle.data.redriving import preview, retry_headers

ID = UUID("01a20ddf-7196-7ef9-9e18-460a1a3c0d83")


def a_message(**changes: Any) -> dict[str, Any]:
    return {"queue": "writer.pages", "event_type": "asset.page_normalized", "retried_from": None, **changes}


def test_a_retry_begins_anew_and_names_where_it_came_from() -> None:
    headers = {
        "x-attempt": 4,
        "x-first-failed-at": "2026",
        "x-reason": "no",
        "x-reason-code": "bug",
        "x-next-action": "do",
        "x-traceback": "File",
        "x-parked-id": "older",
        "x-own": 1,
    }
    assert retry_headers(headers, ID) == {"x-own": 1, "x-parked-id": str(ID)}


def test_a_preview_counts_and_warns() -> None:
    messages = [
        a_message(),
        a_message(retried_from=str(ID)),
        a_message(queue="fetcher.pages", event_type="sync.page_due"),
    ]
    assert preview(messages) == [
        "3 messages: 1 to fetcher.pages, 2 to writer.pages",
        "1 of them were retried before and were parked again: look at the reason first",
        "nothing would come of 1 of them: their runs went on without them; sync again instead",
    ]
