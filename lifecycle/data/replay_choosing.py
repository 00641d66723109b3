"""Which messages of a journal are meant. Pure.

A message is sent as it was published, so a page that has one device of several is sent whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec

from shared.assets.device_ids import find_device_id, normalise_id
from shared.content_encoding import unpack
from shared.errors import BadMessage


@dataclass(frozen=True)
class Wanted:
    """Events of these types, made since `since` and before `until`; only those of one account, integration or device.

    `device_id` is in lower case.
    """

    types: tuple[str, ...]
    since: datetime
    until: datetime
    account_id: UUID | None = None
    integration_id: UUID | None = None
    device_id: str | None = None

    def plain(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {
            "types": list(self.types),
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "account_id": str(self.account_id) if self.account_id else None,
            "integration_id": str(self.integration_id) if self.integration_id else None,
            "device_id": self.device_id,
        }

    @classmethod
    def read(cls, stored: dict[str, Any]) -> "Wanted":
        """What `plain` gave."""
        return cls(
            types=tuple(stored["types"]),
            since=datetime.fromisoformat(stored["since"]),
            until=datetime.fromisoformat(stored["until"]),
            account_id=UUID(stored["account_id"]) if stored["account_id"] else None,
            integration_id=UUID(stored["integration_id"]) if stored["integration_id"] else None,
            device_id=stored["device_id"],
        )


@dataclass(frozen=True)
class Facts:
    """What an event says of itself.

    `asset_id` is that of an edit which names its asset and no device, `observed_seq` the observation number of a page.
    """

    event_id: str
    at: datetime
    account_id: str | None
    integration_id: str | None
    devices: frozenset[str]
    asset_id: UUID | None
    observed_seq: int | None


class Unreadable(Enum):
    """What is no event of ours: nobody can say whether it is meant."""

    UNREADABLE = "unreadable"


UNREADABLE: Final = Unreadable.UNREADABLE


class _Asset(msgspec.Struct):
    id: str | None = None
    integration_id: str | None = None
    device_id: str | None = None


class _Mapped(msgspec.Struct):
    device_id: str | None = None


class _Group(msgspec.Struct):
    endpoints: list[msgspec.Raw] = []


class _Data(msgspec.Struct):
    integration_id: str | None = None
    device_id: str | None = None
    kind: str | None = None
    target: str | None = None
    asset: _Asset | None = None
    assets: list[_Mapped] = []
    groups: list[_Group] = []
    observed_seq: int | None = None


class _Event(msgspec.Struct):
    id: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    data: _Data
    accountid: str | None = None


_DECODER: Final = msgspec.json.Decoder(_Event)


def facts_of(body: bytes, encoding: str | None) -> Facts | None:
    """What a message of ours says; None for what is no event, which nobody can choose by its time."""
    try:
        event = _DECODER.decode(unpack(body, encoding))
    except (BadMessage, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    data, asset = event.data, event.data.asset or _Asset()
    return Facts(
        event.id,
        event.time,
        normalise_id(event.accountid),
        normalise_id(data.integration_id or asset.integration_id),
        frozenset(_devices(data, asset)),
        _uuid(asset.id),
        data.observed_seq,
    )


def is_wanted(wanted: Wanted, event_type: str, facts: Facts) -> bool | None:
    """Whether an event is meant; None where that depends on whose the asset is that it names."""
    if event_type not in wanted.types or not wanted.since <= facts.at < wanted.until:
        return False
    if wanted.account_id and facts.account_id != str(wanted.account_id):
        return False
    if not wanted.integration_id and not wanted.device_id:
        return True
    if facts.asset_id and not facts.integration_id:
        return None
    if wanted.integration_id and facts.integration_id != str(wanted.integration_id):
        return False
    return not wanted.device_id or wanted.device_id in facts.devices


def _devices(data: _Data, asset: _Asset) -> Iterator[str]:
    named: Iterable[str | None] = (
        data.device_id,
        asset.device_id,
        data.target if data.kind == "device" else None,
        *(each.device_id for each in data.assets),
        *(find_device_id(endpoint) for group in data.groups for endpoint in group.endpoints),
    )
    yield from (found for each in named if (found := normalise_id(each)))


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
