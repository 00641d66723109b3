"""Every error the pipeline raises on purpose, and what each one means for the message in hand.

::

    PipelineError
    ├── Transient    the message is fine, the world is not                → retry later, bounded
    │   ├── RateLimited           the RMM said 429
    │   ├── QuotaExhausted        our own request budget is used up
    │   ├── RmmUnreachable        no answer: refused, DNS, TLS, timeout, connection lost
    │   ├── RmmServerError        the RMM said 5xx
    │   ├── RmmAnswerUnreadable   an answer came and is not what it should be
    │   ├── Locked                the RMM said 423: too many sign-ins
    │   ├── HandlerTooSlow        a handler ran into its own deadline
    │   ├── CredentialsOutdated   the key was replaced while the old one was in use
    │   ├── StoreConflict         Postgres asks to run the transaction again
    │   ├── StoreUnavailable      Postgres
    │   └── BrokerUnavailable     RabbitMQ
    ├── Paused       the integration cannot be used now                   → keep, resume by itself
    │   ├── CredentialsRejected   the key is wrong, regenerated or revoked
    │   ├── ScopeMissing          the key may not read what we need
    │   ├── WriteForbidden        the key may not write; only writing pauses
    │   ├── IntegrationInactive   disabled, or already paused
    │   └── SecretUnreadable      the stored secret does not open with our keys
    └── Permanent    the message or the request is wrong                  → park with the reason
        ├── BadMessage            the body is not what its type says
        ├── UnknownEventVersion   a version this build does not know
        ├── MessageTooLarge       an event over what our publisher takes
        ├── UnknownIntegration    no such integration, or it was removed
        ├── RmmRefused            400, 409, 412, 422 and the like, with the status
        ├── DeviceGone            the RMM no longer has the device
        └── CursorLoop            paging does not advance

Anything else is a bug: never caught, logged once with its traceback, parked, alerted on.

Messages are lower case, without a full stop, with identifiers; never a secret, never a whole payload. Each error has
``code``, a stable snake_case reason for tables and metrics, and ``next_action``, what a person should do, in words.
"""

from shared.errors.branches import Paused, Pauses, Permanent, PipelineError, Transient
from shared.errors.own import (
    BadMessage,
    BrokerUnavailable,
    CredentialsOutdated,
    HandlerTooSlow,
    MessageTooLarge,
    SecretUnreadable,
    StoreConflict,
    StoreUnavailable,
    UnknownEventVersion,
    UnknownIntegration,
)
from shared.errors.rmm import (
    CredentialsRejected,
    CursorLoop,
    DeviceGone,
    IntegrationInactive,
    Locked,
    QuotaExhausted,
    RateLimited,
    RmmAnswerUnreadable,
    RmmRefused,
    RmmServerError,
    RmmUnreachable,
    ScopeMissing,
    WriteForbidden,
)

__all__ = [
    "BadMessage",
    "BrokerUnavailable",
    "CredentialsOutdated",
    "CredentialsRejected",
    "CursorLoop",
    "DeviceGone",
    "HandlerTooSlow",
    "IntegrationInactive",
    "Locked",
    "MessageTooLarge",
    "Paused",
    "Pauses",
    "Permanent",
    "PipelineError",
    "QuotaExhausted",
    "RateLimited",
    "RmmAnswerUnreadable",
    "RmmRefused",
    "RmmServerError",
    "RmmUnreachable",
    "ScopeMissing",
    "SecretUnreadable",
    "StoreConflict",
    "StoreUnavailable",
    "Transient",
    "UnknownEventVersion",
    "UnknownIntegration",
    "WriteForbidden",
]
