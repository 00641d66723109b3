"""Identity: whether a device that nobody knows is hardware that stands already. Pure.

Order inside an account: serial and maker, then the set of MACs, then a new asset. A device whose serial another
device of the same integration holds is kept apart, and a person settles it: one RMM lists one machine once.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Rule = Literal["serial", "mac"]


@dataclass(frozen=True)
class Candidate:
    """What stands where a device wants to claim: by serial, by MACs, or neither.

    taken: another active device of the same integration is linked to that asset.
    """

    serial_asset: UUID | None
    serial_taken: bool
    mac_asset: UUID | None
    mac_taken: bool
    mac_asset_serial_key: str | None


@dataclass(frozen=True)
class Match:
    """The same hardware as this asset, by this rule."""

    asset_id: UUID
    rule: Rule


@dataclass(frozen=True)
class Apart:
    """Hardware of its own that keeps only the claims named here; `ambiguous_with` is for a person to settle."""

    claims_serial: bool
    claims_mac: bool
    ambiguous_with: UUID | None = None
    rule: Rule | None = None


def decide(serial_key: str | None, candidate: Candidate) -> Match | Apart:
    """The decision for one device whose claim was refused."""
    if candidate.serial_asset:
        if not candidate.serial_taken:
            return Match(candidate.serial_asset, "serial")
        return Apart(claims_serial=False, claims_mac=False, ambiguous_with=candidate.serial_asset, rule="serial")
    if candidate.mac_asset:
        # Two trustworthy serials: two machines, whatever dock or adapter they share.
        if serial_key and candidate.mac_asset_serial_key and serial_key != candidate.mac_asset_serial_key:
            return Apart(claims_serial=True, claims_mac=False)
        if not candidate.mac_taken:
            return Match(candidate.mac_asset, "mac")
        return Apart(claims_serial=True, claims_mac=False, ambiguous_with=candidate.mac_asset, rule="mac")
    # Whoever held the claim is gone again: claim once more.
    return Apart(claims_serial=True, claims_mac=True)
