"""The two bulk events, device.page_fetched and asset.page_normalized, read and written by msgspec.

A chunk has hundreds of devices, and pydantic would cost four to five times as much as anything else on the way, so
these bodies are structs; `bulk_contract.py` publishes the same shapes as pydantic models, and a contract test holds
both to the same recorded JSON. Devices and assets stay the bytes they came in (`msgspec.Raw`, a view that keeps the
whole body alive): whoever needs one decodes it, everybody else hands it on.

Unknown members are ignored, as in every event. Ids are text here; nothing checks that they are UUIDs.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar
from uuid import UUID, uuid4

import msgspec
from msgspec.structs import replace

from shared.assets.device_ids import find_device_id
from shared.errors import BadMessage, UnknownEventVersion


class BulkData(Protocol):
    """The data of a bulk event type."""

    event_type: ClassVar[str]
    version: ClassVar[int]


MAX_CHUNK_BYTES: Final = 1280 * 1024
"""The most bytes of devices in one message, overhead counted: a full page of 500 usual devices is one message."""

MAX_DEVICE_BYTES: Final = 768 * 1024
"""The largest device that a message can carry, with room for the header, the names of sites and the mapped asset."""

DEVICE_OVERHEAD_BYTES: Final = 512
"""What each device counts beyond its own bytes.

A mapped asset says again most of what its device says, and less than a kilobyte of its own: so a chunk of devices
within the cap is a chunk of assets within twice the cap, which our publisher still takes.
"""

T = TypeVar("T")
D = TypeVar("D", bound=BulkData)


class Bulk(msgspec.Struct, Generic[T], frozen=True, kw_only=True, omit_defaults=True):
    """One bulk event: the CloudEvents envelope of `shared.events.envelope`, with `data` as a struct or as raw JSON."""

    # Required although it has one value: omit_defaults would leave a default out, and CloudEvents asks for it.
    specversion: str
    id: str
    source: str
    type: str
    time: str
    data: T
    subject: str | None = None
    datacontenttype: str | None = None
    dataversion: int = 1
    correlationid: str | None = None
    causationid: str | None = None
    accountid: str | None = None

    @property
    def correlation_id(self) -> str:
        """The correlation id; an event that began a story is its own."""
        return self.correlationid or self.id


class PageHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a chunk says of the page and the run it belongs to; both bulk events carry the same."""

    run_id: str
    integration_id: str
    account_id: str
    scope_id: str
    fetch_id: str
    page_no: int
    chunk_no: int
    chunk_count: int
    observed_seq: int
    fetched_at: str


class OversizedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is too large for a message: only that it was there, with its id where one was found."""

    size_bytes: int
    device_id: str | None = None


class DeviceGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Devices of one company, site and category. `endpoints` are the vendor's JSON of one device each."""

    category: str
    endpoints: list[msgspec.Raw]
    company_id: str | None = None
    company_name: str | None = None
    site_id: str | None = None
    oversized: list[OversizedDevice] = []


class DevicePageFetched(PageHeader, frozen=True, kw_only=True):
    """One chunk of a page of devices, as the vendor sent them. `sites` names the sites by id in lower case."""

    event_type: ClassVar[str] = "device.page_fetched"
    version: ClassVar[int] = 1

    groups: list[DeviceGroup]
    sites: dict[str, str | None] = {}


class NormalizedAsset(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One device as a canonical asset.

    `device_id` is in lower case. `content_hash` (32 hex characters) is the same exactly while nothing but moving
    stamps changed. `serial_key` and `mac_key` are what identity may be matched by, None where nothing can be trusted.
    `asset` is a JSON object of canonical columns (`shared.assets.canonical`); a column that is not there was not sent.
    `vendor` is the vendor's JSON, byte for byte.
    """

    device_id: str
    content_hash: str
    serial_key: str | None
    mac_key: str | None
    asset: msgspec.Raw
    vendor: msgspec.Raw


NO_VENDOR: Final = msgspec.Raw(b"")
"""Nothing at all: false, and left out of the JSON. (A raw member cannot be None as well.)"""


class Reject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One device that could not be mapped. `vendor` is what was sent, empty (false) where it is too large to carry."""

    reason_code: str
    detail: str
    device_id: str | None = None
    vendor: msgspec.Raw = NO_VENDOR


class AssetPageNormalized(PageHeader, frozen=True, kw_only=True):
    """One chunk of a page as canonical assets, and the rejects among its devices."""

    event_type: ClassVar[str] = "asset.page_normalized"
    version: ClassVar[int] = 1

    assets: list[NormalizedAsset]
    rejects: list[Reject] = []


def new_bulk(
    data: D,
    *,
    source: str,
    account_id: UUID | str,
    subject: str | None = None,
    cause: Bulk[DevicePageFetched] | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
) -> Bulk[D]:
    """Wrap `data` in its envelope; `cause`, or the two ids of an event of another kind, carry the story on."""
    own_id = str(uuid4())
    return Bulk(
        specversion="1.0",
        id=own_id,
        source=f"/lifecycle/{source}",
        type=data.event_type,
        subject=subject,
        time=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        datacontenttype="application/json",
        dataversion=data.version,
        correlationid=correlation_id or (cause.correlation_id if cause else own_id),
        causationid=causation_id or (cause.id if cause else None),
        accountid=str(account_id),
        data=data,
    )


_ENCODER: Final = msgspec.json.Encoder()


def encode_bulk(event: Bulk[D]) -> bytes:
    """Return the body of a message; raw parts go in as they are."""
    return _ENCODER.encode(event)


_PEEK: Final = msgspec.json.Decoder(Bulk[msgspec.Raw])


def peek_bulk(body: bytes) -> Bulk[msgspec.Raw]:
    """Read the envelope alone, with `data` left raw. Raises BadMessage where it is no envelope."""
    try:
        return _PEEK.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"not an event: {_where(error)}") from None


@cache
def _decoder(data_type: type[BulkData]) -> msgspec.json.Decoder[Bulk[Any]]:
    return msgspec.json.Decoder(Bulk[data_type])  # type: ignore[valid-type]


def parse_bulk(body: bytes, data_type: type[D]) -> Bulk[D]:
    """Read one bulk event of `data_type` from a message body.

    Raises BadMessage for anything that is not such an event, and UnknownEventVersion for another version of it.
    """
    try:
        event: Bulk[D] = _decoder(data_type).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        # Another version or type may have another shape: say so instead of naming a member that is missing.
        _check(peek_bulk(body), data_type)
        raise BadMessage(f"not a {data_type.event_type} event: {_where(error)}") from None
    _check(event, data_type)
    return event


def _check(event: Bulk[T], data_type: type[BulkData]) -> None:
    if event.specversion != "1.0" or not event.id or not event.source:
        raise BadMessage(f"not a {data_type.event_type} event: not a cloudevents 1.0 envelope")
    if event.type != data_type.event_type:
        raise BadMessage(f"expected a {data_type.event_type} event, the body says type {event.type[:80]!r}")
    if event.dataversion != data_type.version:
        raise UnknownEventVersion(data_type.event_type, event.dataversion, data_type.version)


def _where(error: Exception) -> str:
    """Say what is wrong without the content: msgspec's messages name types, places and byte numbers only."""
    return str(error).lower() if isinstance(error, msgspec.MsgspecError) else type(error).__name__


def split_page(groups: Sequence[DeviceGroup], max_bytes: int = MAX_CHUNK_BYTES) -> list[list[DeviceGroup]]:
    """Cut a page between devices into chunks of at most `max_bytes`, in order and with nothing lost.

    A device above the cap is alone in its chunk; one above MAX_DEVICE_BYTES becomes an entry of `oversized` in its
    group, which the normalizer rejects. Groups without devices are left out, so an empty page has no chunk.
    """
    chunks: list[list[DeviceGroup]] = []
    room = 0
    for group in map(_without_oversized, groups):
        head = len(_ENCODER.encode(replace(group, endpoints=[], oversized=[])))
        first, last, oversized = 0, len(group.endpoints), group.oversized
        if oversized:
            chunks.append([replace(group, endpoints=[])])
            room = max_bytes - len(_ENCODER.encode(chunks[-1]))
        while first < last:
            if first or not chunks or room < head + _weight(group.endpoints[first]):
                chunks.append([])
                room = max_bytes
            end, room = _fill(group.endpoints, first, room - head)
            chunks[-1].append(replace(group, endpoints=group.endpoints[first:end], oversized=[]))
            first = end
    return chunks


def _fill(endpoints: Sequence[msgspec.Raw], first: int, room: int) -> tuple[int, int]:
    """Return where the chunk ends that begins at `first`, and the room that is left; it has at least one device."""
    room -= _weight(endpoints[first])
    end = first + 1
    while end < len(endpoints) and (weight := _weight(endpoints[end])) <= room:
        room -= weight
        end += 1
    return end, room


def _weight(device: msgspec.Raw) -> int:
    return len(device) + DEVICE_OVERHEAD_BYTES


def _without_oversized(group: DeviceGroup) -> DeviceGroup:
    if not any(len(device) > MAX_DEVICE_BYTES for device in group.endpoints):
        return group
    kept = [device for device in group.endpoints if len(device) <= MAX_DEVICE_BYTES]
    return replace(group, endpoints=kept, oversized=[*group.oversized, *_oversized(group.endpoints)])


def _oversized(devices: Iterable[msgspec.Raw]) -> Iterable[OversizedDevice]:
    for device in devices:
        if len(device) > MAX_DEVICE_BYTES:
            yield OversizedDevice(size_bytes=len(device), device_id=find_device_id(device))
