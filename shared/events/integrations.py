"""Events of an integration's life. None carries a secret: services read credentials from the store."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import EventData


class IntegrationCreated(EventData):
    """An integration was saved; its first full sync is the run named here."""

    event_type: ClassVar[str] = "integration.created"
    integration_id: UUID = Field(description="the new integration")
    run_id: UUID | None = Field(default=None, description="the first full sync, already queued in the store")


class IntegrationEnabled(EventData):
    """A disabled or removed integration is on again; a catch-up sync follows."""

    event_type: ClassVar[str] = "integration.enabled"
    integration_id: UUID


class IntegrationDisabled(EventData):
    """Nothing is fetched or written until it is enabled again; all data stays."""

    event_type: ClassVar[str] = "integration.disabled"
    integration_id: UUID


class IntegrationRemoved(EventData):
    """Nothing is fetched or written any more; told again when its links, observations and credentials have gone."""

    event_type: ClassVar[str] = "integration.removed"
    integration_id: UUID
    forget_at: AwareDatetime | None = Field(
        default=None, description="until then its data stays, and it can be restored; null: its data has gone"
    )


class CredentialsReplaced(EventData):
    """A pair of credentials was stored, or the stored one has new rights; it is tried before anything else is done."""

    event_type: ClassVar[str] = "integration.credentials_replaced"
    integration_id: UUID
    credentials_version: int = Field(description="counts the pairs that this integration has had")


class IntegrationPaused(EventData):
    """This integration alone stands still, with the reason and what to do."""

    event_type: ClassVar[str] = "integration.paused"
    integration_id: UUID
    reason_code: str
    reason: str
    next_action: str


class IntegrationResumed(EventData):
    """A paused integration works again; a catch-up sync follows."""

    event_type: ClassVar[str] = "integration.resumed"
    integration_id: UUID


class ProbeDue(EventData):
    """Try the stored credentials of an integration, without reading devices."""

    event_type: ClassVar[str] = "integration.probe_due"
    integration_id: UUID
    probe_id: UUID | None = Field(default=None, description="a preflight that somebody waits for")
    create_definitions: bool = Field(
        default=False, description="whether that preflight may create the custom fields of the two dates"
    )
