"""Identity: when a device is hardware that stands already, and when it is kept apart."""

from itertools import product
from uuid import UUID

import pytest

from services.writer.matching import Apart, Candidate, Match, decide

BY_SERIAL = UUID("00000000-0000-4000-8000-00000000000a")
BY_MAC = UUID("00000000-0000-4000-8000-00000000000b")
NOTHING = Candidate(None, serial_taken=False, mac_asset=None, mac_taken=False, mac_asset_serial_key=None)

SERIAL_KEYS = (None, "S1|DELL", "S2|DELL")
CANDIDATES = [
    Candidate(*of)
    for of in product((None, BY_SERIAL), (False, True), (None, BY_MAC, BY_SERIAL), (False, True), SERIAL_KEYS)
]
KEPT_APART = Apart(claims_serial=False, claims_mac=False, ambiguous_with=BY_SERIAL, rule="serial")
# Few enough to look at each of them.
EVERY_CASE = [(key, candidate, decide(key, candidate)) for key, candidate in product(SERIAL_KEYS, CANDIDATES)]


def standing(
    *,
    serial: bool = False,
    serial_taken: bool = False,
    mac: bool = False,
    mac_taken: bool = False,
    holds: str | None = None,
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
        ("S1|DELL", standing(serial=True, serial_taken=True), KEPT_APART),
        ("S1|DELL", standing(serial=True, serial_taken=True, mac=True), KEPT_APART),
        (None, standing(mac=True), Match(BY_MAC, "mac")),
        ("S1|DELL", standing(mac=True), Match(BY_MAC, "mac")),
        ("S1|DELL", standing(mac=True, holds="S1|DELL"), Match(BY_MAC, "mac")),
        (None, standing(mac=True, holds="S2|DELL"), Match(BY_MAC, "mac")),
        (
            None,
            standing(mac=True, mac_taken=True),
            Apart(claims_serial=True, claims_mac=False, ambiguous_with=BY_MAC, rule="mac"),
        ),
        # A dock's address under two serials that can be trusted: two machines, and no question.
        ("S1|DELL", standing(mac=True, holds="S2|DELL"), Apart(claims_serial=True, claims_mac=False)),
        ("S1|DELL", standing(mac=True, mac_taken=True, holds="S2|DELL"), Apart(claims_serial=True, claims_mac=False)),
        ("S1|DELL", NOTHING, Apart(claims_serial=True, claims_mac=True)),
        (None, NOTHING, Apart(claims_serial=True, claims_mac=True)),
    ],
)
def test_each_case_has_its_decision(serial_key: str | None, candidate: Candidate, expected: Match | Apart) -> None:
    assert decide(serial_key, candidate) == expected


def test_no_asset_is_taken_from_another_device_of_the_same_integration() -> None:
    for _, candidate, found in EVERY_CASE:
        if isinstance(found, Match):
            assert not (candidate.serial_taken if found.rule == "serial" else candidate.mac_taken)


def test_what_is_kept_apart_never_claims_what_stands() -> None:
    """A claim that stands would be refused again, and again."""
    for _, candidate, found in EVERY_CASE:
        if isinstance(found, Apart):
            assert not (found.claims_serial and candidate.serial_asset)
            assert not (found.claims_mac and candidate.mac_asset)


def test_two_serials_that_can_be_trusted_are_never_one_machine_by_mac() -> None:
    for serial_key, candidate, found in EVERY_CASE:
        if isinstance(found, Match) and found.rule == "mac":
            assert len({serial_key, candidate.mac_asset_serial_key} - {None}) <= 1


def test_a_question_for_a_person_names_what_stands_and_the_rule() -> None:
    for _, candidate, found in EVERY_CASE:
        if isinstance(found, Apart) and found.ambiguous_with:
            assert found.ambiguous_with == (candidate.serial_asset if found.rule == "serial" else candidate.mac_asset)


def test_a_device_that_is_no_match_by_what_it_says_claims_it() -> None:
    for _, candidate, found in EVERY_CASE:
        if candidate.serial_asset is None and candidate.mac_asset is None:
            assert found == Apart(claims_serial=True, claims_mac=True)
