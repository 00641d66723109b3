"""The events of write-back: a date is there, or it is not, with the reason."""

from datetime import date
from typing import Any

import asyncpg

from services.writeback.edits import SOURCE
from shared.dates.sanity import Refusal
from shared.events.dates import DateWriteBackFailed, DateWrittenBack
from shared.events.envelope import Event, new_event


def written_event(row: asyncpg.Record, before: date | None, *, written: bool) -> Event[Any]:
    """A date stands in the RMM as we want it. `row` is of date_pushes, with the edit's event."""
    data = DateWrittenBack(
        account_id=row["account_id"],
        integration_id=row["integration_id"],
        device_id=row["device_id"],
        asset_id=row["asset_id"],
        field=row["field"],
        value=row["wanted"],
        before=before,
        written=written,
        edit_id=row["edit_id"],
        edit_event_id=row["edit_event_id"],
        edit_source=row["edit_source"],
    )
    return _event(data, row)


def failed_event(row: asyncpg.Record, why: Refusal) -> Event[Any]:
    """A date could not be brought into the RMM. `row` is of date_pushes, with the edit's event."""
    data = DateWriteBackFailed(
        account_id=row["account_id"],
        status="failed",
        reason_code=why.code,
        reason=why.reason,
        next_action=why.next_action,
        asset_id=row["asset_id"],
        integration_id=row["integration_id"],
        device_id=row["device_id"],
        field=row["field"],
        value=row["wanted"],
        edit_id=row["edit_id"],
        edit_event_id=row["edit_event_id"],
        edit_source=row["edit_source"],
    )
    return _event(data, row)


def _event(data: DateWrittenBack | DateWriteBackFailed, row: asyncpg.Record) -> Event[Any]:
    return new_event(
        data,
        source=SOURCE,
        account_id=row["account_id"],
        subject=f"assets/{row['asset_id']}",
        correlation_id=row["correlation_id"],
    )
