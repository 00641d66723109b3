"""A process's memory between two pieces of work: kept for the next one instead of given back to the system."""

import ctypes
from typing import Final

# glibc's numbers for mallopt(3). Another C library has no such function, or refuses them.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3

KEPT_BYTES: Final = 64 * 1024 * 1024
"""What may lie free before the system gets it back: several times what a page takes on its way."""
_LARGEST: Final = 32 * 1024 * 1024  # the most that glibc takes for the second number; a body is 16 MiB at most


def keep_freed_memory() -> bool:
    """Let freed memory lie for the next page; returns whether the C library can.

    A page is some megabytes that are taken, filled and freed: its bodies, packed and not. glibc gives such pieces back
    to the system each time, and the system clears them again: 500 page faults a message, an eighth of the normalizer's
    CPU. The peak of a process stays what it was, and it falls no longer between two pages.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, KEPT_BYTES))
