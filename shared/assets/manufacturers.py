"""Makers of hardware: many spellings, one name."""

import re
from functools import lru_cache
from typing import Final

from shared.assets.data_lines import data_lines

_FORMS: Final = frozenset(
    (
        *("INC", "INCORPORATED", "CORP", "CORPORATION", "CO", "COMPANY", "LTD", "LIMITED", "LLC", "LP", "PLC"),
        *("GMBH", "AG", "SA", "SAS", "SPA", "BV", "NV", "AB", "OY", "KK", "PTE", "PTY", "INTL", "COMPUTERS"),
    )
)
_BETWEEN: Final = re.compile(r"[\s,.;()\[\]®™*_/\\-]+")


def _words(sent: str) -> str:
    words = [word for word in _BETWEEN.split(sent.upper()) if word]
    # Forms stand at the end: "Co., Ltd."; a name that is nothing else stays as it is.
    while len(words) > 1 and words[-1] in _FORMS:
        words.pop()
    return " ".join(words)


_NAMES: Final = {
    _words(spelling): name for name, spellings in data_lines("manufacturers.txt") for spelling in spellings.split("|")
}


@lru_cache(maxsize=4096)
def normalise_manufacturer(sent: str) -> str:
    """Return the maker's usual name ("Dell Inc." is "Dell"); a maker that we do not know keeps its own spelling."""
    return _NAMES.get(_words(sent), sent.strip())
