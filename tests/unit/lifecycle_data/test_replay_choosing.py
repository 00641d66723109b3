"""Which messages of a journal a replay takes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.data.replay_choosing import Facts, Wanted, facts_of, is_wanted
from shared.content_encoding import pack
from tests.contract.test_recorded_events import RECORDED

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
ACCOUNT, INTEGRATION, ASSET = uuid4(), uuid4(), uuid4()


def event(data: dict[str, Any], **envelope: Any) -> bytes:
    whole = {"id": "e-1", "time": AT.isoformat(), "accountid": str(ACCOUNT), **envelope, "data": data}
    return json.dumps(whole).encode()


def known(data: dict[str, Any], **envelope: Any) -> Facts:
    found = facts_of(event(data, **envelope), None)
    assert found is not None
    return found


def wanted(**changes: Any) -> Wanted:
    return Wanted(**{"types": ("a", "b"), "since": AT, "until": AT + timedelta(hours=1), **changes})


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_every_event_of_ours_can_be_chosen_by_its_time(path: Path) -> None:
    for body, encoding in ((path.read_bytes(), None), (pack(path.read_bytes(), "zstd"), "zstd")):
        found = facts_of(body, encoding)
        assert found is not None
        assert found.at.year == 2026


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"", None),
        (b"<html>", None),
        (b"[]", None),
        (b'{"id": "e", "time": "yesterday", "data": {}}', None),
        (b'{"id": "e", "time": "2026-11-24T10:00:00", "data": {}}', None),
        (b'{"id": "e", "time": "2026-11-24T10:00:00Z"}', None),
        (event({}), "zstd"),
        (event({}), "br"),
    ],
)
def test_what_is_no_event_has_no_time(body: bytes, encoding: str | None) -> None:
    assert facts_of(body, encoding) is None


@pytest.mark.parametrize(
    ("seconds", "taken"), [(-1, False), (0, True), (3599, True), (3600, False)], ids=["before", "first", "last", "end"]
)
def test_the_time_from_which_belongs_to_it_and_the_time_to_which_does_not(seconds: int, taken: bool) -> None:
    found = known({}, time=(AT + timedelta(seconds=seconds)).isoformat())
    assert is_wanted(wanted(), "a", found) is taken


def test_only_its_types_and_its_account() -> None:
    assert is_wanted(wanted(), "c", known({})) is False
    assert is_wanted(wanted(account_id=ACCOUNT), "a", known({}, accountid=str(ACCOUNT).upper())) is True
    assert is_wanted(wanted(account_id=uuid4()), "a", known({})) is False
    assert is_wanted(wanted(account_id=ACCOUNT), "a", known({}, accountid=None)) is False


def test_an_integration_is_named_by_the_event_or_by_the_device_of_an_edit() -> None:
    mine = wanted(integration_id=INTEGRATION)
    assert is_wanted(mine, "a", known({"integration_id": str(INTEGRATION).upper()})) is True
    assert is_wanted(mine, "a", known({"asset": {"integration_id": str(INTEGRATION), "device_id": "d"}})) is True
    assert is_wanted(mine, "a", known({"integration_id": str(uuid4())})) is False
    assert is_wanted(mine, "a", known({})) is False
    assert is_wanted(mine, "a", known({"asset": {"serial_number": "S"}})) is False


def test_whose_an_asset_is_must_be_looked_up() -> None:
    found = known({"asset": {"id": str(ASSET)}})
    assert found.asset_id == ASSET
    assert is_wanted(wanted(integration_id=INTEGRATION), "a", found) is None
    assert is_wanted(wanted(device_id="d"), "a", found) is None
    assert is_wanted(wanted(), "a", found) is True
    assert is_wanted(wanted(device_id="d"), "c", found) is False


@pytest.mark.parametrize(
    "data",
    [
        {"device_id": "D-1"},
        {"asset": {"integration_id": str(INTEGRATION), "device_id": " d-1 "}},
        {"kind": "device", "target": "D-1"},
        {"assets": [{"device_id": "d-0"}, {"device_id": "d-1"}]},
        {"groups": [{"endpoints": [{"endpointID": "D-0"}]}, {"endpoints": [{"ENDPOINTID": "D-1"}, 7, None]}]},
    ],
    ids=["event", "edit", "sync", "normalized", "fetched"],
)
def test_a_device_is_found_wherever_an_event_names_it(data: dict[str, Any]) -> None:
    assert is_wanted(wanted(device_id="d-1"), "a", known(data)) is True
    assert is_wanted(wanted(device_id="d-2"), "a", known(data)) is False


def test_a_company_that_is_synced_is_no_device() -> None:
    assert is_wanted(wanted(device_id="c-1"), "a", known({"kind": "company", "target": "c-1"})) is False


@given(
    types=st.lists(st.sampled_from(["date.edited", "asset.page_normalized"]), min_size=1, unique=True),
    since=st.datetimes(timezones=st.just(UTC)),
    ids=st.tuples(st.none() | st.uuids(), st.none() | st.uuids()),
    device=st.none() | st.text(min_size=1),
)
def test_what_is_stored_of_a_replay_is_what_was_wanted(
    types: list[str], since: datetime, ids: tuple[UUID | None, UUID | None], device: str | None
) -> None:
    asked = Wanted(tuple(types), since, since, *ids, device)
    assert Wanted.read(json.loads(json.dumps(asked.plain()))) == asked
