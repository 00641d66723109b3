"""The files and settings of a stack: state, lock, layout, keys, environments of services, ports."""

import json
import os
import socket
from pathlib import Path

import pytest

from lifecycle.deployment import make_secrets
from lifecycle.exits import NotFound, Refused, WrongUsage
from lifecycle.rights.broker import all_rights, definitions
from lifecycle.rights.database import PARTS, read_verifiers, role_of, verifier
from lifecycle.settings import CommandSettings
from lifecycle.stack import debian
from lifecycle.stack.keys import ensure_keys, ensure_simulator_secret
from lifecycle.stack.layout import Layout, layout, reachable
from lifecycle.stack.plan import Plan, parse_scale
from lifecycle.stack.ports import free_ports, is_free
from lifecycle.stack.servers import login_of, with_path, without_password
from lifecycle.stack.services import SERVICES, ServiceAddresses, service_environment
from lifecycle.stack.state import (
    ProcessRecord,
    StackState,
    is_supervised,
    read_state,
    sole_supervisor,
    write_state,
)
from shared.secrets import PrivateKeyRing, PublicKeyRing

ADDRESSES = ServiceAddresses("amqp://b", "postgresql://d", "http://rmm", Path("/keys/private"), Path("/keys/public"))
FETCHER = next(service for service in SERVICES if service.name == "fetcher")
WRITER = next(service for service in SERVICES if service.name == "writer")


def test_a_state_is_read_as_it_was_written_and_by_its_owner_only(tmp_path: Path) -> None:
    state = StackState(
        phase="ready",
        supervisor_pid=7,
        supervisor_started="x/1",
        steps=("one", "two"),
        amqp_url="amqp://u:p@h/",
        processes=(ProcessRecord("service", "writer", 1, 8, "x/2", "http://h", ready=True, restarts=3, log="l"),),
    )
    path = tmp_path / "stack.json"

    write_state(path, state)

    assert read_state(path) == state
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_state_of_another_version_is_as_none(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    for text in ("", "[]", '{"processes": []}', '{"processes": [], "steps": [], "containers": [], "new": 1}'):
        path.write_text(text)
        assert read_state(path) is None


def test_there_is_one_supervisor_at_most(tmp_path: Path) -> None:
    lock = tmp_path / "stack.lock"
    assert not is_supervised(lock)
    with sole_supervisor(lock):
        assert is_supervised(lock)
        with pytest.raises(Refused, match="already running"), sole_supervisor(lock):
            pass
    assert not is_supervised(lock)


def test_the_folder_is_that_of_the_checkout_unless_another_is_given(tmp_path: Path) -> None:
    assert layout(None).root == Path(__file__).resolve().parents[3] / ".local"
    assert layout(tmp_path).root == tmp_path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as somebody else")
def test_a_folder_that_others_cannot_pass_to_has_a_stand_in(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    assert reachable(closed / "local") != closed / "local"
    assert reachable(closed / "local") == reachable(closed / "local")
    assert reachable(closed / "local") != reachable(closed / "other")
    assert reachable(Path("/usr/lib/x")) == Path("/usr/lib/x")


def test_keys_fit_each_other_and_stay(tmp_path: Path) -> None:
    stack = Layout(tmp_path)
    stack.create()
    files = ensure_keys(stack, CommandSettings())
    first = files.private.read_text()

    again = ensure_keys(stack, CommandSettings())

    assert again.private.read_text() == first
    assert again.private.stat().st_mode & 0o777 == 0o600
    private = PrivateKeyRing.from_text(first)
    assert private.key_ids == PublicKeyRing.from_text(again.sealing.read_text()).key_ids
    assert ensure_simulator_secret(stack) == ensure_simulator_secret(stack)


def test_only_who_talks_to_the_rmm_gets_the_private_keys() -> None:
    inherited = {"PATH": "/bin", "LIFECYCLE_SECRET_KEYS": "canary", "LIFECYCLE_SECRET_KEYS_FILE": "/canary"}

    fetcher = service_environment(FETCHER, inherited, ADDRESSES, 1)
    writer = service_environment(WRITER, inherited, ADDRESSES, 2)

    assert fetcher["LIFECYCLE_SECRET_KEYS_FILE"] == "/keys/private"
    assert not [name for name, value in writer.items() if "SECRET_KEYS" in name or "canary" in value]
    assert writer["LIFECYCLE_SEALING_KEY_FILE"] == "/keys/public"


def test_a_service_gets_the_addresses_and_keeps_what_it_inherits() -> None:
    given = service_environment(WRITER, {"PATH": "/bin", "LIFECYCLE_LOG_LEVEL": "DEBUG"}, ADDRESSES, 4711)

    assert given["LIFECYCLE_AMQP_URL"] == "amqp://b"
    assert given["LIFECYCLE_DATABASE_URL"] == "postgresql://d"
    assert given["LIFECYCLE_RMM_BASE_URL"] == "http://rmm"
    assert given["LIFECYCLE_HTTP_PORT"] == "4711"
    assert given["LIFECYCLE_LOG_LEVEL"] == "DEBUG"


def test_a_plan_survives_the_command_line() -> None:
    plan = Plan({"writer": 3}, simulator=False, devices=7)
    assert Plan.from_json(plan.to_json()) == plan
    assert (plan.replicas("writer"), plan.replicas("fetcher")) == (3, 1)


def test_scale_is_read_from_one_or_several_options() -> None:
    assert parse_scale(["writer=2,fetcher=0", "scheduler=1"], ["writer", "fetcher", "scheduler"]) == {
        "writer": 2,
        "fetcher": 0,
        "scheduler": 1,
    }


@pytest.mark.parametrize("word", ["writer", "writer=", "writer=x", "writer=-1", "nobody=1"])
def test_a_scale_that_cannot_be_read_is_wrong_usage(word: str) -> None:
    with pytest.raises(WrongUsage):
        parse_scale([word], ["writer"])


def test_free_ports_are_distinct_and_free() -> None:
    ports = free_ports(20)

    assert len(set(ports)) == 20
    with socket.create_server(("127.0.0.1", ports[0])):
        assert not is_free(ports[0])
        assert is_free(ports[1])


def test_addresses_are_quoted_and_shown_without_their_password() -> None:
    url = "amqp://user:p%40ss@host:5672/"
    assert with_path(url, "a/b c") == "amqp://user:p%40ss@host:5672/a%2Fb%20c"
    assert login_of(url) == ("user", "p@ss")
    assert without_password(url) == "amqp://host:5672/"


def test_services_may_not_start_during_an_installation_and_the_old_policy_comes_back(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")

    def fail_during_installation() -> None:
        with debian.no_service_starts(policy):
            assert "exit 101" in policy.read_text()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_during_installation()

    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_a_policy_that_was_left_by_a_killed_installation_is_not_kept(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with debian.no_service_starts(policy):
        left = policy.read_text()
    assert not policy.exists()
    policy.write_text(left)

    with debian.no_service_starts(policy):
        pass

    assert not policy.exists()


def test_a_deployment_gets_secrets_that_fit_each_other_and_are_made_once(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    before = {path: path.read_text() for path in made}

    assert make_secrets(tmp_path) == []
    assert {path: path.read_text() for path in made} == before
    owner = login_of((tmp_path / "owner/database_url").read_text())
    assert owner == ("lifecycle", (tmp_path / "postgres/password").read_text())
    command = login_of((tmp_path / "cli/amqp_url").read_text())
    assert login_of((tmp_path / "cli/management_url").read_text()) == command
    verifiers = read_verifiers(tmp_path / "owner/roles.json")
    assert verifiers == {
        role_of(part): verifier(login_of((tmp_path / part / "database_url").read_text())[1]) for part in PARTS
    }
    passwords = {rights.part: login_of((tmp_path / rights.part / "amqp_url").read_text())[1] for rights in all_rights()}
    assert json.loads((tmp_path / "rabbitmq/definitions.json").read_text()) == definitions(passwords)
    broker = (tmp_path / "rabbitmq/conf/node.conf").read_text()
    assert "load_definitions = /secrets/definitions.json\n" in broker
    assert "disk_free_limit.absolute = 2GB\n" in broker
    private = PrivateKeyRing.from_text((tmp_path / "private/secret-keys").read_text())
    assert private.key_ids == PublicKeyRing.from_text((tmp_path / "public/sealing-key").read_text()).key_ids


def test_no_password_of_a_deployment_stands_in_two_folders(tmp_path: Path) -> None:
    texts = {path: path.read_text() for path in make_secrets(tmp_path)}
    logins = {path: login_of(text) for path, text in texts.items() if "://" in text}
    assert {user for user, _ in logins.values()} == {
        "lifecycle",
        *(role_of(part) for part in PARTS),
        *(rights.user for rights in all_rights()),
    }
    for path, (_, password) in logins.items():
        readers = {other.parent.name for other, text in texts.items() if password in text}
        # The server of the database makes its owner with it.
        assert readers == {path.parent.name, *(["postgres"] if path.parent.name == "owner" else [])}


def test_a_deployment_of_one_login_keeps_its_owner_and_gets_the_others(tmp_path: Path) -> None:
    for name, text in {
        "postgres/password": "of the owner",
        "rabbitmq/20-login.conf": "default_user = lifecycle\ndefault_pass = of everybody\n",
        "services/database_url": "postgresql://lifecycle:of%20the%20owner@postgres:5432/lifecycle",
    }.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)

    made = {str(path.relative_to(tmp_path)) for path in make_secrets(tmp_path)}

    assert {"owner/database_url", "writer/database_url", "writer/amqp_url", "rabbitmq/definitions.json"} <= made
    assert login_of((tmp_path / "owner/database_url").read_text())[1] == "of the owner"
    assert "of everybody" in (tmp_path / "rabbitmq/20-login.conf").read_text()


def test_what_the_servers_are_told_follows_the_version_and_passwords_stay(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    told = (tmp_path / "rabbitmq/definitions.json", tmp_path / "owner/roles.json")
    before = [path.read_text() for path in told]
    for path in told:
        path.write_text("{}")

    assert set(make_secrets(tmp_path)) == set(told)
    assert [path.read_text() for path in told] == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"lifecycle_writer": "plain"}'])
def test_a_file_of_roles_that_is_none_is_refused_with_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "roles.json"
    with pytest.raises(NotFound):
        read_verifiers(path)
    path.write_text(text)
    with pytest.raises(Refused) as refused:
        read_verifiers(path)
    assert "secrets deployment" in str(refused.value.next_step)


def test_addresses_may_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("amqp://from-a-file/\n")
    monkeypatch.delenv("LIFECYCLE_AMQP_URL", raising=False)
    monkeypatch.setenv("LIFECYCLE_AMQP_URL_FILE", str(tmp_path / "url"))

    found = CommandSettings().amqp_url

    assert found is not None
    assert found.get_secret_value() == "amqp://from-a-file/"
