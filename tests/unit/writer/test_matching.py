"""Identity: when a device is hardware that stands already, and when it is kept apart."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.writer.matching import Apart, Candidate, Match, decide

BY_SERIAL = UUID("00000000-0000-4000-8000-00000000000a")
BY_MAC = UUID("00000000-0000-4000-8000-00000000000b")
NOTHING = Candidate(None, serial_taken=False, mac_asset=None, mac_taken=False, mac_asset_serial_key=None)

serial_keys = st.none() | st.sampled_from(["S1|DELL", "S2|DELL"])
candidates = st.builds(
    Candidate,
    serial_asset=st.none() | st.just(BY_SERIAL),
    serial_taken=st.booleans(),
    mac_asset=st.none() | st.sampled_from([BY_MAC, BY_SERIAL]),
    mac_taken=st.booleans(),
    mac_asset_serial_key=serial_keys,
)


def standing(
    *, serial: bool = False, serial_taken: bool = False, mac: bool = False, mac_taken: bool = False, holds: str | None = None
) -> Candidate:
    return Candidate(BY_SERIAL if serial else None, serial_taken, BY_MAC if mac else None, mac_taken, holds)


@pytest.mark.parametrize(
    ("serial_key", "candidate", "expected"),
    [
        ("S1|DELL", standing(serial=True), Match(BY_SERIAL, "serial")),
        # The serial says more than the MACs, whatever those say.
        ("S1|DELL", standing(serial=True, mac=True, holds="S2|DELL"), Match(BY_SERIAL, "serial")),
        ("S1|DELL", standing(serial=True, mac=True, mac_taken=True), Match(BY_SERIAL, "serial")),
        # One RMM lists one machine once: a second one with the serial is for a person.
        ("S1|DELL", standing(serial=True, serial_taken=True), Apart(False, False, BY_SERIAL, "serial")),
        ("S1|DELL", standing(serial=True, serial_taken=True, mac=True), Apart(False, False, BY_SERIAL, "serial")),
        (None, standing(mac=True), Match(BY_MAC, "mac")),
        ("S1|DELL", standing(mac=True), Match(BY_MAC, "mac")),
        ("S1|DELL", standing(mac=True, holds="S1|DELL"), Match(BY_MAC, "mac")),
        (None, standing(mac=True, holds="S2|DELL"), Match(BY_MAC, "mac")),
        (None, standing(mac=True, mac_taken=True), Apart(True, False, BY_MAC, "mac")),
        # A dock's address under two serials that can be trusted: two machines, and no question.
        ("S1|DELL", standing(mac=True, holds="S2|DELL"), Apart(True, False)),
        ("S1|DELL", standing(mac=True, mac_taken=True, holds="S2|DELL"), Apart(True, False)),
        ("S1|DELL", NOTHING, Apart(True, True)),
        (None, NOTHING, Apart(True, True)),
    ],
)
def test_each_case_has_its_decision(serial_key: str | None, candidate: Candidate, expected: Match | Apart) -> None:
    assert decide(serial_key, candidate) == expected


@given(serial_keys, candidates)
@settings(max_examples=150, deadline=None)
def test_no_asset_is_taken_from_another_device_of_the_same_integration(
    serial_key: str | None, candidate: Candidate
) -> None:
    found = decide(serial_key, candidate)
    if isinstance(found, Match):
        taken = candidate.serial_taken if found.rule == "serial" else candidate.mac_taken
        assert not taken


@given(serial_keys, candidates)
@settings(max_examples=150, deadline=None)
def test_what_is_kept_apart_never_claims_what_stands(serial_key: str | None, candidate: Candidate) -> None:
    """A claim that stands would be refused again, and again."""
    found = decide(serial_key, candidate)
    if isinstance(found, Apart):
        assert not (found.claims_serial and candidate.serial_asset)
        assert not (found.claims_mac and candidate.mac_asset)


@given(serial_keys, candidates)
@settings(max_examples=150, deadline=None)
def test_two_serials_that_can_be_trusted_are_never_one_machine_by_mac(
    serial_key: str | None, candidate: Candidate
) -> None:
    found = decide(serial_key, candidate)
    if isinstance(found, Match) and found.rule == "mac":
        assert not serial_key or not candidate.mac_asset_serial_key or serial_key == candidate.mac_asset_serial_key


@given(serial_keys, candidates)
@settings(max_examples=150, deadline=None)
def test_a_question_for_a_person_names_what_stands_and_the_rule(serial_key: str | None, candidate: Candidate) -> None:
    found = decide(serial_key, candidate)
    if isinstance(found, Apart) and found.ambiguous_with:
        assert found.ambiguous_with == (candidate.serial_asset if found.rule == "serial" else candidate.mac_asset)
