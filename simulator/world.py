"""The tenant as it is now: the seeded fleet plus the few devices that were renamed, moved, removed or added."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from random import Random

from simulator.catalogue import CATEGORIES
from simulator.fleet import DeviceFacts, Fleet
from simulator.membership import Membership, Run

_KEPT_LISTS = 256


class World:
    """Holds overrides only; whatever was not touched is computed from the seed.

    Every change of names or membership calls the `on_change` listeners, so that rendered pages can be dropped.
    """

    def __init__(self, fleet: Fleet) -> None:
        """Start from the first day of a fleet."""
        self.fleet = fleet
        self.on_change: list[Callable[[], None]] = []
        self.reset()

    def reset(self) -> None:
        """Forget every override."""
        self.limit = self.fleet.devices
        self.names: dict[int, str] = {}
        self.gone: set[int] = set()
        self._site: dict[int, int] = {}
        self._order: dict[int, int] = {}
        self._out: dict[int, set[int]] = {}
        self._into: dict[int, set[int]] = {}
        self._lists: OrderedDict[tuple[str, tuple[str, ...], int | None], Membership] = OrderedDict()
        self._changed()

    def __len__(self) -> int:
        return self.limit - len(self.gone)

    def _changed(self) -> None:
        self._lists.clear()
        for listener in self.on_change:
            listener()

    # -- looking ---------------------------------------------------------------------------------------------------

    def index_of(self, device_id: str) -> int | None:
        """Return the index of a device that exists now, or None."""
        index = self.fleet.index_of(device_id, self.limit)
        return None if index is None or index in self.gone else index

    def known_index(self, device_id: str) -> int | None:
        """Return the index of a device whether or not it vanished, or None."""
        return self.fleet.index_of(device_id, self.limit)

    def site_of(self, index: int) -> int:
        """Return the number of the site where a device is now."""
        found = self._site.get(index)
        return self.fleet.site_at(index).index if found is None else found

    def run_of(self, index: int) -> Run:
        """Return a device as a run of one."""
        return Run(index, index + 1, self.site_of(index), self.fleet.category_at(index))

    def facts(self, index: int) -> DeviceFacts:
        """Return the facts of a device as they are now, but for its dates."""
        facts = self.fleet.device(index)
        if index not in self.names and index not in self._site:
            return facts
        site = self.fleet.sites[self.site_of(index)]
        company = self.fleet.companies[site.company]
        return replace(facts, name=self.names.get(index, facts.name), company_id=company.id, site_id=site.id)

    def alive(self, start: int = 0) -> Iterator[int]:
        """Yield the index of every device that exists now, from `start` on."""
        return (index for index in range(start, self.limit) if index not in self.gone)

    def members(self, resource_type: str, ids: tuple[str, ...], category: int | None) -> Membership:
        """Return the devices of companies, sites or single endpoints; unknown ids hold nothing."""
        key = (resource_type, ids, category)
        found = self._lists.get(key)
        if found is None:
            found = self._lists[key] = Membership(
                run for each in ids for run in self._runs(resource_type, each, category)
            )
            if len(self._lists) > _KEPT_LISTS:
                self._lists.popitem(last=False)
        return found

    def everything(self) -> Membership:
        """Return every device of the tenant, company by company."""
        ids = tuple(company.id for company in self.fleet.companies)
        return Membership(run for each in ids for run in self._runs("company", each, None))

    def count(self) -> dict[str, int]:
        """Return how many devices exist now, by category and in all."""
        totals = self.fleet.count()
        for index in range(self.fleet.devices, self.limit):
            totals[CATEGORIES[self.fleet.category_at(index)]] += 1
        for index in self.gone:
            totals[CATEGORIES[self.fleet.category_at(index)]] -= 1
        return {**totals, "devices": len(self)}

    def _runs(self, resource_type: str, each: str, category: int | None) -> Iterable[Run]:
        if resource_type == "company" and (company := self.fleet.company(each)):
            return self._ordered(company.index, company.sites, category)
        if resource_type == "site" and (site := self.fleet.site(each)):
            return self._ordered(site.company, range(site.index, site.index + 1), category)
        if resource_type == "endpoint" and (index := self.index_of(each)) is not None:
            run = self.run_of(index)
            return [run] if category in (None, run.category) else []
        return []

    def _ordered(self, company: int, sites: range, category: int | None) -> Iterable[Run]:
        singles = [self.run_of(index) for index in sorted(self._into.get(company, ()))]
        wanted = [run for run in singles if run.site in sites and category in (None, run.category)]
        wanted.sort(key=lambda run: self._order.get(run.start, 0))
        front = [run for run in wanted if self._order.get(run.start, 0) < 0]
        removed = sorted(self._out.get(company, ()))
        yield from front
        for site in sites:
            bounds = self.fleet.sites[site].bounds
            for number in range(3):
                if category in (None, number) and bounds[number] < bounds[number + 1]:
                    yield from Run(bounds[number], bounds[number + 1], site, number).without(removed)
        yield from wanted[len(front) :]

    # -- changing --------------------------------------------------------------------------------------------------

    def rename(self, names: dict[int, str]) -> None:
        """Give devices new names."""
        self.names |= names
        self._changed()

    def vanish(self, indexes: Iterable[int]) -> None:
        """Take devices out of the tenant, as if their agents had been uninstalled."""
        touched = list(indexes)
        self.gone.update(touched)
        self._settle(touched)

    def bring_back(self, indexes: Iterable[int]) -> None:
        """Let vanished devices return with their old ids, as a reinstalled agent does."""
        touched = list(indexes)
        self.gone.difference_update(touched)
        self._settle(touched)

    def move(self, index: int, site: int) -> None:
        """Move a device to another site, of the same or of another company."""
        self._forget_place(index)
        self._site[index] = site
        self._settle([index])

    def place(self, index: int, *, first: bool) -> None:
        """Move a device to the front or the back of its company's list, so that pages shift."""
        numbers = self._order.values()
        self._order[index] = min([0, *numbers]) - 1 if first else max([0, *numbers]) + 1
        self._settle([index])

    def add(self, count: int, site: int) -> list[int]:
        """Add new devices to a site and return their indexes."""
        made = list(range(self.limit, self.limit + count))
        self.limit += count
        self._site |= dict.fromkeys(made, site)
        self._settle(made)
        return made

    def sample(self, count: int, seed: int) -> list[int]:
        """Return distinct devices that exist now, drawn by a seed."""
        alive = range(self.limit) if not self.gone else list(self.alive())
        return sorted(Random(seed).sample(alive, min(count, len(alive))))

    def _forget_place(self, index: int) -> None:
        self._into.get(self.fleet.sites[self.site_of(index)].company, set()).discard(index)

    def _settle(self, indexes: Iterable[int]) -> None:
        for index in indexes:
            self._forget_place(index)
            special = index in self._site or index in self._order
            if index < self.fleet.devices:
                leaving = self._out.setdefault(self.fleet.site_at(index).company, set())
                (leaving.add if special or index in self.gone else leaving.discard)(index)
            if special and index not in self.gone:
                self._into.setdefault(self.fleet.sites[self.site_of(index)].company, set()).add(index)
        self._changed()
