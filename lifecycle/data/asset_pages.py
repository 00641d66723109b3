"""Assets as a person reads them: a table, and one with all that is known of it."""

import json
from typing import Any, Final

from lifecycle.data import words
from lifecycle.data.assets import Document
from lifecycle.data.edits import LABELS
from lifecycle.data.pages import facts
from lifecycle.output import Output

COLUMNS: Final = ("name", "type", "make and model", "serial", "company", "purchased", "warranty ends", "state", "id")
CLAIMS: Final = {"serial": "the serial number", "mac": "the MAC addresses"}
_GIB: Final = 1024**3


def table_row(asset: Document) -> tuple[Any, ...]:
    """The row of the list."""
    day = words.today()
    return (
        asset["name"],
        asset["asset_type"],
        _make(asset),
        asset["serial_number"],
        asset["company_name"],
        asset["purchase_date"],
        words.day_in_words(asset["warranty_expiration_date"], day),
        asset["state"],
        asset["asset_id"],
    )


def show_asset(out: Output, asset: Document) -> None:
    """Facts, dates with their origin, and the devices that are this asset."""
    day = words.today()
    facts(
        out,
        [
            ("name", asset["name"]),
            ("id", asset["asset_id"]),
            ("state", asset["state"]),
            ("type", asset["asset_type"]),
            ("make and model", _make(asset)),
            ("serial", asset["serial_number"]),
            ("company", asset["company_name"] or asset["company_id"]),
            ("site", asset["site_name"] or asset["site_id"]),
            ("system", " ".join(filter(None, (asset["operating_system"], asset["os_version"])))),
            ("processor", asset["processor"]),
            ("memory", _size(asset["memory_bytes"])),
            ("storage", _size(asset["storage_bytes"])),
            ("mac addresses", ", ".join(asset["mac_addresses"] or [])),
            ("ip address", asset["ip_address"]),
            ("first seen", words.ago(asset["first_seen_at"])),
            ("last seen", words.ago(asset["last_seen_at"])),
            ("purchased", _date(asset, "purchase_date")),
            ("age", None if asset["age"] is None else f"{asset['age']} years"),
            ("warranty ends", _date(asset, "warranty_expiration_date")),
            ("warranty", f"{asset['warranty_status']}, on {day}"),
        ],
    )
    _show_given_up(out, asset)
    _show_ambiguities(out, asset)
    _show_dates(out, asset)
    if not asset["devices"]:
        return
    out.text("")
    rows = [
        (one["integration"], one["device_id"], one["matched_by"], one["state"], words.ago(one["last_seen_at"]))
        for one in asset["devices"]
    ]
    out.table(("integration", "device", "matched by", "state", "last seen"), rows)
    for one in asset["devices"]:
        out.text(f"\nas {one['integration']} sent it:")
        out.text(json.dumps(one["vendor"], indent=2, ensure_ascii=False))


def show_who_counts(out: Output, asset: Document) -> None:
    """Each date with everybody who says one, which of them counts, and why."""
    rows: list[tuple[Any, ...]] = []
    for field, date in asset["dates"].items():
        if date["value"] is None:
            rows.append((LABELS[field], "none", "", date["why"]))
        else:
            rows.append((LABELS[field], date["value"], _source(asset, date["origin"]), f"counts: {date['why']}"))
        rows += [
            (LABELS[field], one["value"], _source(asset, one["source"]), f"does not count: {one['why']}")
            for one in date["losers"]
        ]
    out.table(("date", "value", "said", "why"), rows, whole={"value"})


def _make(asset: Document) -> str:
    maker, model = asset["manufacturer_normalised"] or asset["manufacturer"] or "", asset["model"] or ""
    # Many makers begin the model with their own name.
    return model if model.lower().startswith(maker.lower()) else f"{maker} {model}".strip()


def _date(asset: Document, field: str) -> str:
    value = asset[field]
    if value is None:
        return "no source gives this date"
    origin = _source(asset, asset[f"{field}_origin"] or "unknown origin")
    return f"{words.day_in_words(value, words.today())}, {origin}: {asset['dates'][field]['why']}"


def _show_given_up(out: Output, asset: Document) -> None:
    """Which assets turned out to be this machine, and where their history is."""
    for one in asset["given_up"]:
        out.text(
            f"\nwas asset {one['asset_id']} too: one machine, said {one['given_up_by']} {words.ago(one['given_up_at'])}"
        )
    if asset["given_up"]:
        out.message(f"the edits of all of them: lifecycle assets edits {asset['asset_id']}")


def _show_ambiguities(out: Output, asset: Document) -> None:
    """Which other asset may be the same hardware, by which rule, and how that is settled."""
    for one in asset["ambiguities"]:
        if one["asset_id"] == asset["asset_id"]:
            side, name, devices = one["other_asset_id"], one["other_asset"], one["other_devices"]
        else:
            side, name, devices = one["asset_id"], one["asset"], [one]
        seen = ", ".join(f"device {each['device_id']} in {each['integration']}" for each in devices)
        out.text(f"\nambiguity: {CLAIMS[one['rule']]} of {name or 'an asset'} too ({side}; {seen or 'no device'})")
        out.message(
            f"if it is one machine: lifecycle assets settle-ambiguity {one['ambiguity_id']} --same; if not: --different"
        )


def _show_dates(out: Output, asset: Document) -> None:
    """What was outvoted and why, and what is written to which RMM."""
    dates = asset["dates"].items()
    outvoted = [
        (LABELS[field], _source(asset, one["source"]), one["value"], one["why"])
        for field, date in dates
        for one in date["losers"]
    ]
    if outvoted:
        out.text("")
        out.table(("date", "also said by", "value", "does not count because"), outvoted)
    for field, date in dates:
        for one in date["conflicts"]:
            theirs = one["theirs"] or "no date"
            out.text(f"\nconflict: {LABELS[field]} {one['ours']} by a person, {theirs} in {one['integration']}")
            out.message(
                f"settle it with: lifecycle assets settle {asset['asset_id']} --field {field} --take ours|theirs"
            )
    written = [
        (LABELS[field], one["integration"], one["status"], one["wanted"], words.ago(one["changed_at"]), one["reason"])
        for field, date in dates
        for one in date["write_backs"]
    ]
    if written:
        out.text("")
        out.table(("date", "to be written to", "status", "value", "since", "reason"), written)


def _source(asset: Document, source: str) -> str:
    if not source.startswith("integration:"):
        return source
    names = {f"integration:{one['integration_id']}": one["integration"] for one in asset["devices"]}
    return f"from {names.get(source, source)}"


def _size(count: int | None) -> str | None:
    return None if count is None else f"{count / _GIB:,.1f} GiB"
