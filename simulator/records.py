"""Dates and custom field values of devices: only what was written is stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from simulator.config import SimulatorConfig
from simulator.fleet import Fleet

PURCHASE, WARRANTY = "purchase_date", "warranty_expiration_date"
DATE_FIELDS: tuple[str, str] = (PURCHASE, WARRANTY)

_NAMESPACE = UUID("5f0c3f3e-1d0b-4a53-9a75-6d2b6f1f7c11")


@dataclass(frozen=True, slots=True)
class Definition:
    """A custom field of devices."""

    id: str
    name: str
    type: str

    def shown(self) -> dict[str, object]:
        """Return the definition as the API shows it."""
        return {
            "id": self.id, "name": self.name, "description": "", "entityType": "endpoint", "attributeType": self.type,
            "originType": "partner", "isEditable": True,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Cell:
    value: str | None
    before: str | None
    visible_at: float


def calendar_date(text: str) -> str:
    """Return the calendar date that `text` begins with, as it stands in no time zone; raises ValueError."""
    if len(text) > len("2027-03-01"):
        datetime.fromisoformat(text)
    return date.fromisoformat(text[:10]).isoformat()


class Records:
    """What was written to devices, by (index, name of a date or id of a custom field)."""

    def __init__(self, fleet: Fleet, config: SimulatorConfig) -> None:
        """Start with the fleet's own dates and the configured definitions."""
        self._fleet = fleet
        self.config = config
        self._cells: dict[tuple[int, str], _Cell] = {}
        self.definitions: dict[str, Definition] = {}
        for custom_field in config.custom_fields:
            self.define(custom_field.name, custom_field.type)

    def define(self, name: str, kind: str) -> Definition:
        """Add a custom field; its id is the same for the same seed and name."""
        made = Definition(str(uuid5(_NAMESPACE, f"{self._fleet.seed} {name}")), name, kind)
        self.definitions[made.id] = made
        return made

    def named(self, name: str) -> Definition | None:
        """Return the definition with this name in any casing."""
        return next((each for each in self.definitions.values() if each.name.lower() == name.lower()), None)

    def touched(self) -> Iterable[int]:
        """Return the index of every device that has something written."""
        return {index for index, _ in self._cells}

    def read(self, index: int, name: str, now: float | None = None) -> str | None:
        """Return a value as it is, or as it can be seen at `now`."""
        cell = self._cells.get((index, name))
        if cell is not None:
            return cell.before if now is not None and now < cell.visible_at else cell.value
        if name in DATE_FIELDS:
            return self._fleet.dates(index)[DATE_FIELDS.index(name)]
        linked = self._linked_date(name)
        return self._as_text(name, self._fleet.dates(index)[DATE_FIELDS.index(linked)]) if linked else None

    def write_date(self, index: int, name: str, value: str | None, now: float) -> str | None:
        """Set a native date and the custom field that shows it; return what was there before."""
        attribute = self._linked_attribute(name)
        if attribute:
            self._put(index, attribute, self._as_text(attribute, value), now)
        return self._put(index, name, value, now)

    def write_value(self, index: int, attribute: str, value: str | None, now: float) -> str | None:
        """Set a custom field and the native date that it shows; return what was there before."""
        linked = self._linked_date(attribute)
        if linked:
            self._put(index, linked, calendar_date(value) if value else None, now)
        return self._put(index, attribute, value or None, now)

    def _put(self, index: int, name: str, value: str | None, now: float) -> str | None:
        before = self.read(index, name)
        seen = self.read(index, name, now)
        self._cells[index, name] = _Cell(value, seen, now + self.config.visible_after_s)
        return before

    def _field_names(self) -> dict[str, str]:
        return {PURCHASE: self.config.purchase_field, WARRANTY: self.config.warranty_field}

    def _linked_attribute(self, date_name: str) -> str | None:
        found = self.named(self._field_names()[date_name]) if self.config.link_dates else None
        return found.id if found else None

    def _linked_date(self, attribute: str) -> str | None:
        return next((name for name in DATE_FIELDS if self._linked_attribute(name) == attribute), None)

    def _as_text(self, attribute: str, value: str | None) -> str | None:
        is_datetime = self.definitions[attribute].type == "datetime"
        return f"{value}T00:00:00Z" if value and is_datetime else value
