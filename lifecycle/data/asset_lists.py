"""Lists and exports of assets, as the command prints them."""

import sys
from pathlib import Path
from uuid import UUID

from lifecycle.data.asset_pages import COLUMNS, table_row
from lifecycle.data.assets import Filter, read_assets
from lifecycle.data.export import Counter, target, write_csv, write_json
from lifecycle.data.naming import find_optional
from lifecycle.exits import NotFound
from lifecycle.output import Output
from lifecycle.session import Session


async def wanted(
    session: Session,
    *,
    integration: str | None = None,
    company: str | None = None,
    state: str | None = None,
    search: str | None = None,
    warranty: str | None = None,
    after: UUID | None = None,
    limit: int | None = None,
) -> Filter:
    """The filter of the options; raises `NotFound` for an integration or an asset that is not there."""
    integration_id = await find_optional(session, integration)
    if after is not None:
        query = "select exists (select from assets where id = $1 and account_id = $2)"
        if not await session.connection.fetchval(query, after, session.account_id):
            raise NotFound(f"there is no asset {after}", "begin again without --after")
    return Filter(integration_id, company, state, search, warranty, after, limit)


async def print_list(session: Session, out: Output, chosen: Filter) -> None:
    """A JSON array, or a table with how to go on."""
    assets = read_assets(session, chosen)
    if out.json_wanted:
        await write_json(sys.stdout, assets, Counter(out, silent=sys.stdout.isatty()))
        return
    found = [asset async for asset in assets]
    if found:
        out.table(COLUMNS, [table_row(asset) for asset in found])
    else:
        out.message(await _why_none(session, chosen))
    if chosen.limit is not None and len(found) == chosen.limit:
        out.message(f"the first {len(found):,}; go on with: --after {found[-1]['asset_id']}")


async def export(session: Session, out: Output, chosen: Filter, *, as_csv: bool, path: Path | None) -> None:
    """Writes them to the file or to standard output."""
    write = write_csv if as_csv else write_json
    with target(path) as file:
        count = await write(file, read_assets(session, chosen), Counter(out, silent=path is None and file.isatty()))
    if path is not None and out.json_wanted:
        out.document({"path": str(path), "format": "csv" if as_csv else "json", "assets": count})
    out.message(f"{count:,} assets" + (f" in {path}" if path else ""))


async def _why_none(session: Session, chosen: Filter) -> str:
    if chosen != Filter(limit=chosen.limit):
        return "no asset fits these filters"
    going = await session.connection.fetchval(
        "select id from sync_runs where account_id = $1 and status in ('queued', 'running') limit 1", session.account_id
    )
    if going:
        return f"no asset yet; a sync is going: lifecycle runs show {going}"
    return "no asset yet; they come with a sync: lifecycle integrations sync NAME --wait"
