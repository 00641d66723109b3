"""Both forms of the bulk events, structs and published models, read the same recorded JSON, and read it alike."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from shared.assets.canonical import CanonicalAsset
from shared.errors import BadMessage, UnknownEventVersion
from shared.events import bulk, bulk_contract
from shared.events.envelope import CONTENT_TYPE, parse_event
from tests.support.normalized import normalize_page

RECORDED = Path(__file__).parent / "recorded"
FORMS = [
    (bulk.DevicePageFetched, bulk_contract.DevicePageFetched),
    (bulk.AssetPageNormalized, bulk_contract.AssetPageNormalized),
]
PARTS = [
    (bulk.OversizedDevice, bulk_contract.OversizedDevice),
    (bulk.DeviceGroup, bulk_contract.DeviceGroup),
    (bulk.NormalizedAsset, bulk_contract.NormalizedAsset),
    (bulk.Reject, bulk_contract.Reject),
]


def recorded(event_type: str) -> list[bytes]:
    """Return the recorded bodies of every version of a type."""
    found = [path.read_bytes() for path in sorted(RECORDED.glob(f"{event_type}.v*.json"))]
    assert found, f"nothing recorded of {event_type}"
    return found


def device_page() -> bytes:
    return recorded("device.page_fetched")[0]


def changed(body: bytes, **members: object) -> bytes:
    return json.dumps(json.loads(body) | members).encode()


@pytest.mark.parametrize(("struct", "model"), FORMS)
def test_structs_and_models_read_the_same_of_every_recorded_version(struct: Any, model: Any) -> None:
    for body in recorded(struct.event_type):
        by_struct = bulk.parse_bulk(body, struct)
        by_model = parse_event(body, model)
        assert (by_struct.id, by_struct.source, by_struct.correlation_id) == (
            by_model.id,
            by_model.source,
            by_model.correlation_id,
        )
        assert model.model_validate_json(msgspec.json.encode(by_struct.data)) == by_model.data


@pytest.mark.parametrize(("struct", "model"), FORMS + PARTS)
def test_structs_and_models_have_the_same_members_and_defaults(struct: Any, model: type[BaseModel]) -> None:
    fields = {field.encode_name: field.required for field in msgspec.structs.fields(struct)}
    assert fields == {name: field.is_required() for name, field in model.model_fields.items()}


def test_the_published_asset_has_the_columns_that_the_mapping_makes() -> None:
    assert {f.encode_name for f in msgspec.structs.fields(CanonicalAsset)} == set(
        bulk_contract.CanonicalAsset.model_fields
    )


@pytest.mark.parametrize(("struct", "model"), FORMS)
def test_both_forms_have_the_same_type_and_version(struct: Any, model: Any) -> None:
    assert (struct.event_type, struct.version) == (model.event_type, model.version)


def test_the_recorded_devices_map_to_the_recorded_assets() -> None:
    """A mapping that changes on purpose raises MAPPING_VERSION and records anew."""
    page = bulk.parse_bulk(device_page(), bulk.DevicePageFetched)
    mapped = json.loads(msgspec.json.encode(normalize_page(page.data)))
    assert mapped == json.loads(recorded("asset.page_normalized")[0])["data"]


def test_what_is_encoded_is_read_again_with_the_raw_parts_byte_for_byte() -> None:
    page = bulk.parse_bulk(device_page(), bulk.DevicePageFetched)
    sent = bulk.new_bulk(normalize_page(page.data), source="normalizer", account_id="a", cause=page)
    got = bulk.parse_bulk(bulk.encode_bulk(sent), bulk.AssetPageNormalized)
    assert got == sent
    assert got.correlation_id == page.correlation_id
    assert got.causationid == page.id
    vendors = [bytes(device) for group in page.data.groups for device in group.endpoints]
    assert all(bytes(asset.vendor) in vendors for asset in got.data.assets)


def test_an_encoded_event_is_a_cloudevent() -> None:
    page = bulk.parse_bulk(device_page(), bulk.DevicePageFetched)
    body = json.loads(bulk.encode_bulk(bulk.new_bulk(page.data, source="fetcher", account_id="a", subject="runs/1")))
    assert body["specversion"] == "1.0"
    assert body["type"] == "device.page_fetched"
    assert body["source"] == "/lifecycle/fetcher"
    assert body["subject"] == "runs/1"
    assert body["datacontenttype"] == "application/json"
    assert body["correlationid"] == body["id"]
    assert None not in body.values()
    assert CONTENT_TYPE == "application/cloudevents+json"


def test_members_of_a_newer_publisher_are_ignored() -> None:
    body = json.loads(device_page())
    body["surprise"] = body["data"]["surprise"] = body["data"]["groups"][0]["surprise"] = {"deep": [1]}
    assert bulk.parse_bulk(json.dumps(body).encode(), bulk.DevicePageFetched).data.page_no == 0


def test_an_envelope_is_read_without_its_data() -> None:
    assert bulk.peek_bulk(changed(device_page(), data="anything")).type == "device.page_fetched"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"id":"\xff"}',
        changed(device_page(), data={}),
        changed(device_page(), specversion="0.3"),
        changed(device_page(), id=""),
        recorded("asset.page_normalized")[0],
        b'{"a":' * 5000,
    ],
)
def test_what_is_no_such_event_is_refused_without_repeating_it(body: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        bulk.parse_bulk(body, bulk.DevicePageFetched)
    assert "Harbor" not in str(caught.value)


@pytest.mark.parametrize("data", [json.loads(device_page())["data"], {"another": "shape"}])
def test_another_version_is_named_and_not_taken_for_garbage(data: object) -> None:
    with pytest.raises(UnknownEventVersion):
        bulk.parse_bulk(changed(device_page(), dataversion=2, data=data), bulk.DevicePageFetched)


def test_the_contract_makes_a_schema_for_each_event() -> None:
    assert set(bulk_contract.schemas()) == {"device.page_fetched", "asset.page_normalized"}
