"""Who may do what on the broker: from the topology, so that a queue has its rights where it has its name."""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Final

import pytest

from lifecycle.rights.broker import COMMAND, DECLARER, Rights, all_rights, definitions, password_hash, user_of
from shared import topology

RIGHTS: Final = {each.part: each for each in all_rights()}
SERVICES: Final = (*topology.SERVICES, topology.SCHEDULER)
QUEUES: Final = [queue.name for queue in topology.queues()]
NAMES: Final = [*topology.EXCHANGES, *QUEUES]
FOREIGN: Final = ("", "amq.default", "amq.topic", "writer.pages.v2", "xwriter.pages", "lifecycle-events", "writerXs")
PASSWORDS: Final = {part: f"password of {part}" for part in RIGHTS}


def may(pattern: str) -> Callable[[str], bool]:
    """What a pattern lets through, as the broker asks: anywhere in the name."""
    return lambda name: re.search(pattern, name) is not None


def allowed(pattern: str, names: list[str]) -> set[str]:
    return set(filter(may(pattern), names))


def topic(rights: Rights, exchange: str) -> tuple[Callable[[str], bool], Callable[[str], bool]]:
    """What may be published there, and bound."""
    found = [each for each in rights.topics if each.exchange == exchange]
    assert len(found) == 1, f"without a topic permission {rights.part} may use any key on {exchange}"
    return may(found[0].write), may(found[0].read)


def test_every_service_has_a_user_of_its_own() -> None:
    assert set(RIGHTS) == {*SERVICES, COMMAND, DECLARER}
    assert len({each.user for each in RIGHTS.values()}) == len(RIGHTS)


@pytest.mark.parametrize("part", [*SERVICES, COMMAND])
def test_only_the_declarer_declares_and_deletes(part: str) -> None:
    assert allowed(RIGHTS[part].configure, [*NAMES, *FOREIGN]) == {""}
    assert allowed(RIGHTS[DECLARER].configure, [*NAMES, *FOREIGN]) == set(NAMES)


@pytest.mark.parametrize("part", SERVICES)
def test_a_service_consumes_its_own_queues_and_no_others(part: str) -> None:
    own = {queue.name for queue in topology.WORK_QUEUES if queue.service == part} or {topology.DEAD_QUEUE}
    read = allowed(RIGHTS[part].read, [*NAMES, *FOREIGN])
    assert {name for name in read if name in QUEUES} == own
    assert read - own == {exchange for queue in topology.kept_by(part) for exchange, _ in queue.bindings} - own


@pytest.mark.parametrize("part", SERVICES)
def test_a_service_makes_all_bindings_of_its_own_queues_again(part: str) -> None:
    rights = RIGHTS[part]
    for queue in topology.kept_by(part):
        assert may(rights.write)(queue.name)
        for exchange, key in queue.bindings:
            assert may(rights.read)(exchange)
            assert topic(rights, exchange)[1](key)


@pytest.mark.parametrize("part", SERVICES)
def test_a_service_binds_no_queue_to_what_is_not_its_own(part: str) -> None:
    own = {(exchange, key) for queue in topology.kept_by(part) for exchange, key in queue.bindings}
    every = {(exchange, key) for queue in topology.queues() for exchange, key in queue.bindings}
    readable = {(exchange, key) for exchange, key in every if may(RIGHTS[part].read)(exchange)}
    assert {pair for pair in readable if topic(RIGHTS[part], pair[0])[1](pair[1])} == own
    foreign = {queue.name for queue in topology.queues()} - {queue.name for queue in topology.kept_by(part)}
    # One name for the dead exchange and the dead queue: who may park may bind the queue too.
    assert allowed(RIGHTS[part].write, sorted(foreign)) <= {topology.DEAD_QUEUE}


@pytest.mark.parametrize("part", topology.SERVICES)
def test_a_service_delays_and_parks_messages_of_its_own_queues(part: str) -> None:
    rights = RIGHTS[part]
    for queue in topology.WORK_QUEUES:
        own = queue.service == part
        assert topic(rights, topology.DEAD)[0](queue.name) is own
        for delay in topology.DELAYS:
            assert topic(rights, topology.RETRY)[0](topology.retry_key(delay, queue.name)) is own


@pytest.mark.parametrize("part", SERVICES)
def test_a_service_publishes_to_no_exchange_but_its_own(part: str) -> None:
    wanted = {topology.EVENTS, topology.DEAD, *([topology.RETRY] if part in topology.SERVICES else [])}
    assert allowed(RIGHTS[part].write, [*topology.EXCHANGES, *FOREIGN]) == wanted
    # The dead queue has the name of the exchange; nobody parks into it who takes out of it.
    if part == topology.SCHEDULER:
        assert not any(map(topic(RIGHTS[part], topology.DEAD)[0], ["", *QUEUES]))


@pytest.mark.parametrize("part", [*SERVICES, COMMAND])
def test_events_are_published_by_those_only_who_are_listed(part: str) -> None:
    publish = topic(RIGHTS[part], topology.EVENTS)[0]
    assert set(filter(publish, [*topology.EVENT_TYPES, "", "date.edited.more"])) == set(topology.PUBLISHES[part])


def test_every_event_is_published_by_somebody_and_the_scheduler_sweeps_any() -> None:
    others = {name for part, names in topology.PUBLISHES.items() if part != topology.SCHEDULER for name in names}
    assert others == set(topology.EVENT_TYPES)
    assert set(topology.PUBLISHES[topology.SCHEDULER]) == set(topology.EVENT_TYPES)
    assert set(topology.PUBLISHES) == {*SERVICES, COMMAND}


def test_the_command_looks_at_everything_and_takes_nothing() -> None:
    command = RIGHTS[COMMAND]
    # A journal keeps what is read.
    assert allowed(command.read, [*NAMES, *FOREIGN]) == set(topology.JOURNALS)
    # From RabbitMQ 4.3 on it takes some right to be told whether a queue stands.
    assert allowed(command.write, NAMES) == set(NAMES)
    for origin in topology.ORIGINS:
        keys = [topology.work_key(queue.name, origin) for queue in topology.WORK_QUEUES]
        assert all(map(topic(command, topology.WORK)[0], keys))
    for exchange in (topology.RETRY, topology.DEAD):
        assert not any(map(topic(command, exchange)[0], ["", *QUEUES, topology.retry_key("5s", "writer.pages")]))
    assert command.tags == ("management",)


def test_nobody_else_sees_the_management_api_and_nobody_administers() -> None:
    assert {part for part, each in RIGHTS.items() if each.tags} == {COMMAND}


def test_the_declarer_publishes_nothing() -> None:
    for exchange in topology.EXCHANGES:
        publish, bind = topic(RIGHTS[DECLARER], exchange)
        assert not any(map(publish, ["", *topology.EVENT_TYPES, *QUEUES]))
        assert all(bind(key) for queue in topology.queues() for source, key in queue.bindings if source == exchange)


def test_the_definitions_hold_hashes_and_no_password() -> None:
    made = definitions(PASSWORDS, "/rights")
    assert made == definitions(PASSWORDS, "/rights")
    assert not any(password in str(made) for password in PASSWORDS.values())
    for user in made["users"]:
        part = next(part for part in RIGHTS if user_of(part) == user["name"])
        kept = base64.b64decode(user["password_hash"])
        assert kept[4:] == hashlib.sha256(kept[:4] + PASSWORDS[part].encode()).digest()
    assert {(each["user"], each["vhost"]) for each in made["permissions"]} == {
        (each.user, "/rights") for each in RIGHTS.values()
    }
    assert len({password_hash(password)[:5] for password in PASSWORDS.values()}) == len(PASSWORDS)
