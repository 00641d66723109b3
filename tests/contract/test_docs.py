"""The documentation fits the code: what is generated is up to date, and what is referred to exists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs import generate
from shared import topology
from shared.errors import PipelineError

ROOT = generate.ROOT
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Files and folders of ours that a page names in its text; a name that ends in ( or has a placeholder is none.
NAMED = re.compile(r"`((?:shared|services|lifecycle|simulator|migrations|tests|docs|bench|deploy)/[\w./-]*[\w/])`")


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_generated_parts_are_what_the_code_says() -> None:
    differing = [_named(path) for path in generate.differing()]
    assert not differing, f"run `make docs`: {', '.join(differing)}"


def test_every_setting_has_a_meaning() -> None:
    rows = [line for line in generate.settings_page().splitlines() if line.startswith("| `LIFECYCLE_")]
    assert rows
    assert not [row for row in rows if len(row.split(" | ")[-1].strip(" |")) < len("two words")]


def test_a_setting_that_several_services_have_has_one_default() -> None:
    shown: dict[str, set[str]] = {}
    for service in ("fetcher", "scheduler"):
        for name, field in generate.service_settings(service).model_fields.items():
            shown.setdefault(name, set()).add(repr(field.default))
    assert {name: defaults for name, defaults in shown.items() if len(defaults) > 1} == {}


@pytest.mark.parametrize("model", generate.event_types(), ids=generate.schema_name)
def test_a_schema_names_type_version_and_envelope(model: Any) -> None:
    schema = json.loads((generate.SCHEMAS / generate.schema_name(model)).read_text())
    assert schema["properties"]["type"]["const"] == model.event_type
    assert schema["properties"]["dataversion"]["const"] == model.version
    assert {"specversion", "id", "source", "type", "time", "data"} <= set(schema["required"])


def test_the_asyncapi_document_refers_to_what_is_there() -> None:
    document = generate.asyncapi_document()
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == {model.event_type for model in generate.event_types()}
    for reference in _references(document):
        file, _, inside = reference.partition("#/")
        found: Any = json.loads((generate.SCHEMAS / file).read_text()) if file else document
        for name in inside.split("/") if inside else ():
            found = found[name]
        assert found
    shown = {each["name"] for message in document["components"]["messages"].values() for each in message["examples"]}
    assert {"date.edited.v1.by-serial", "date.written_back.v1", "date.write_back_failed.v1"} <= shown


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for each in part.values() for found in _references(each)]
    return [found for each in part for found in _references(each)] if isinstance(part, list) else []


@pytest.mark.parametrize("queue", topology.WORK_QUEUES, ids=lambda queue: queue.name)
def test_the_asyncapi_document_tells_what_each_queue_takes_in(queue: topology.WorkQueue) -> None:
    operations = generate.asyncapi_document()["operations"].values()
    taken = {each["channel"]["$ref"].rpartition("/")[2] for each in operations if each.get("x-queue") == queue.name}
    assert taken == set(queue.event_types)


def test_every_example_stands_in_a_contract_page() -> None:
    pages = "".join(page.read_text() for page in generate.CONTRACT_PAGES)
    examples = [path for path in generate.EXAMPLES.iterdir() if path.is_file()]
    assert len(examples) >= 5
    assert not [path.name for path in examples if path.read_text() not in pages]


def test_every_event_model_has_its_type_in_the_topology() -> None:
    assert {model.event_type for model in generate.event_types()} <= set(topology.EVENT_TYPES)


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_links_within_the_documentation_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    dead = [target for target in targets if not _exists(page, target)]
    assert not dead


def _exists(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return False
    return not anchor or anchor in _anchors(file.read_text())


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_files_that_a_page_names_exist(page: Path) -> None:
    missing = [name for name in NAMED.findall(page.read_text()) if "NNNN" not in name and not (ROOT / name).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_commands_that_a_page_names_exist(page: Path) -> None:
    known = {row.split("`")[1] for row in generate.commands_block().splitlines() if row.startswith("| `")}
    groups = {command.rpartition(" ")[0] for command in known} - {"lifecycle"}
    unknown: list[str] = []
    for word, second in re.findall(r"(?<![\w/.-])lifecycle ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", _code_of(page)):
        command = f"lifecycle {word}"
        if command in groups:
            command = f"{command} {second}".strip()
        if command not in known | groups:
            unknown.append(command)
    assert not unknown


def _code_of(page: Path) -> str:
    """What stands in code spans and blocks, where a command is meant as one."""
    text = page.read_text()
    blocks = re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return "\n".join([*blocks, *spans])


def test_reason_codes_of_the_runbook_exist() -> None:
    codes = {error.code for error in _descendants(PipelineError)} | {"bug", "crash_limit"}
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    section = runbook.split("## Parked messages")[1].split("\n## ")[0]
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert named
    assert named <= codes


def _descendants(error: type[PipelineError]) -> set[type[PipelineError]]:
    return {error, *(found for child in error.__subclasses__() for found in _descendants(child))}


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    pages = sorted(path.name for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [name for name in pages if f"({name})" not in index] == []
    assert [int(name[:4]) for name in pages] == list(range(1, len(pages) + 1))
