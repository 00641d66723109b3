"""What an import did or would do, as a person reads it."""

from typing import Any, Final

from lifecycle.data import words
from lifecycle.data.edits import LABELS
from lifecycle.output import Output

Document = dict[str, Any]

_WHOLE: Final = frozenset({"outcome", "line", "serial", "as sent"})
_MEANINGS: Final = {
    "new": "becomes an edit",
    "unchanged": "the asset has this date already; recorded as such",
    "repeated": "the same in an earlier row; left out",
    "no_date": "the row has no date; left out",
    "no_serial": "the row has no serial number",
    "long_serial": "that long is no serial number",
    "not_a_date": "cannot be read as a date",
    "ambiguous_date": "day/month or month/day: nobody knows",
    "mixed_date_styles": "the column mixes styles of dates",
    "contradicted_in_file": "the file has several dates for this serial",
    "unknown_serial": "no asset has this serial number",
    "ambiguous_serial": "several assets have this serial number",
    "virtual_machine": "a virtual machine has no warranty",
    "sentinel_date": "stands for no date in other software",
    "absurd_date": "no date that hardware can have",
    "expires_before_purchase": "the warranty would end before the purchase",
}


def show_import(out: Output, document: Document) -> None:
    """Counts by outcome, the first dates of each that needs a person, and what follows."""
    outcomes = document["outcomes"]
    if not outcomes:
        out.message("the file has no rows below its header")
        return
    rows = [(one["outcome"], f"{one['dates']:,}", _MEANINGS.get(one["outcome"], "")) for one in outcomes]
    out.table(("outcome", "dates", "what it means"), rows)
    out.text("")
    examples = [
        (one["outcome"], each["line"], each["serial"], LABELS.get(each["field"]), each["sent"], each["reason"])
        for one in outcomes
        for each in one["examples"]
    ]
    out.table(
        ("outcome", "line", "serial", "date", "as sent", "reason"), examples, title="the first of each", whole=_WHOLE
    )
    for step in dict.fromkeys(each["next_step"] for one in outcomes for each in one["examples"] if each["next_step"]):
        out.message(f"to mend: {step}")


def say_end(out: Output, document: Document) -> None:
    """What was done, or how to do it."""
    if not document["applied"]:
        out.message(f"this is a preview of {document['rows']:,} rows; nothing was written. Send them with --apply")
        return
    known = f", {document['known_already']:,} were sent before" if document["known_already"] else ""
    refused = f", {document['refused']:,} are refused" if document["refused"] else ""
    took = words.duration(document["seconds"])
    out.message(f"sent {document['sent']:,} edits of {document['rows']:,} rows in {took}{known}{refused}")
    hours = 1 + int(document["seconds"] // 3600)
    out.message(f"see what became of each row with: lifecycle assets edits --since {hours}h")
