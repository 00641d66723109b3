"""Which form of the device list a tenant takes, and what to try when it refuses one; no I/O.

Live clients exclude each other here, so no form is right everywhere (API notes 2.4, K2, K7): POST or GET with a body,
the resource word in the singular or plural, a list of sections or a shorter one or none, one company or several.
"""

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, Literal

from shared.rmm.quirks import MINIMAL_FIELDS, Quirks
from shared.rmm.wording import Wording

__all__ = ["ListForm", "first_form", "next_form", "remember"]

_METHOD: Final = re.compile(r"\b(post|get|method)\b", re.IGNORECASE)
_SEVERAL: Final = re.compile(r"\b(too many|at most|maximum|more than|only one|single|exceed\w*)\b", re.IGNORECASE)
_RESOURCE_TYPE: Final = re.compile(r"\bresource[ _-]?type\b", re.IGNORECASE)
_FIELD: Final = re.compile(r"\bfields?\b", re.IGNORECASE)
_NO_SUCH_PATH: Final = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_BAD_REQUEST: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})


@dataclass(frozen=True, slots=True)
class ListForm:
    """One way to ask for the device list; `fields` empty means no field list at all."""

    method: Literal["POST", "GET"]
    word: str
    fields: str

    def other_method(self) -> "ListForm":
        """Give the same form with the other method."""
        return replace(self, method="GET" if self.method == "POST" else "POST")

    def other_word(self) -> "ListForm":
        """Give the same form with the word in the other number: company, companies; site, sites."""
        if self.word.endswith("ies"):
            return replace(self, word=f"{self.word[:-3]}y")
        if self.word.endswith("y"):
            return replace(self, word=f"{self.word[:-1]}ies")
        return replace(self, word=self.word[:-1] if self.word.endswith("s") else f"{self.word}s")

    def fewer_fields(self) -> "ListForm":
        """Give the same form with the sections that were seen live, then without any."""
        return replace(self, fields="" if self.fields in {MINIMAL_FIELDS, ""} else MINIMAL_FIELDS)


def first_form(quirks: Quirks, fields: tuple[str, ...]) -> ListForm:
    """Give the form to begin with: what worked last, else what is most likely."""
    asked = ",".join(fields)
    return ListForm(
        quirks.list_method, quirks.resource_word, asked if quirks.list_fields is None else quirks.list_fields
    )


def next_form(
    refused: list[ListForm], status: int, wording: Wording, *, companies: int, known: bool
) -> ListForm | Literal["split"] | None:
    """Decide what to try after the last of the `refused` forms.

    `split` means that several companies in one call are the likely cause; None that nothing is left, and that the last
    answer is the vendor's word. `known` says that the first form has worked before: then only what the answer names is
    tried. Each of method, word and fields changes in one direction only, so this ends after five forms at most.
    """
    last = refused[-1]
    said = f"{wording.code} {wording.text}"
    if status in _NO_SUCH_PATH or (status == HTTPStatus.NOT_FOUND and not wording.is_json_error):
        wanted, split = [last.other_method()], False
    elif status in _BAD_REQUEST:
        wanted, split = _named(last, said), companies > 1
        if split and _SEVERAL.search(said):
            return "split"
        if not wanted and not split and not known:
            # It names nothing: the field list is the likeliest to be refused, then the method (K2).
            wanted = [last.fewer_fields(), last.other_method(), last.other_word()]
    else:
        return None
    untried = [form for form in wanted if _is_new(form, refused)]
    if untried:
        return untried[0]
    return "split" if split else None


def remember(quirks: Quirks, first: ListForm, form: ListForm, *, with_devices: bool) -> None:
    """Keep what was learnt from a form that was not refused; a page with devices proves it."""
    if quirks.list_method != form.method:
        quirks.list_method = form.method
    if quirks.resource_word != form.word:
        quirks.resource_word = form.word
    if form.fields != first.fields:
        quirks.list_fields = form.fields
    if with_devices and not quirks.list_known:
        quirks.list_known = True


def _named(last: ListForm, said: str) -> list[ListForm]:
    """Give the changes that the answer's own words ask for, surest first."""
    forms: list[ListForm] = []
    if _RESOURCE_TYPE.search(said) or re.search(rf"\b{re.escape(last.word)}\b", said, re.IGNORECASE):
        forms.append(last.other_word())
    if _FIELD.search(said):
        forms.append(last.fewer_fields())
    if _METHOD.search(said):
        forms.append(last.other_method())
    return forms


def _is_new(form: ListForm, refused: list[ListForm]) -> bool:
    """Tell whether `form` goes forward: a part of it that differs must never have been tried, so the search ends."""
    last = refused[-1]
    return (
        (form.method != last.method and all(form.method != tried.method for tried in refused))
        or (form.word != last.word and all(form.word != tried.word for tried in refused))
        or (form.fields != last.fields and all(form.fields != tried.fields for tried in refused))
    )
