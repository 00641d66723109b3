"""What can go wrong on our own side: store, broker, messages, secrets."""

from uuid import UUID

from shared.errors.branches import Paused, Permanent, Transient


class StoreUnavailable(Transient):
    """Postgres cannot be used now: connection refused or lost, failover, timeout."""

    code = "store_unavailable"
    next_action = "check Postgres"
    counts_as_attempt = False


class StoreConflict(Transient):
    """Postgres asks to run the transaction again: deadlock, serialization failure, lock timeout."""

    code = "store_conflict"
    next_action = "nothing; if it lasts, look for long transactions in Postgres"


class BrokerUnavailable(Transient):
    """RabbitMQ cannot be used now: connection lost, a publish not confirmed, blocked by an alarm."""

    code = "broker_unavailable"
    next_action = "check RabbitMQ"
    counts_as_attempt = False


class HandlerTooSlow(Transient):
    """A handler ran into its own deadline and was cancelled."""

    code = "handler_too_slow"
    next_action = "nothing; if it lasts, look at what the handler waits for"

    def __init__(self, seconds: float) -> None:
        """`seconds` is the deadline."""
        super().__init__(f"the handler was not done within {seconds:g} s")


class CredentialsOutdated(Transient):
    """What was said of credentials that were replaced meanwhile: nothing about the ones that count now."""

    code = "credentials_outdated"
    next_action = "nothing; it is tried again with the new credentials"
    counts_as_attempt = False


class SecretUnreadable(Paused):
    """A sealed secret of this integration does not open: unknown key, damaged text, or moved from another row."""

    code = "secret_unreadable"
    next_action = "give the service the private key that sealed it, or enter the credentials again"


class BadMessage(Permanent):
    """The body is not what its type says: not JSON, a member missing, a value out of range."""

    code = "bad_message"
    next_action = "correct the publisher; discard this message"


class UnknownEventVersion(Permanent):
    """The event is of a type or version that this build does not know."""

    code = "unknown_event_version"
    next_action = "upgrade this service, then re-drive"

    def __init__(self, event_type: str, found: object, known: int | str) -> None:
        """`found` is the version in the event, `known` the newest that this build reads."""
        super().__init__(f"{event_type[:80]} has version {str(found)[:20]}, this build reads up to {known}")


class UnknownIntegration(Permanent):
    """No such integration, or it was removed."""

    code = "unknown_integration"
    next_action = "discard it, or add the integration again"

    def __init__(self, integration_id: UUID, message: str | None = None) -> None:
        """`integration_id` is the one that was asked for."""
        super().__init__(message or f"integration {integration_id} is not known")
        self.integration_id = integration_id


class MessageTooLarge(Permanent):
    """An event's body is over what our publisher takes; its maker should have split it."""

    code = "message_too_large"
    next_action = "report it with the event type; this is a fault in lifecycle-sync"

    def __init__(self, routing_key: str, size_bytes: int, limit_bytes: int) -> None:
        """`routing_key` is the event type; both sizes are of the body."""
        super().__init__(f"{routing_key} has a body of {size_bytes} bytes, over the limit of {limit_bytes}")
        self.size_bytes = size_bytes
