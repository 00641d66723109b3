"""The topology as a broker would route it: each key reaches the queues that it is for, and no other."""

import re
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import topology
from shared.topology import DEAD, EVENTS, EXCHANGES, RETRY, WORK, Queue

QUEUES = topology.queues()
BY_NAME = {queue.name: queue for queue in QUEUES}
WORK_NAMES = [queue.name for queue in topology.WORK_QUEUES]
JOURNALS = {topology.JOURNAL, topology.PAGES_JOURNAL}
words = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=8)


def matches(pattern: str, key: str) -> bool:
    """AMQP's topic rule: `*` is one word, `#` is any number of words."""
    parts = [
        r"(\.[^.]*)*" if word == "#" else r"\.[^.]*" if word == "*" else re.escape(f".{word}")
        for word in pattern.split(".")
    ]
    return re.fullmatch("".join(parts), f".{key}") is not None


def reached(exchange: str, key: str) -> set[str]:
    bindings = [(queue.name, pattern) for queue in QUEUES for where, pattern in queue.bindings if where == exchange]
    return {name for name, pattern in bindings if matches(pattern, key)}


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("*.b", "a.b", True),
        ("*.b", "a.a.b", False),
        ("*.b", "b", False),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("a.#", "ab", False),
        ("#", "", True),
        ("#", "a.b", True),
        ("#.b", "b", True),
    ],
)
def test_the_matcher_of_these_tests_is_amqps(pattern: str, key: str, expected: bool) -> None:
    assert matches(pattern, key) is expected


@pytest.mark.parametrize("event_type", topology.EVENT_TYPES)
def test_an_event_reaches_exactly_the_queues_that_list_it_and_one_journal(event_type: str) -> None:
    takers = {queue.name for queue in topology.WORK_QUEUES if event_type in queue.event_types}
    journal = topology.PAGES_JOURNAL if event_type in topology.PAGE_EVENTS else topology.JOURNAL
    journals = topology.JOURNALS if event_type == topology.JOURNAL_MARK else (journal,)
    assert reached(EVENTS, event_type) == {*takers, *journals}


@pytest.mark.parametrize("queue", topology.WORK_QUEUES, ids=lambda queue: queue.name)
def test_the_events_of_a_queue_are_kept_by_one_journal(queue: topology.WorkQueue) -> None:
    for event_type in queue.event_types:
        assert topology.journal_of(queue) in reached(EVENTS, event_type)


@given(st.lists(words, min_size=1, max_size=4).map(".".join))
@settings(max_examples=5 * settings.default.max_examples // 4)
def test_a_key_that_is_no_event_type_reaches_nothing_on_the_event_exchange(key: str) -> None:
    assert bool(reached(EVENTS, key)) is (key in topology.EVENT_TYPES)


def test_no_queue_takes_in_a_type_that_is_not_in_the_list() -> None:
    assert {name for queue in topology.WORK_QUEUES for name in queue.event_types} <= set(topology.EVENT_TYPES)
    assert set(topology.PAGE_EVENTS) <= set(topology.EVENT_TYPES)


@pytest.mark.parametrize(("delay", "queue"), list(product(topology.DELAYS, WORK_NAMES)))
def test_a_retry_waits_in_one_queue_and_comes_back_to_its_own_alone(delay: str, queue: str) -> None:
    key = topology.retry_key(delay, queue)
    (waiting,) = reached(RETRY, key)
    arguments = BY_NAME[waiting].arguments
    assert arguments["x-message-ttl"] == topology.DELAYS[delay].total_seconds() * 1000
    assert arguments["x-dead-letter-exchange"] == WORK
    assert "x-dead-letter-routing-key" not in arguments, "the key is kept, it says which queue"
    assert reached(WORK, key) == {queue}


@given(words, st.sampled_from(WORK_NAMES))
@settings(max_examples=5 * settings.default.max_examples // 4)
def test_a_redriven_message_reaches_its_queue_alone(origin: str, queue: str) -> None:
    assert reached(WORK, topology.work_key(queue, origin)) == {queue}


@pytest.mark.parametrize("queue", WORK_NAMES)
def test_what_dies_in_a_work_queue_reaches_the_dead_queue_under_its_name(queue: str) -> None:
    arguments = BY_NAME[queue].arguments
    assert (arguments["x-dead-letter-exchange"], arguments["x-dead-letter-routing-key"]) == (DEAD, queue)
    assert reached(DEAD, queue) == {topology.DEAD_QUEUE}


@pytest.mark.parametrize("queue", [queue for queue in QUEUES if "x-dead-letter-exchange" in queue.arguments])
def test_dead_lettering_is_at_least_once(queue: Queue) -> None:
    assert queue.arguments["x-queue-type"] == "quorum"
    assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
    assert queue.arguments["x-overflow"] == "reject-publish"


def test_every_queue_but_the_dead_one_and_the_journals_has_a_dead_side() -> None:
    without = {queue.name for queue in QUEUES if "x-dead-letter-exchange" not in queue.arguments}
    assert without == {topology.DEAD_QUEUE, *JOURNALS}


def test_every_queue_is_replicated_and_has_an_explicit_delivery_limit() -> None:
    assert all(
        queue.arguments["x-queue-type"] == "quorum" and queue.arguments["x-delivery-limit"] > 0
        for queue in QUEUES
        if queue.name not in JOURNALS
    )


def test_no_limit_can_delete_a_message_that_nobody_else_keeps() -> None:
    # At the limit the dead queue, which has no dead side, deletes; a waiting queue would skip its delay.
    assert BY_NAME[topology.DEAD_QUEUE].arguments["x-delivery-limit"] >= 1_000_000
    assert all(q.arguments["x-delivery-limit"] >= 1_000_000 for q in QUEUES if "x-message-ttl" in q.arguments)


def test_names_are_unique_and_every_binding_is_to_an_exchange_of_ours() -> None:
    assert len(BY_NAME) == len(QUEUES)
    assert len(set(EXCHANGES)) == len(EXCHANGES)
    assert len(set(topology.EVENT_TYPES)) == len(topology.EVENT_TYPES)
    assert {exchange for queue in QUEUES for exchange, _ in queue.bindings} == set(EXCHANGES)


def test_what_a_queue_dies_into_is_declared_before_it() -> None:
    place = {queue.name: number for number, queue in enumerate(QUEUES)}
    work_places = [place[name] for name in WORK_NAMES]
    retry_places = [place[q.name] for q in QUEUES if "x-message-ttl" in q.arguments]
    assert place[topology.DEAD_QUEUE] < min(retry_places)
    assert max(retry_places) < min(work_places)
    assert max(work_places) < min(place[name] for name in JOURNALS)


def test_a_queue_is_named_after_the_service_that_has_its_delays() -> None:
    for queue in topology.WORK_QUEUES:
        assert queue.name.startswith(f"{queue.service}.")
        assert {topology.retry_queue_name(queue.service, delay) for delay in topology.DELAYS} <= set(BY_NAME)


def test_rungs_grow() -> None:
    assert all(shorter < longer for shorter, longer in pairwise(topology.DELAYS.values()))
