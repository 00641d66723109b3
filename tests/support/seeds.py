"""Chance in tests: every draw comes from a seed, and the seed is shown with the output of a test that fails."""

import sys
from random import Random


def seeded(seed: int) -> Random:
    """A source of chance whose seed is printed."""
    sys.stdout.write(f"seed {seed}\n")
    return Random(seed)
