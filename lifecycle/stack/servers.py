"""What the stack and the tests need of a broker and of a database, wherever they come from."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from lifecycle.stack.processes import ProcessId


@dataclass(frozen=True)
class NamedProcess:
    """A process of a server, with what it is."""

    name: str
    identity: ProcessId


class Server(Protocol):
    """A broker or a database. Starting what runs and stopping what does not are both harmless."""

    @property
    def description(self) -> str:
        """What it is and where, in a few words and without a password."""
        ...

    async def start(self) -> None:
        """Starts it with the ports and the data it had before; returns when it takes connections."""
        ...

    async def stop(self) -> None:
        """Stops it cleanly."""
        ...

    async def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        ...

    def running(self) -> bool:
        """Whether its process still runs; says nothing of whether it answers."""
        ...

    def processes(self) -> list[NamedProcess]:
        """The processes that are ours to end; none where the server is somebody else's."""
        ...


class Broker(Server, Protocol):
    """A RabbitMQ."""

    @property
    def amqp_url(self) -> str:
        """Its default virtual host."""
        ...

    @property
    def management_url(self) -> str | None:
        """Its management API with user and password; None where it is not known."""
        ...

    async def create_vhost(self, name: str) -> str:
        """Makes an empty virtual host (an old one of that name is deleted) and returns its AMQP address."""
        ...

    async def delete_vhost(self, name: str) -> None:
        """Deletes a virtual host with all that is in it."""
        ...


class Database(Server, Protocol):
    """A Postgres."""

    @property
    def database_url(self) -> str:
        """The stack's own database."""
        ...

    async def create_database(self, name: str, template: str | None = None) -> str:
        """Makes an empty database (an old one of that name is dropped) and returns its address."""
        ...

    async def drop_database(self, name: str) -> None:
        """Drops a database, and whoever is connected to it."""
        ...


def with_path(url: str, path: str) -> str:
    """The address with another path, quoted as one segment: a virtual host or a database."""
    return urlunsplit(urlsplit(url)._replace(path="/" + quote(path, safe="")))


def login_of(url: str) -> tuple[str, str]:
    """User and password in an address."""
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")


def without_password(url: str) -> str:
    """The address as it may be shown."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query=""))
