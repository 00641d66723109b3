"""Which new devices may be copied in, and what of them goes into which column."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.writer import copy_format, copying
from services.writer.rows import Row
from shared.errors import BadMessage
from shared.events.bulk import NormalizedAsset
from tests.unit.writer.copy_body import values

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


def records(one: Row) -> tuple[dict[str, bytes | None], dict[str, bytes | None]]:
    """The columns of the one row of each table, as COPY is sent them."""
    sent = copying.bodies([(one, 7)], account_id=ACCOUNT_ID, integration_id=INTEGRATION_ID, observed_seq=9)
    (asset,), (device,) = values(sent.assets), values(sent.devices)
    return (
        dict(zip(copying.ASSET_COLUMNS, asset, strict=True)),
        dict(zip(copying.DEVICE_COLUMNS, device, strict=True)),
    )


def eight(value: int) -> bytes:
    return value.to_bytes(8, "big")


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
        "agent_installed_at": "2000-01-01T00:00:01Z",
        "purchase_date": "2024-01-01",
    }
    asset, device = records(row(1, "S1|DELL", None, msgspec.json.encode(sent)))
    assert (asset["id"], asset["account_id"], asset["observed_seq"]) == (ASSET_ID.bytes, ACCOUNT_ID.bytes, eight(9))
    assert (asset["serial_key"], asset["serial_claim"]) == (b"S1|DELL", b"S1|DELL")
    assert (asset["company_name"], asset["asset_type"], asset["memory_bytes"]) == (
        b"Harbor Dental",
        b"laptop",
        eight(2**34),
    )
    assert (asset["mac_key"], asset["mac_claim"], asset["name"]) == (None, None, None)
    assert asset["mac_addresses"] == copy_format.texts(["aa:bb:cc:dd:ee:ff"])[4:]
    assert asset["agent_installed_at"] == eight(1_000_000)
    assert (device["id"], device["device_id"], device["asset_id"]) == (eight(7), b"d1", ASSET_ID.bytes)
    assert (device["company_id"], device["site_id"]) == (b"c1", b"s1")
    assert (device["integration_id"], device["account_id"]) == (INTEGRATION_ID.bytes, ACCOUNT_ID.bytes)
    assert (device["matched_by"], device["observed_seq"], device["content_hash"]) == (b"new", eight(9), bytes(16))
    assert device["vendor"] == b'{"name": "\\u0000"}'


def test_no_rows_are_a_body_without_rows() -> None:
    sent = copying.bodies([], account_id=ACCOUNT_ID, integration_id=INTEGRATION_ID, observed_seq=9)
    assert (values(sent.assets), values(sent.devices)) == ([], [])


def test_a_device_of_no_known_type_is_of_unknown_type() -> None:
    assert records(row(1, None, None))[0]["asset_type"] == b"unknown"


@pytest.mark.parametrize(
    "asset",
    [b"[]", b'{"memory_bytes": "much"}', b'{"memory_bytes": 9223372036854775808}', b'{"agent_installed_at": "soon"}'],
)
def test_unreadable_columns_are_a_bad_message_that_names_the_device(asset: bytes) -> None:
    with pytest.raises(BadMessage, match="d1"):
        records(row(1, None, None, asset))


@pytest.mark.parametrize("stamp", ["2024-05-01T10:00:00", "2024-05-01T10:00:00+02:00"])
def test_a_stamp_is_in_its_own_zone_and_one_without_is_unreadable(stamp: str) -> None:
    one = row(1, None, None, msgspec.json.encode({"agent_installed_at": stamp}))
    if stamp.endswith("+02:00"):
        since = datetime(2024, 5, 1, 8, tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)
        assert records(one)[0]["agent_installed_at"] == eight(since // timedelta(microseconds=1))
    else:
        with pytest.raises(BadMessage, match="d1"):
            records(one)
