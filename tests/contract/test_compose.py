"""The container files fit the code: a stanza for each service, health checks, the private key where it belongs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifecycle.stack.services import SERVICES, installed_services
from shared.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
STANZAS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
INIT_JOBS = {"secrets", "migrate", "topology"}
OURS = sorted(name for name, stanza in STANZAS.items() if stanza["image"] == "lifecycle-sync")
PROGRAMS = [service.name for service in installed_services()]
OPENERS = {service.name for service in SERVICES if service.opens_secrets}
PRIVATE = "secrets-private"


def _volumes(name: str) -> dict[str, str]:
    """Volume by its mode; nothing of the machine's own is mounted."""
    mounts = [mount.split(":") for mount in STANZAS[name].get("volumes", [])]
    return {mount[0]: mount[2] if len(mount) > 2 else "rw" for mount in mounts}


def _waits_for(name: str) -> dict[str, str]:
    return {on: wait["condition"] for on, wait in STANZAS[name].get("depends_on", {}).items()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_service_has_a_stanza_that_starts_it_and_looks_whether_it_is_ready(name: str) -> None:
    stanza = STANZAS[name]
    assert stanza["command"] == ["python", "-m", f"services.{name}"]
    assert "/health/ready" in stanza["healthcheck"]["test"][-1]
    assert stanza["restart"] == "unless-stopped"
    assert "profiles" not in stanza


@pytest.mark.parametrize("name", sorted(STANZAS.keys() - INIT_JOBS - {"cli", "keys"}))
def test_whatever_stays_up_has_a_health_check_and_comes_back(name: str) -> None:
    stanza = STANZAS[name]
    assert stanza["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert stanza["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_service_gets_longer_to_stop_than_it_takes(name: str) -> None:
    shutdown = ServiceSettings.model_fields["shutdown_seconds"].default
    assert float(STANZAS[name]["stop_grace_period"].removesuffix("s")) > shutdown


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_service_starts_after_migrations_and_topology(name: str) -> None:
    assert _waits_for(name) == dict.fromkeys(("migrate", "topology"), "service_completed_successfully")


def test_jobs_are_waited_for_until_they_succeeded_and_servers_until_they_are_healthy() -> None:
    for name in STANZAS:
        for on, condition in _waits_for(name).items():
            assert condition == ("service_completed_successfully" if on in INIT_JOBS else "service_healthy"), name
    assert _waits_for("postgres") == _waits_for("rabbitmq") == {"secrets": "service_completed_successfully"}
    assert _waits_for("migrate") == {"postgres": "service_healthy"}
    assert _waits_for("topology") == {"rabbitmq": "service_healthy"}
    assert not any("restart" in STANZAS[job] for job in INIT_JOBS)


def test_only_who_talks_to_the_rmm_has_the_private_key() -> None:
    readers = {name for name in STANZAS if PRIVATE in _volumes(name)}
    # Two that run and end: the first makes it, the other changes it when a person calls it.
    assert readers == OPENERS & STANZAS.keys() | {"secrets", "keys"}
    assert STANZAS["keys"]["profiles"] == ["cli"]
    assert {_volumes(name)[PRIVATE] for name in OPENERS} == {"ro"}
    named = {name for name in STANZAS if "LIFECYCLE_SECRET_KEYS_FILE" in (STANZAS[name].get("environment") or {})}
    assert named == OPENERS | {"keys"}


def test_secrets_come_as_files() -> None:
    secret = re.compile(r"PASS|SECRET|_KEY|COOKIE|_URL")
    for name, stanza in STANZAS.items():
        for variable in stanza.get("environment") or {}:
            plain = secret.search(variable) and not variable.endswith("_FILE")
            assert not plain or variable == "LIFECYCLE_RMM_BASE_URL", f"{name}: {variable}"


def test_every_secret_is_mounted_read_only_but_where_it_is_made() -> None:
    for name in STANZAS.keys() - {"secrets", "keys"}:
        modes = {mode for volume, mode in _volumes(name).items() if volume.startswith("secrets-")}
        assert modes <= {"ro"}, name
    assert {volume for name in STANZAS for volume in _volumes(name)} == set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_do_little(name: str) -> None:
    stanza = STANZAS[name]
    assert stanza["read_only"] is True
    assert stanza["cap_drop"] == ["ALL"]
    assert stanza["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in stanza
    assert "ports" not in stanza


def test_the_image_is_built_once() -> None:
    assert [name for name in OURS if "build" in STANZAS[name]] == ["secrets"]
    assert {STANZAS[name]["pull_policy"] for name in OURS} == {"never"}


def test_the_image_is_built_without_fetching_a_frontend_and_does_not_run_as_root() -> None:
    assert not re.search(r"^#\s*syntax\s*=", DOCKERFILE, re.MULTILINE | re.IGNORECASE)
    last_stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.findall(r"^USER (\d+)", last_stage, re.MULTILINE) == ["10001"]


def test_all_that_the_image_copies_passes_the_ignore_file() -> None:
    copied = set(re.findall(r"^COPY (\S+) ", DOCKERFILE, re.MULTILINE)) - {"--from=packages"}
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    assert copied == {line[1:] for line in lines if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)
