"""The events: CloudEvents 1.0 in structured JSON, one module for each subject."""

from shared.events.envelope import Event, EventData, new_event, parse_event
from shared.events.integrations import (
    CredentialsReplaced,
    IntegrationCreated,
    IntegrationDisabled,
    IntegrationEnabled,
    IntegrationPaused,
    IntegrationRemoved,
    IntegrationResumed,
    ProbeDue,
)
from shared.events.syncs import AssetsChanged, PageDue, SyncCompleted, SyncFailed, SyncRequested

__all__ = [
    "AssetsChanged",
    "CredentialsReplaced",
    "Event",
    "EventData",
    "IntegrationCreated",
    "IntegrationDisabled",
    "IntegrationEnabled",
    "IntegrationPaused",
    "IntegrationRemoved",
    "IntegrationResumed",
    "PageDue",
    "ProbeDue",
    "SyncCompleted",
    "SyncFailed",
    "SyncRequested",
    "new_event",
    "parse_event",
]
