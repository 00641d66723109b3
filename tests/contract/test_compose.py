"""The container files fit the code: a stanza for each service, health checks, the private key where it belongs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifecycle.deployment import make_secrets
from lifecycle.rights.broker import COMMAND, DECLARER, all_rights
from lifecycle.rights.database import PARTS
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
LOGIN = "/secrets/login"


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


def test_the_broker_starts_again_after_the_job_that_makes_its_users_was_replaced() -> None:
    # A new version may have another queue: without this a recent Compose leaves the broker with the old rights, and the
    # job `topology` is refused.
    assert STANZAS["rabbitmq"]["depends_on"]["secrets"]["restart"] is True


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


def _login(name: str) -> str | None:
    """The volume that a container logs in with."""
    mounts = [mount.split(":") for mount in STANZAS[name].get("volumes", [])]
    found = [mount[0] for mount in mounts if mount[1] == LOGIN]
    assert len(found) <= 1
    return found[0] if found else None


def test_no_two_containers_share_a_login() -> None:
    logins = {name: login for name in STANZAS if (login := _login(name))}
    assert {**logins} == {
        **{name: f"secrets-{name}" for name in (*PROGRAMS, "cli", "keys", "topology")},
        "migrate": "secrets-owner",
    }
    # But for the job that makes them.
    for volume in logins.values():
        assert len([name for name in STANZAS if volume in _volumes(name)]) == 2
        assert volume in _volumes("secrets")


def test_whoever_logs_in_somewhere_has_a_role_or_a_user_of_its_own() -> None:
    needs = {name: set(STANZAS[name].get("environment") or {}) for name in OURS}
    database = {name for name, variables in needs.items() if "LIFECYCLE_DATABASE_URL_FILE" in variables}
    broker = {name for name, variables in needs.items() if "LIFECYCLE_AMQP_URL_FILE" in variables}
    assert database == {*PARTS, "migrate"}
    assert broker == {rights.part for rights in all_rights()} == {*PROGRAMS, COMMAND, DECLARER}


def test_every_file_that_a_container_is_told_of_is_made_in_what_it_mounts(tmp_path: Path) -> None:
    made = {str(path.relative_to(tmp_path)) for path in make_secrets(tmp_path)}
    targets = {mount.split(":")[0]: mount.split(":")[1] for mount in STANZAS["secrets"]["volumes"]}
    assert {f"/secrets/{name.partition('/')[0]}" for name in made} == set(targets.values())
    for name in set(OURS) - {"secrets"}:
        mounts = [mount.split(":") for mount in STANZAS[name].get("volumes", [])]
        words = [*(STANZAS[name].get("environment") or {}).values(), *STANZAS[name]["command"]]
        for path in [str(word) for word in words if str(word).startswith("/secrets/")]:
            volume = next(mount[0] for mount in mounts if path.startswith(f"{mount[1]}/"))
            assert f"{targets[volume].removeprefix('/secrets/')}/{Path(path).name}" in made, f"{name}: {path}"


def test_every_folder_of_secrets_stands_in_the_image_and_belongs_to_its_user() -> None:
    # A volume takes the owner of the folder that it is first mounted over.
    made = re.search(r"mkdir -p ((?:/secrets/\S+|\\\s|\s)+)", DOCKERFILE)
    assert made is not None
    folders = {word for word in made.group(1).split() if word.startswith("/")}
    assert {mount.split(":")[1] for mount in STANZAS["secrets"]["volumes"]} | {LOGIN} == folders


def test_the_database_is_granted_anew_by_the_step_that_migrates() -> None:
    assert STANZAS["migrate"]["command"] == ["lifecycle", "migrate", "--roles", f"{LOGIN}/roles.json"]


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
