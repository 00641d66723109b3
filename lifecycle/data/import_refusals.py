"""What cannot be sent as an edit, such as a cell that is no date, becomes a refused row of the ledger all the same.

So whoever sent the file looks up every row of it in one place, and its refusals are told as those of any other edit.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from lifecycle.data.publishing import SOURCE
from shared.audit import Author
from shared.date_ledger.edits import NewEdit, Refused
from shared.dates.sanity import Refusal
from shared.events.envelope import source_of

NO_FIELD: Final = "none"
"""The ledger's field of a row that names no date."""


def refusal_of(row: asyncpg.Record, event_id: UUID, who: Author, origin: str, now: datetime) -> Refused:
    """The ledger's row of a judged date that does not go out, with its place in the file and its cells as sent."""
    asked: dict[str, Any] = {"line": row["line"], "serial_number": row["serial"]}
    if row["sent"] is not None:
        asked["sent_value"] = row["sent"]
    edit = NewEdit(
        event_source=source_of(SOURCE),
        event_id=str(event_id),
        correlation_id=str(event_id),
        account_id=who.account_id,
        field=row["field"] or NO_FIELD,
        value=row["value"],
        source=origin,
        actor=who.actor,
        edited_at=now,
        asked=asked,
    )
    return Refused(edit, Refusal(row["outcome"], row["reason"], row["next_step"]), row["asset_id"])
