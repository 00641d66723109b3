"""The files and settings of a stack: state, lock, layout, keys, environments of services, ports."""

import os
import socket
from pathlib import Path

import pytest

from lifecycle.deployment import make_secrets
from lifecycle.exits import Refused, WrongUsage
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
    _, database_password = login_of((tmp_path / "services/database_url").read_text())
    assert database_password == (tmp_path / "postgres/password").read_text()
    _, broker_password = login_of((tmp_path / "services/amqp_url").read_text())
    assert login_of((tmp_path / "services/management_url").read_text()) == ("lifecycle", broker_password)
    broker = (tmp_path / "rabbitmq/20-login.conf").read_text()
    assert f"default_pass = {broker_password}\n" in broker
    assert "disk_free_limit.absolute = 2GB\n" in broker
    private = PrivateKeyRing.from_text((tmp_path / "private/secret-keys").read_text())
    assert private.key_ids == PublicKeyRing.from_text((tmp_path / "public/sealing-key").read_text()).key_ids


def test_addresses_may_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("amqp://from-a-file/\n")
    monkeypatch.delenv("LIFECYCLE_AMQP_URL", raising=False)
    monkeypatch.setenv("LIFECYCLE_AMQP_URL_FILE", str(tmp_path / "url"))

    found = CommandSettings().amqp_url

    assert found is not None
    assert found.get_secret_value() == "amqp://from-a-file/"
