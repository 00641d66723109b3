"""Sentences that a person must see even with `--quiet`: warnings and errors that leave the result standing."""

from lifecycle.output import Output


def warn(out: Output, text: str) -> None:
    """A warning, on standard error."""
    out.errors.print(f"warning: {text}", markup=False, highlight=False, soft_wrap=True, style="yellow")


def complain(out: Output, text: str, next_step: str | None = None) -> None:
    """An error beside a result that is printed all the same, on standard error."""
    out.errors.print(f"error: {text}", markup=False, highlight=False, soft_wrap=True, style="red")
    if next_step:
        out.errors.print(f"       {next_step}", markup=False, highlight=False, soft_wrap=True)
