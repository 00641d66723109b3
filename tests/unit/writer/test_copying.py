"""Which new devices may be copied in, and what of them goes into which column."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.writer import copying
from services.writer.rows import Row
from shared.errors import BadMessage
from shared.events.bulk import NormalizedAsset

ASSET_ID = UUID("00000000-0000-4000-8000-00000000000a")
ACCOUNT_ID = UUID("00000000-0000-4000-8000-00000000000b")
INTEGRATION_ID = UUID("00000000-0000-4000-8000-00000000000c")

keys = st.none() | st.sampled_from(["k1", "k2", "k3"])


def row(number: int, serial: str | None, mac: str | None, asset: bytes = b"{}") -> Row:
    sent = NormalizedAsset(
        device_id=f"d{number}",
        content_hash="0" * 32,
        serial_key=serial,
        mac_key=mac,
        asset=msgspec.Raw(asset),
        vendor=msgspec.Raw(b'{"name": "\\u0000"}'),
    )
    return Row(sent, ASSET_ID)


def records(one: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    asset, device = copying.asset_and_device(
        one, 7, account_id=ACCOUNT_ID, integration_id=INTEGRATION_ID, observed_seq=9
    )
    return (
        dict(zip(copying.ASSET_COLUMNS, asset, strict=True)),
        dict(zip(copying.DEVICE_COLUMNS, device, strict=True)),
    )


@given(
    st.lists(st.tuples(keys, keys), max_size=8),
    st.sets(st.sampled_from(["k1", "k2"])),
    st.sets(st.sampled_from(["k3"])),
)
def test_each_free_claim_is_copied_once_and_nobody_is_lost(
    claims: list[tuple[str | None, str | None]], serials: set[str], macs: set[str]
) -> None:
    rows = [row(number, serial, mac) for number, (serial, mac) in enumerate(claims)]
    free, others = copying.split(rows, serials, macs)
    assert Counter(one.sent.device_id for one in [*free, *others]) == Counter(one.sent.device_id for one in rows)
    for taken, claimed in ((serials, [f.sent.serial_key for f in free]), (macs, [f.sent.mac_key for f in free])):
        held = [claim for claim in claimed if claim is not None]
        assert len(held) == len(set(held))
        assert not set(held) & taken
    # What is not copied has a reason: a claim that stands, or that one before it in this page has.
    for one in others:
        assert one.sent.serial_key in serials | {f.sent.serial_key for f in free if f.sent.serial_key} or (
            one.sent.mac_key in macs | {f.sent.mac_key for f in free if f.sent.mac_key}
        )


def test_every_column_gets_its_own_value() -> None:
    sent = {
        "company_id": "c1",
        "company_name": "Harbor Dental",
        "site_id": "s1",
        "asset_type": "laptop",
        "memory_bytes": 2**34,
        "mac_addresses": ["aa:bb:cc:dd:ee:ff"],
        "agent_installed_at": "2024-05-01T10:00:00Z",
        "purchase_date": "2024-01-01",
    }
    asset, device = records(row(1, "S1|DELL", None, msgspec.json.encode(sent)))
    assert (asset["id"], asset["serial_key"], asset["serial_claim"]) == (ASSET_ID, "S1|DELL", "S1|DELL")
    assert (asset["company_name"], asset["asset_type"], asset["memory_bytes"]) == ("Harbor Dental", "laptop", 2**34)
    assert (asset["mac_key"], asset["mac_claim"], asset["mac_addresses"]) == (None, None, ["aa:bb:cc:dd:ee:ff"])
    assert asset["agent_installed_at"] == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert (device["id"], device["asset_id"], device["company_id"], device["site_id"]) == (7, ASSET_ID, "c1", "s1")
    assert (device["integration_id"], device["account_id"]) == (INTEGRATION_ID, ACCOUNT_ID)
    assert (device["matched_by"], device["observed_seq"]) == ("new", 9)
    assert device["vendor"] == b'{"name": "\\u0000"}'


def test_a_device_of_no_known_type_is_of_unknown_type() -> None:
    assert records(row(1, None, None))[0]["asset_type"] == "unknown"


@pytest.mark.parametrize("asset", [b"[]", b'{"memory_bytes": "much"}', b'{"agent_installed_at": "soon"}'])
def test_unreadable_columns_are_a_bad_message_that_names_the_device(asset: bytes) -> None:
    with pytest.raises(BadMessage, match="d1"):
        records(row(1, None, None, asset))
