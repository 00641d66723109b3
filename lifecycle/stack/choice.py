"""Which broker and which database: the first that works, in an order that never touches what already runs.

Addresses in the environment, a Docker engine, servers installed on this machine, for Postgres the programs of a
wheel, and as root on Debian or Ubuntu the system's packages. A stack that has data stays with what it was started
on, so that nobody finds an empty database after installing Docker.
"""

from collections.abc import Callable
from contextlib import suppress

from lifecycle.exits import Failure
from lifecycle.settings import CommandSettings
from lifecycle.stack import debian
from lifecycle.stack.binaries import find_postgres, find_rabbitmq, find_wheel_postgres
from lifecycle.stack.broker import LocalBroker
from lifecycle.stack.containers import ContainerBroker, ContainerDatabase, kept_password
from lifecycle.stack.database import LocalPostgres
from lifecycle.stack.docker_engine import BROKER_IMAGE, DATABASE_IMAGE, container_name, engine_has
from lifecycle.stack.given import GivenBroker, GivenDatabase
from lifecycle.stack.layout import Layout
from lifecycle.stack.servers import Broker, Database

Say = Callable[[str], None]


async def choose_broker(layout: Layout, settings: CommandSettings, say: Say, *, throwaway: bool = False) -> Broker:
    """The broker of this stack, not yet started; raises `Failure` with what to install where there is none."""
    if settings.amqp_url is not None:
        management = settings.management_url.get_secret_value() if settings.management_url is not None else None
        return GivenBroker(settings.amqp_url.get_secret_value(), management)
    has_data = (layout.broker / "identity.json").is_file()
    if settings.docker and not has_data and await engine_has(BROKER_IMAGE, say):
        name = container_name(layout.root, "broker")
        password = None if throwaway else kept_password(layout.keys)
        return ContainerBroker(name, password, volume=None if throwaway else name)
    binaries = find_rabbitmq(settings.rabbitmq_bin)
    if binaries is None and debian.can_install():
        say("installing rabbitmq-server by apt-get; its service is not started")
        log = layout.logs / "apt-get.log"
        with suppress(Failure):  # what to do instead is said below
            await debian.install(["rabbitmq-server"], ["rabbitmq-server.service"], log)
        binaries = find_rabbitmq(settings.rabbitmq_bin)
    if binaries is None:
        raise Failure(
            "there is no RabbitMQ: no address, no Docker engine that answers, none installed",
            "set LIFECYCLE_AMQP_URL, start Docker, or install it (Debian and Ubuntu: apt-get install rabbitmq-server; "
            "macOS: brew install rabbitmq)",
        )
    return LocalBroker(layout.broker, binaries, log=layout.logs / "broker.log", throwaway=throwaway)


async def choose_database(layout: Layout, settings: CommandSettings, say: Say, *, throwaway: bool = False) -> Database:
    """The database of this stack, not yet started; raises `Failure` with what to install where there is none."""
    if settings.database_url is not None:
        return GivenDatabase(settings.database_url.get_secret_value())
    has_data = (layout.database / "identity.json").is_file()
    if settings.docker and not has_data and await engine_has(DATABASE_IMAGE, say):
        name = container_name(layout.root, "database")
        password = None if throwaway else kept_password(layout.keys)
        return ContainerDatabase(name, password, volume=None if throwaway else name)
    binaries = find_postgres(settings.postgres_bin) or find_wheel_postgres(layout)
    if binaries is None and debian.can_install():
        say("installing postgresql by apt-get; its service is not started")
        log = layout.logs / "apt-get.log"
        with suppress(Failure):  # what to do instead is said below
            await debian.install(["postgresql"], ["postgresql.service"], log)
        binaries = find_postgres(settings.postgres_bin)
    if binaries is None:
        raise Failure(
            "there is no Postgres: no address, no Docker engine that answers, none installed",
            "set LIFECYCLE_DATABASE_URL, start Docker, or: pip install 'lifecycle-sync[local]'",
        )
    return LocalPostgres(layout.database, binaries, log=layout.logs / "database.log", throwaway=throwaway)
