"""What each user of the broker may do, made from the topology: a new queue has its rights without a line here.

A service consumes its own queues, publishes to the exchanges that it needs, makes the bindings of its own queues again
(docs/adr/0026), and declares nothing. Topic permissions narrow that to its own keys: without them a service could bind
its queue to every event, or publish what another one is believed for.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared import topology

COMMAND = "cli"
DECLARER = "topology"
# Empty is a key too, and the broker takes an empty pattern for `^$`.
NOTHING = "(?!)"
ANYTHING = ".*"
_NO_NAME = "^$"


@dataclass(frozen=True)
class Topic:
    """Which routing keys may be published to an exchange, and with which a queue may be bound to it."""

    exchange: str
    write: str
    read: str


@dataclass(frozen=True)
class Rights:
    """The patterns of one user: names that it may declare or delete (configure), publish or bind to, and read."""

    part: str
    configure: str
    write: str
    read: str
    topics: tuple[Topic, ...]
    tags: tuple[str, ...] = ()

    @property
    def user(self) -> str:
        """The name of the user."""
        return user_of(self.part)


def user_of(part: str) -> str:
    """The broker's user of a program."""
    return f"lifecycle_{part}"


def all_rights() -> list[Rights]:
    """Those of every service, of the command and of the one who declares."""
    return [*map(_service, (*topology.SERVICES, topology.SCHEDULER)), _command(), _declarer()]


def definitions(passwords: Mapping[str, str], vhost: str = "/") -> dict[str, Any]:
    """What a broker imports: the virtual host, and each user with the hash of its password and its rights."""
    everybody = all_rights()
    return {
        "vhosts": [{"name": vhost}],
        "users": [
            {
                "name": each.user,
                "password_hash": password_hash(passwords[each.part]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": list(each.tags),
            }
            for each in everybody
        ],
        "permissions": [
            {"user": each.user, "vhost": vhost, "configure": each.configure, "write": each.write, "read": each.read}
            for each in everybody
        ],
        "topic_permissions": [
            {"user": each.user, "vhost": vhost, "exchange": topic.exchange, "write": topic.write, "read": topic.read}
            for each in everybody
            for topic in each.topics
        ],
    }


def password_hash(password: str) -> str:
    """The hash as the broker keeps it: four bytes of salt, and SHA-256 of salt and password.

    The salt comes from the password, which is random: the same file again and again, and no two users' salts are alike.
    """
    salt = hashlib.sha256(b"salt of " + password.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _service(service: str) -> Rights:
    kept = topology.kept_by(service)
    works = [queue.name for queue in topology.WORK_QUEUES if queue.service == service]
    sources = dict.fromkeys(exchange for queue in kept for exchange, _ in queue.bindings)
    # Whoever takes the dead queue has neither delays nor a dead side: what it cannot store it holds.
    writes = {topology.EVENTS: _exactly(topology.PUBLISHES[service])}
    if works:
        writes[topology.RETRY] = _exactly(
            topology.retry_key(delay, name) for delay in topology.DELAYS for name in works
        )
        writes[topology.DEAD] = _exactly(works)
    return Rights(
        service,
        configure=_NO_NAME,
        # To bind a queue is to write to it.
        write=_exactly([*writes, *(queue.name for queue in kept)]),
        read=_exactly([*sources, *(works or [topology.DEAD_QUEUE])]),
        topics=tuple(
            Topic(exchange, writes.get(exchange, NOTHING), _keys_bound(kept, exchange))
            for exchange in topology.EXCHANGES
            if exchange in {*writes, *sources}
        ),
    )


def _command() -> Rights:
    """Publishes, sends back what was parked, reads the journals, and looks at every queue; takes nothing out of any."""
    works = [queue.name for queue in topology.WORK_QUEUES]
    writes = {
        topology.EVENTS: _exactly(topology.PUBLISHES[COMMAND]),
        topology.WORK: _exactly(topology.work_key(name, origin) for name in works for origin in topology.ORIGINS),
    }
    return Rights(
        COMMAND,
        configure=_NO_NAME,
        # From 4.3 on the broker tells only those of a queue or an exchange who have some right to it. This one is of no
        # use by itself: to bind takes the right to read the exchange as well, and the keys are narrowed below.
        write=_exactly([*topology.EXCHANGES, *(queue.name for queue in topology.queues())]),
        # A journal keeps what is read.
        read=_exactly(topology.JOURNALS),
        topics=tuple(Topic(exchange, writes.get(exchange, NOTHING), NOTHING) for exchange in topology.EXCHANGES),
        # For the bindings of its virtual host in the management API, which shows it nothing else.
        tags=("management",),
    )


def _declarer() -> Rights:
    """Declares everything, and publishes nothing."""
    queues = topology.queues()
    names = [queue.name for queue in queues]
    targets = dict.fromkeys(queue.arguments.get("x-dead-letter-exchange") for queue in queues)
    everything = _exactly([*topology.EXCHANGES, *names])
    return Rights(
        DECLARER,
        configure=everything,
        # A queue that dead-letters is declared by those only who may read it and write to its target.
        write=_exactly([*names, *(target for target in targets if target)]),
        read=everything,
        topics=tuple(Topic(exchange, NOTHING, ANYTHING) for exchange in topology.EXCHANGES),
    )


def _keys_bound(queues: Iterable[topology.Queue], exchange: str) -> str:
    return _exactly(key for queue in queues for source, key in queue.bindings if source == exchange)


def _exactly(names: Iterable[str]) -> str:
    """A pattern of these and nothing else."""
    distinct = list(dict.fromkeys(names))
    return f"^({'|'.join(map(re.escape, distinct))})$" if distinct else NOTHING
