"""Faults on demand: rules that match requests and say how the answer goes wrong."""

import re
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Match(BaseModel):
    """Which requests a rule is for; what is absent matches anything, numbers count matching requests from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str | None = None
    path: str | None = Field(default=None, description="Regular expression, searched in the path.")
    company: str | None = Field(default=None, description="Company id named by the path or by the list body.")
    cursor: int | None = Field(default=None, description="Exact cursor of a list request.")
    cursor_min: int | None = Field(default=None, description="Least cursor of a list request.")
    nth: int | None = Field(default=None, description="Only the nth matching request.")
    after: int = Field(default=0, description="Let this many matching requests pass first.")
    times: int | None = Field(default=None, description="Fire at most this often.")
    probability: float = Field(default=1.0, ge=0, le=1)
    seed: int = 0


class Action(BaseModel):
    """What goes wrong; several may be combined in one action."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int | None = None
    body: Any = Field(default=None, description="A string is sent as it is, anything else as JSON.")
    headers: dict[str, str] = {}
    content_type: str | None = None
    html: bool = Field(default=False, description="Answer with an HTML page, as a gateway does; 502 without a status.")
    apply: bool = Field(default=False, description="Do the work first and only then answer with `status`.")
    delay_ms: float = 0.0
    truncate: Literal["body", "connection"] | None = Field(
        default=None, description="Half of the body: with a matching length, or by losing the connection."
    )
    drop: Literal["before", "after"] | None = Field(
        default=None, description="Close the connection before or after the work."
    )
    empty: bool = Field(default=False, description="A device list answers 200 with nothing in it.")
    cursor_loop: bool = Field(default=False, description="The next link of a device list is this same page.")
    page_shift: Literal["earlier", "later"] | None = Field(
        default=None, description="Before this page a device moves: one to come to the front, or one gone to the back."
    )
    duplicate: int = Field(default=0, description="The page begins with this many devices of the page before.")


class Rule(BaseModel):
    """A match and an action."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: Match = Match()
    action: Action


@dataclass(slots=True)
class Armed:
    """A rule in force, with what it has counted."""

    id: int
    rule: Rule
    random: Random
    seen: int = 0
    fired: int = 0
    pattern: re.Pattern[str] | None = field(default=None)

    def shown(self) -> dict[str, object]:
        """Return the rule and its counts for the control plane."""
        return {"id": self.id, "seen": self.seen, "fired": self.fired, **self.rule.model_dump(exclude_defaults=True)}


class Faults:
    """The rules in force; the first that fires decides."""

    def __init__(self) -> None:
        """Start with no rule."""
        self.rules: dict[int, Armed] = {}
        self._next = 1

    def add(self, rule: Rule) -> Armed:
        """Put a rule in force; raises re.error for a bad path pattern."""
        pattern = re.compile(rule.match.path) if rule.match.path else None
        armed = Armed(self._next, rule, Random(rule.match.seed), pattern=pattern)
        self.rules[self._next] = armed
        self._next += 1
        return armed

    def remove(self, rule_id: int | None = None) -> None:
        """Remove one rule, or all."""
        if rule_id is None:
            self.rules.clear()
        else:
            self.rules.pop(rule_id, None)

    def pick(self, method: str, path: str, companies: tuple[str, ...], cursor: int | None) -> Action | None:
        """Return the action for a request, counting it for every rule that it matches up to the one that fires."""
        for armed in self.rules.values():
            if _fits(armed, method, path, companies, cursor) and _fires(armed):
                armed.fired += 1
                return armed.rule.action
        return None


def _fits(armed: Armed, method: str, path: str, companies: tuple[str, ...], cursor: int | None) -> bool:
    match = armed.rule.match
    return (
        (match.method is None or match.method.upper() == method)
        and (armed.pattern is None or armed.pattern.search(path) is not None)
        and (match.company is None or match.company.lower() in companies)
        and (match.cursor is None or match.cursor == cursor)
        and (match.cursor_min is None or (cursor is not None and cursor >= match.cursor_min))
    )


def _fires(armed: Armed) -> bool:
    match = armed.rule.match
    armed.seen += 1
    if match.times is not None and armed.fired >= match.times:
        return False
    if match.nth is not None and armed.seen != match.nth:
        return False
    return armed.seen > match.after and (match.probability >= 1 or armed.random.random() < match.probability)
