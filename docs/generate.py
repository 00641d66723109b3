"""Generates what the documentation takes from the code: `make docs`; `python -m docs.generate --check` only looks.

Whole files: docs/settings.md, docs/events/*.schema.json, one for each event and version, and docs/events/asyncapi.json.
Blocks between `<!-- generated: NAME -->` and `<!-- end -->` in pages that people write: commands, queues, events,
metrics. The files of docs/events/examples between `<!-- example: FILE -->` and `<!-- end -->`.
`tests/contract/test_docs.py` fails where any of them differs from the code.
"""

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import prometheus_client
import typer
from pydantic_settings import BaseSettings

import shared.events
from docs import asyncapi
from lifecycle.data.settings import DataSettings
from lifecycle.main import make_app
from lifecycle.settings import CommandSettings
from lifecycle.stack.services import installed_services
from shared import topology
from shared.events.envelope import Event, EventData
from shared.observability import metrics
from shared.settings import PREFIX, RmmSettings, ServiceSettings

ROOT: Final = Path(__file__).resolve().parent.parent
SETTINGS_PAGE: Final = ROOT / "docs" / "settings.md"
SCHEMAS: Final = ROOT / "docs" / "events"
ASYNCAPI: Final = SCHEMAS / "asyncapi.json"
CONTRACT_PAGES: Final = (SCHEMAS / "date-edited.md", SCHEMAS / "asset-dates-changed.md")
EXAMPLES: Final = SCHEMAS / "examples"
RECORDED: Final = ROOT / "tests" / "contract" / "recorded"
PAGES: Final = {
    "commands": ROOT / "README.md",
    "queues": ROOT / "ARCHITECTURE.md",
    "events": ROOT / "docs" / "events.md",
    "metrics": ROOT / "docs" / "runbook.md",
}

_SETTINGS_HEAD: Final = f"""# Settings

Generated from the code by `make docs`; do not edit.

Every program reads its settings from the environment, with the prefix `{PREFIX}`, and checks them at its start: what is
missing or wrong is said in one list, without the values, and the program ends with exit code 2. A file `.env` in the
working directory is read too; the environment wins over it.

Each setting can also come from a file: `{PREFIX}DATABASE_URL_FILE=/run/secrets/database-url` is the same as
`{PREFIX}DATABASE_URL` with the text of that file, in the environment and in `.env`. Use it for secrets. Where both
stand in one place, the one without `_FILE` wins. For a service an empty variable is one that is not set.

## TLS

An address asks for it, and says behind its `?` what to verify by, words joined with `&`:

| Setting | Verified by a CA of your own |
| --- | --- |
| `{PREFIX}AMQP_URL` | `amqps://user:password@host:5671/vhost?cafile=/path/ca.pem` |
| `{PREFIX}DATABASE_URL` | `postgresql://user:password@host/lifecycle?sslmode=verify-full&sslrootcert=/path/ca.pem` |
| `{PREFIX}MANAGEMENT_URL` | `https://user:password@host:15671?cafile=/path/ca.pem` |

- `amqps://` and `https://` verify the certificate and the host name always; without `cafile` they trust the CAs that
  everybody trusts. `no_verify_ssl=1` takes that away from `amqps://`.
- Of the database only `sslmode=verify-full` verifies both. It needs `sslrootcert` or `~/.postgresql/root.crt`: for the
  CAs that everybody trusts name the system's file, such as `/etc/ssl/certs/ca-certificates.crt`. `verify-ca` does not
  look at the host name. `require` encrypts and verifies nothing, but the CA where `sslrootcert` is there. Without
  `sslmode` it is encrypted where the server offers it, and a server that does not is spoken to all the same.
- The files are read again for each new connection. One that is not there, or holds no certificate, ends the start.
- A client's own certificate, without a passphrase: `certfile` and `keyfile`, for the database `sslcert` and `sslkey`.

Where TLS keeps a connection from coming about, every program says why and what to do: see `lifecycle doctor`.
"""


def settings_page() -> str:
    """The page of all settings: those of every service first, then what each program adds."""
    parts = [_SETTINGS_HEAD]
    parts.append(_section("Every service", ServiceSettings, above=None))
    for service in _services():
        model = service_settings(service)
        above = RmmSettings if issubclass(model, RmmSettings) else ServiceSettings
        if above is RmmSettings and not any(part.startswith("## Services that talk") for part in parts):
            parts.append(_section("Services that talk to an RMM", RmmSettings, above=ServiceSettings))
        parts.append(_section(f"`{service}`", model, above=above))
    parts.append(_section("The `lifecycle` command", CommandSettings, above=None))
    parts.append(_section("The `lifecycle` command, where it changes data", DataSettings, above=None))
    return "\n".join(parts)


def _services() -> list[str]:
    """The services that this version has, by name."""
    return [one.name for one in installed_services() if find_spec(f"services.{one.name}.app")]


def service_settings(service: str) -> type[BaseSettings]:
    """The settings class of a service's own, from its `settings.py` or else its `app.py`."""
    name = next(name for name in ("settings", "app") if find_spec(f"services.{service}.{name}"))
    module = importlib.import_module(f"services.{service}.{name}")
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, BaseSettings) and value.__module__ == module.__name__
    ]
    return own[0] if own else ServiceSettings


def _section(title: str, model: type[BaseSettings], *, above: type[BaseSettings] | None) -> str:
    inherited = above.model_json_schema()["properties"] if above else {}
    schema = model.model_json_schema()
    required = set(schema.get("required", ()))
    rows = [
        (f"`{PREFIX}{name.upper()}`", _values(member), _default(member, needed=name in required), member["description"])
        for name, member in schema["properties"].items()
        if inherited.get(name) != member
    ]
    text = f"## {title}\n\n{_sentence(schema.get('description', ''))}\n\n"
    return text + (_table(("Variable", "Values", "Default", "Meaning"), rows) if rows else "Nothing of its own.\n")


def _values(member: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    kind = next((one for one in member.get("anyOf", ()) if one.get("type") != "null"), member)
    if "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind["enum"])
    if "format" in kind:
        return {"password": "text, secret", "path": "path"}.get(kind["format"], "text")
    words = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`", "array": "list, as JSON"}
    return words.get(kind["type"], "text") + _bounds(kind)


def _bounds(kind: Mapping[str, Any]) -> str:
    low, high = kind.get("minimum"), kind.get("maximum")
    if low is not None:
        return f", {low:g} or more" if high is None else f", {low:g} to {high:g}"
    return f", above {kind['exclusiveMinimum']:g}" if "exclusiveMinimum" in kind else ""


def _default(member: Mapping[str, Any], *, needed: bool) -> str:
    if needed:
        return "**must be set**"
    default = member.get("default")
    return "none" if default is None else f"`{default if isinstance(default, str) else json.dumps(default)}`"


def event_types() -> list[type[EventData]]:
    """The model of every event that exists, by type."""
    for module in pkgutil.iter_modules(shared.events.__path__, "shared.events."):
        importlib.import_module(module.name)
    found = {model for model in _descendants(EventData) if "event_type" in vars(model)}
    return sorted(found, key=lambda model: (model.event_type, model.version))


def _descendants(model: type[EventData]) -> Iterator[type[EventData]]:
    for child in model.__subclasses__():
        yield child
        yield from _descendants(child)


def schema_name(model: type[EventData]) -> str:
    """The file of an event's schema."""
    return f"{model.event_type}.v{model.version}.schema.json"


def event_schema(model: type[EventData]) -> dict[str, Any]:
    """The JSON schema of a whole event, envelope and data; unknown members are allowed, as everywhere."""
    schema = Event[model].model_json_schema()  # type: ignore[valid-type]
    schema["properties"]["type"] = {"const": model.event_type, "description": "event type, and routing key"}
    schema["properties"]["dataversion"] |= {"const": model.version}
    schema["required"] = sorted({*schema["required"], "specversion", "type"})
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:lifecycle-sync:event:{model.event_type}:{model.version}",
        "title": f"{model.event_type}, version {model.version}",
        "description": _summary(model.__doc__),
    }
    return head | {name: part for name, part in schema.items() if name not in head}


def events_block() -> str:
    """The table of events: what each means, and which queue takes it in."""
    rows: list[tuple[str, ...]] = []
    models = {model.event_type: model for model in event_types()}
    services = _services()
    for event_type in topology.EVENT_TYPES:
        model = models.get(event_type)
        takers = [queue for queue in topology.WORK_QUEUES if model and event_type in queue.event_types]
        queues = [f"`{queue.name}`" for queue in takers if queue.service in services]
        if model:
            meaning = _summary(model.__doc__)
            schema = f"[schema](events/{schema_name(model)})"
        else:
            meaning, schema = "Reserved: this version neither publishes nor reads it.", ""
        rows.append((f"`{event_type}`", meaning, ", ".join(queues) or "nobody of ours", schema))
    return _table(("Type", "Meaning", "Taken in by", ""), rows)


def queues_block() -> str:
    """The table of exchanges' queues, as they are declared."""
    rows: list[tuple[str, ...]] = []
    for queue in topology.queues():
        if ".retry." in queue.name:
            continue
        keys = ", ".join(f"`{key}`" for exchange, key in queue.bindings if exchange != topology.WORK)
        if queue.name == topology.JOURNAL:
            keys = "every event but the two bulk ones"
        rows.append((f"`{queue.name}`", str(queue.arguments["x-queue-type"]), keys))
    delays = ", ".join(f"`{delay}`" for delay in topology.DELAYS)
    rows.append(("`<service>.retry.<delay>`", "quorum", f"`<delay>.<service>.#`, delays {delays}"))
    return _table(("Queue", "Type", "Takes"), rows)


def commands_block() -> str:
    """The table of commands with the first sentence of each."""
    root: Any = typer.main.get_command(make_app())
    rows = [(f"`lifecycle {name}`", text) for name, text in _commands(root, "")]
    return _table(("Command", "What it does"), rows)


def _commands(group: Any, path: str) -> Iterator[tuple[str, str]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", _summary(command.help)


def metrics_block() -> str:
    """The table of our own metrics."""
    kinds = (prometheus_client.Counter, prometheus_client.Gauge, prometheus_client.Histogram)
    rows: list[tuple[str, ...]] = []
    for metric in vars(metrics).values():
        if isinstance(metric, kinds):
            found = next(iter(metric.collect()))
            name = f"{found.name}_total" if found.type == "counter" else found.name
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - the client tells them nowhere else
            rows.append((f"`{name}`", found.type, labels, _sentence(found.documentation)))
    return _table(("Metric", "Kind", "Labels", "Meaning"), rows)


BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    "commands": commands_block,
    "queues": queues_block,
    "events": events_block,
    "metrics": metrics_block,
}


def asyncapi_document() -> dict[str, Any]:
    """All events as an AsyncAPI document; of a type with several versions the newest."""
    events = {model.event_type: (schema_name(model), _summary(model.__doc__)) for model in event_types()}
    return asyncapi.document(events, RECORDED)


def with_examples(page: str) -> str:
    """A page with the files of docs/events/examples that it names, as they are. Raises OSError for one that is not."""

    def block(found: re.Match[str]) -> str:
        name = found["name"]
        code = (EXAMPLES / name).read_text(encoding="utf-8")
        kind = {"py": "python", "mjs": "js"}.get(name.rpartition(".")[2], "sh")
        return f"<!-- example: {name} -->\n\n```{kind}\n{code}```\n\n<!-- end -->"

    return re.sub(r"<!-- example: (?P<name>[\w.]+) -->.*?<!-- end -->", block, page, flags=re.DOTALL)


def generated() -> dict[Path, str]:
    """Every generated file, and every page with a generated block, as they should be."""
    files = {SETTINGS_PAGE: settings_page()}
    for model in event_types():
        files[SCHEMAS / schema_name(model)] = json.dumps(event_schema(model), indent=2, ensure_ascii=False) + "\n"
    files[ASYNCAPI] = json.dumps(asyncapi_document(), indent=2, ensure_ascii=False) + "\n"
    files |= {page: with_examples(page.read_text(encoding="utf-8")) for page in CONTRACT_PAGES}
    for name, path in PAGES.items():
        files[path] = _with_block(path.read_text(encoding="utf-8"), name, BLOCKS[name]())
    return files


def stale() -> list[Path]:
    """The schemas of events that no longer exist."""
    return sorted(set(SCHEMAS.glob("*.schema.json")) - {SCHEMAS / schema_name(model) for model in event_types()})


def differing() -> list[Path]:
    """The files that differ from the code, or should not be there."""
    wrong = [
        path for path, text in generated().items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    return wrong + stale()


def _with_block(page: str, name: str, block: str) -> str:
    begin, end = f"<!-- generated: {name} -->", "<!-- end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise ValueError(f"the page needs the block {begin} ... {end} just once")
    return pattern.sub(lambda _: f"{begin}\n\n{block}\n{end}", page)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in cells)


def _summary(text: str | None) -> str:
    """The first paragraph of a docstring in one line."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


def _sentence(text: str) -> str:
    summary = _summary(text)
    return summary if not summary or summary.endswith((".", ":")) else f"{summary}."


def main(arguments: Sequence[str]) -> int:
    """Write what differs, or with `--check` only name it; the exit code."""
    wrong = differing()
    names = [str(path.relative_to(ROOT)) for path in wrong]
    if "--check" in arguments:
        sys.stderr.write("".join(f"differs from the code: {name}\n" for name in names))
        return 1 if wrong else 0
    files = generated()
    for path in wrong:
        if path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()
    sys.stderr.write("".join(f"written: {name}\n" for name in names) or "the documentation fits the code\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
