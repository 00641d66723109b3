"""Events of the journal itself."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import EventData


class ReplayStarted(EventData):
    """Somebody reads a journal, to look or to send it again. It stands in every journal and ends what is read."""

    event_type: ClassVar[str] = "replay.started"
    replay_id: UUID = Field(description="a replay that goes on has its own again")
    queue: str = Field(description="queue that the events are for")
    since: AwareDatetime = Field(description="earliest time of the events that are meant")
    until: AwareDatetime = Field(description="time before which they were")
    applied: bool = Field(description="whether they are sent; false for a preview")
    actor: str = Field(description="who it is")
