"""The data files beside this module: one entry a line, columns between tabs, `#` begins a remark."""

from collections.abc import Iterator
from importlib.resources import files


def data_lines(name: str) -> Iterator[tuple[str, str]]:
    """Yield the first column of each line and the rest of it."""
    for line in files("shared.assets").joinpath(name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            entry, _, rest = line.partition("\t")
            yield entry, rest
