"""The CloudEvents SDK reads what we publish, and we read what it writes."""

import json
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from services.writeback.intake import BySerial, read_edit
from shared.errors import BadMessage
from shared.events import DateEdited, SyncRequested, new_event, parse_event
from shared.events.bulk import AssetPageNormalized, DevicePageFetched, encode_bulk, new_bulk, parse_bulk
from shared.events.envelope import CONTENT_TYPE

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.json"))
INTEGRATION = UUID("0198f6a0-0000-7000-8000-000000000002")
ACCOUNT = UUID("0198f6a0-0000-7000-8000-000000000003")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def read_by_sdk(body: bytes) -> Any:
    return from_rabbitmq_event(RabbitMQMessage({}, CONTENT_TYPE, body))


def written_by_sdk(attributes: dict[str, Any], data: dict[str, Any]) -> bytes:
    message = to_structured_event(CloudEvent({"id": "a-1", "source": "/acme/import", "time": NOON} | attributes, data))
    assert message.content_type == CONTENT_TYPE
    return message.body


@pytest.mark.parametrize("path", RECORDED, ids=[path.name for path in RECORDED])
def test_the_sdk_reads_every_recorded_event(path: Path) -> None:
    body = path.read_bytes()
    event, ours = read_by_sdk(body), json.loads(body)
    assert (event.get_id(), event.get_source(), event.get_type()) == (ours["id"], ours["source"], ours["type"])
    assert event.get_extension("correlationid") == ours.get("correlationid")
    assert event.get_data() == ours["data"]


@pytest.mark.parametrize("subject", [None, "integrations/1"])
@pytest.mark.parametrize("account_id", [None, ACCOUNT])
def test_the_sdk_reads_what_we_write_with_and_without_what_is_optional(
    subject: str | None, account_id: UUID | None
) -> None:
    sent = new_event(
        SyncRequested(integration_id=INTEGRATION), source="console", account_id=account_id, subject=subject
    )
    event = read_by_sdk(sent.model_dump_json().encode())
    assert (event.get_id(), event.get_subject()) == (sent.id, subject)
    assert event.get_time() == sent.time
    assert event.get_extension("accountid") == (str(account_id) if account_id else None)
    assert event.get_data()["integration_id"] == str(INTEGRATION)


@pytest.mark.parametrize("event_type", [DevicePageFetched, AssetPageNormalized])
def test_the_sdk_reads_a_bulk_event_as_we_write_it(event_type: Any) -> None:
    (path,) = [path for path in RECORDED if path.name.startswith(f"{event_type.event_type}.v1")]
    data = parse_bulk(path.read_bytes(), event_type).data
    body = encode_bulk(new_bulk(data, source="test", account_id=ACCOUNT))
    event = read_by_sdk(body)
    assert event.get_type() == event_type.event_type
    assert event.get_data() == json.loads(body)["data"]


def test_we_read_what_the_sdk_writes() -> None:
    body = written_by_sdk({"type": "sync.requested"}, {"integration_id": str(INTEGRATION), "kind": "full"})
    event = parse_event(body, SyncRequested)
    assert (event.id, event.source, event.time) == ("a-1", "/acme/import", NOON)
    assert event.data.integration_id == INTEGRATION


def test_attributes_and_extensions_of_the_sdk_are_no_hindrance() -> None:
    attributes = {
        "type": "sync.requested",
        "subject": "integrations/1",
        "datacontenttype": "application/json",
        "dataschema": "https://acme.example/schema",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "correlationid": "story",
    }
    event = parse_event(written_by_sdk(attributes, {"integration_id": str(INTEGRATION)}), SyncRequested)
    assert (event.correlation_id, event.subject) == ("story", "integrations/1")


def test_the_public_edit_can_be_written_with_the_sdk_alone() -> None:
    event = parse_event(written_by_sdk({"type": "date.edited"}, EDIT | {"value": "2024-02-29"}), DateEdited)
    assert event.data.value is not None
    assert event.data.value.isoformat() == "2024-02-29"


EDIT = {
    "account_id": str(ACCOUNT),
    "asset": {"serial_number": "7QX-1234"},
    "field": "purchase_date",
    "value": "2027-03-01",
    "origin": "manual",
    "actor": "import",
    "edited_at": "2026-11-24T11:00:00+01:00",
}


@pytest.mark.parametrize("zone", ["Pacific/Honolulu", "Pacific/Kiritimati"])
@pytest.mark.parametrize("value", ["2027-03-01", "2027-03-01T00:00:00Z", "2027-03-01T23:59:59.999-11:00"])
@pytest.mark.parametrize("edited_at", ["2026-11-24T10:00:00Z", "2026-11-24T11:00:00.000000+01:00"])
def test_an_edit_of_the_sdk_is_the_same_day_and_moment_in_every_zone(
    value: str, edited_at: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = written_by_sdk({"type": "date.edited"}, EDIT | {"value": value, "edited_at": edited_at})
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        edit = read_edit(body).edit
    time.tzset()
    assert (edit.value, edit.edited_at) == (date(2027, 3, 1), datetime(2026, 11, 24, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"datacontenttype": "application/json"},
        {"datacontenttype": "application/json; charset=utf-8", "dataschema": "https://acme.example/edit"},
        {
            "partitionkey": "7",
            "sequence": "12",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        },
    ],
)
def test_our_intake_takes_an_edit_of_the_sdk_with_what_it_may_add(attributes: dict[str, Any]) -> None:
    order = read_edit(written_by_sdk({"type": "date.edited"} | attributes, EDIT | {"colour": "red"}))
    assert order.refusal is None
    assert (order.asset, order.edit.event_id) == (BySerial("7QX-1234"), "a-1")


def test_a_body_that_the_sdk_writes_in_base64_is_refused_with_a_reason() -> None:
    event = CloudEvent({"id": "a-1", "source": "/acme/import", "time": NOON, "type": "date.edited"}, b"{}")
    with pytest.raises(BadMessage, match="data"):
        read_edit(to_structured_event(event).body)


def test_what_we_write_goes_through_the_sdk_and_back_unchanged() -> None:
    sent = new_event(
        SyncRequested(integration_id=INTEGRATION, kind="company", target="é"),
        source="console",
        account_id=ACCOUNT,
        subject="integrations/1",
    )
    body = JSONFormat().write(read_by_sdk(sent.model_dump_json().encode()))
    assert parse_event(body, SyncRequested) == sent
