"""The sums of a run's chunks, and when they are the whole truth: most runs see every device once, and all of them."""

from dataclasses import dataclass

from shared.runs.conclusion import Balance


@dataclass(frozen=True)
class Tally:
    """What was counted.

    Of one run: different devices seen, and of them those that do not stand as active; keys of all chunks, chunks of
    which no page is recorded, and the chunks' sums. Of its integration: devices that are active, and that are missing.
    """

    devices: int
    seen_off: int
    active: int
    missing: int
    unrecorded: int
    keys: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    repeated: int

    def balance(self, seen: int) -> Balance | None:
        """The balance sheet; None where a device came in two chunks, or in one that counts for nothing."""
        if self.unrecorded or self.keys != self.devices:
            return None
        return Balance(seen, self.created, self.updated, self.unchanged, self.rejected, self.repeated)

    @property
    def all_there(self) -> bool:
        """Whether the run saw every device of the integration that is not archived. False may be true all the same."""
        return self.missing == 0 and self.devices - self.seen_off == self.active
