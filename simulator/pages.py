"""Rendered device lists: bytes joined from templates, with a bounded cache of whole pages."""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime

from simulator.catalogue import CATEGORIES
from simulator.identity import COMPANY, NAME, SITE, Identity, Values, escaped, with_value
from simulator.layouts import (
    ITEM_GAP,
    ITEM_HEAD,
    STAMP,
    Layout,
    Templates,
    detail_v1,
    detail_v2,
    list_item,
    list_item_v1,
)
from simulator.membership import Membership, Run
from simulator.world import World

Pieces = list[bytes]
"""A rendered body cut where the capture time goes."""


def stamp(now: float) -> bytes:
    """Return an instant as the vendor writes it: RFC 3339, UTC, milliseconds."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()


class Pages:
    """Renders devices of a world; cached pages are dropped when the world changes."""

    def __init__(self, world: World, cache_bytes: int) -> None:
        """Render for `world`, keeping at most `cache_bytes` of pages."""
        self._world = world
        self._identity: Identity = world.fleet.identity
        self._templates: dict[tuple[str, frozenset[str]], Templates] = {}
        self._cache: OrderedDict[tuple[object, ...], Pieces] = OrderedDict()
        self._sizes: dict[tuple[object, ...], int] = {}
        self._room = cache_bytes
        self._left = cache_bytes
        world.on_change.append(self.clear)

    def clear(self) -> None:
        """Drop every cached page."""
        self._cache.clear()
        self._sizes.clear()
        self._left = self._room

    def list_page(self, key: tuple[object, ...], runs: list[Run], asked: frozenset[str], *, with_site: bool) -> Pieces:
        """Return the body of a v2 list page, from the cache where `key` was rendered since the last change."""
        full = (*key, asked, with_site)
        found = self._cache.get(full)
        if found is None:
            found = self._grouped(runs, asked, with_site=with_site)
            self._keep(full, found)
        else:
            self._cache.move_to_end(full)
        return found

    def list_v1(self, members: Membership) -> Iterator[bytes]:
        """Yield the one body of a v1 list in parts, so that a large fleet is never held in memory."""
        yield b'{"endpoints":['
        lead = b""
        for cursor in range(0, len(members), 500):
            items = [item for run in members.page(cursor, 500) for item in self._render(list_item_v1, run, frozenset())]
            yield lead + b",".join(items)
            lead = b","
        yield b"]}"

    def detail(self, index: int, asked: frozenset[str], now: float, *, v1: bool) -> bytes:
        """Return the detail of one device."""
        layout = detail_v1 if v1 else detail_v2
        return self._render(layout, self._world.run_of(index), asked)[0].replace(STAMP, stamp(now))

    def _keep(self, key: tuple[object, ...], pieces: Pieces) -> None:
        size = sum(map(len, pieces)) + 100 * len(pieces)
        if size > self._room:
            return
        self._cache[key] = pieces
        self._sizes[key] = size
        self._left -= size
        while self._left < 0:
            oldest, _ = self._cache.popitem(last=False)
            self._left += self._sizes.pop(oldest)

    def _grouped(self, runs: list[Run], asked: frozenset[str], *, with_site: bool) -> Pieces:
        groups: dict[int, dict[tuple[int, int], Pieces]] = {}
        for run in runs:
            company = self._world.fleet.sites[run.site].company
            key = (company, run.site if with_site else -1)
            groups.setdefault(run.category, {}).setdefault(key, []).extend(self._render(list_item, run, asked))
        pieces: Pieces = []
        lead = b"{"
        for category, of in sorted(groups.items()):
            lead += b'"%b":[' % CATEGORIES[category].encode()
            for key, items in of.items():
                pieces.append(lead + self._group_head(*key) + ITEM_HEAD)
                pieces += items[:-1]
                lead = items[-1].removesuffix(ITEM_GAP) + b"]},"
            lead = lead[:-1] + b"],"
        pieces.append(lead[:-1] + b"}")
        return pieces

    def _group_head(self, company: int, site: int) -> bytes:
        fleet = self._world.fleet
        place = b'"siteID":"%b",' % fleet.sites[site].id.encode() if site >= 0 else b""
        return b'{"companyID":"%b",%b"endpoints":[' % (fleet.companies[company].id.encode(), place)

    def _templates_of(self, layout: Layout, asked: frozenset[str]) -> Templates:
        key = (layout.__name__, asked)
        found = self._templates.get(key)
        if found is None:
            found = self._templates[key] = Templates(layout, asked)
        return found

    def _render(self, layout: Layout, run: Run, asked: frozenset[str]) -> Pieces:
        return self._templates_of(layout, asked).fill(self._values(run))

    def _values(self, run: Run) -> list[Values]:
        fleet, names = self._world.fleet, self._world.names
        first_day = fleet.site_at(run.start)
        values = self._identity.span(run.start, run.stop, fleet.home(first_day.index, run.category))
        if first_day.index != run.site:
            site = fleet.sites[run.site]
            place = (fleet.companies[site.company].id.encode(), site.id.encode())
            values = [_placed(each, *place) for each in values]
        if names:
            for n, index in enumerate(range(run.start, run.stop)):
                if index in names:
                    values[n] = with_value(values[n], NAME, escaped(names[index]))
        return values


def _placed(plain: Values, company_id: bytes, site_id: bytes) -> Values:
    return with_value(with_value(plain, COMPANY, company_id), SITE, site_id)
