"""The events: CloudEvents 1.0 in structured JSON, one module for each subject."""

from shared.events.dates import AssetDatesChanged, DateEdited, DateWriteBackFailed, DateWrittenBack, PushDue
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
from shared.events.replays import ReplayStarted
from shared.events.syncs import AssetsChanged, DetailDue, PageDue, SyncCompleted, SyncFailed, SyncRequested

__all__ = [
    "AssetDatesChanged",
    "AssetsChanged",
    "CredentialsReplaced",
    "DateEdited",
    "DateWriteBackFailed",
    "DateWrittenBack",
    "DetailDue",
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
    "PushDue",
    "ReplayStarted",
    "SyncCompleted",
    "SyncFailed",
    "SyncRequested",
    "new_event",
    "parse_event",
]
