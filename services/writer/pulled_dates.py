"""The dates that a chunk brings: not columns to write, but what one source says, for the date rules to weigh. Pure."""

from collections.abc import Iterable
from datetime import date
from typing import Final

import msgspec

from services.writer.rows import Row
from shared.date_ledger.remote import Pulled
from shared.dates.calendar import PURCHASE, WARRANTY, DateField

# Most devices bring none, and looking at bytes is a hundred times cheaper than decoding them.
_MARK: Final = b'_date":'


class _Dates(msgspec.Struct):
    purchase_date: date | None = None
    warranty_expiration_date: date | None = None


_decode = msgspec.json.Decoder(_Dates).decode


def pulled_dates(rows: Iterable[Row], observed_seq: int) -> list[Pulled]:
    """The dates that were sent with these devices; one that was not sent says nothing."""
    found: list[Pulled] = []
    for row in rows:
        asset = bytes(row.sent.asset)
        if _MARK not in asset:
            continue
        dates = _decode(asset)
        sent: dict[DateField, date | None] = {
            PURCHASE: dates.purchase_date,
            WARRANTY: dates.warranty_expiration_date,
        }
        found += [
            Pulled(row.sent.device_id, field, value, observed_seq) for field, value in sent.items() if value is not None
        ]
    return found
