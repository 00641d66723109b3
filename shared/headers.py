"""The headers that we put on a message: what it has been through, and why it is dead. Pure names."""

from typing import Final

ATTEMPT: Final = "x-attempt"
FIRST_FAILED_AT: Final = "x-first-failed-at"
REASON_CODE: Final = "x-reason-code"
REASON: Final = "x-reason"
NEXT_ACTION: Final = "x-next-action"
TRACEBACK: Final = "x-traceback"
REPLAY: Final = "x-replay-id"
# Republished copies must not carry the broker's own counters: 3.10 would go on counting from them.
BROKER_HEADERS: Final = ("x-death", "x-first-death", "x-last-death", "x-delivery-count", "x-acquired-count")
