"""The rows of a chunk: spliced JSON is JSON, whatever a device sent, and each device is there once."""

import json
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.writer import rows
from services.writer.rows import Row
from shared.events.bulk import NormalizedAsset

HASH = "0" * 32
ASSET_ID = UUID("00000000-0000-4000-8000-00000000000a")

# Lone surrogates are no text that JSON can carry in UTF-8; the normalizer cannot make them.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
columns = st.dictionaries(
    st.sampled_from(["name", "model", "serial_number", "mac_addresses", "memory_bytes"]),
    texts | st.integers(0, 2**60) | st.lists(texts, max_size=3) | st.none(),
    max_size=5,
)


def sent(
    device_id: str, serial: str | None = None, mac: str | None = None, asset: Any = None, vendor: Any = None
) -> NormalizedAsset:
    return NormalizedAsset(
        device_id=device_id,
        content_hash=HASH,
        serial_key=serial,
        mac_key=mac,
        asset=msgspec.Raw(msgspec.json.encode(asset or {})),
        vendor=msgspec.Raw(msgspec.json.encode(vendor or {})),
    )


many = st.lists(
    st.builds(sent, texts, serial=st.none() | texts, mac=st.none() | texts, asset=columns, vendor=columns), max_size=5
)


@given(many, st.booleans(), st.booleans())
@settings(max_examples=5 * settings.default.max_examples // 4)
def test_any_strings_come_back_as_they_were(some: list[NormalizedAsset], serial: bool, mac: bool) -> None:
    made = [Row(asset, ASSET_ID).with_claims(serial=serial, mac=mac) for asset in some]
    read = json.loads(rows.as_json(made))
    for asset, row in zip(some, read, strict=True):
        assert row.pop("device_id") == asset.device_id
        assert row.pop("asset_id") == str(ASSET_ID)
        assert row.pop("content_hash") == HASH
        assert row.pop("matched_by") == "new"
        assert (row.pop("serial_key"), row.pop("mac_key")) == (asset.serial_key, asset.mac_key)
        assert row.pop("serial_claim") == (asset.serial_key if serial else None)
        assert row.pop("mac_claim") == (asset.mac_key if mac else None)
        assert row == json.loads(bytes(asset.asset))


@given(many)
def test_what_the_vendor_sent_goes_on_byte_for_byte(some: list[NormalizedAsset]) -> None:
    assert rows.vendors([Row(asset, ASSET_ID) for asset in some]) == [bytes(asset.vendor).decode() for asset in some]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 99)), max_size=12))
@settings(max_examples=5 * settings.default.max_examples // 4)
def test_folding_keeps_each_device_once_as_it_was_sent_last(pairs: list[tuple[str, int]]) -> None:
    folded, repeated = rows.fold(sent(device_id, asset={"memory_bytes": number}) for device_id, number in pairs)
    last = dict(pairs)
    assert [asset.device_id for asset in folded] == sorted(last)
    assert [json.loads(bytes(asset.asset))["memory_bytes"] for asset in folded] == [last[key] for key in sorted(last)]
    assert len(folded) + repeated == len(pairs)


def test_no_rows_are_an_empty_array() -> None:
    assert rows.as_json([]) == "[]"
    assert rows.fold([]) == ([], 0)


def test_a_matched_row_keeps_its_device_and_names_the_rule() -> None:
    row = Row(sent("a"), ASSET_ID).matched(ASSET_ID, "serial")
    assert (row.sent.device_id, row.asset_id, row.matched_by) == ("a", ASSET_ID, "serial")
