"""A broker and a database whose addresses were given: somebody else's, so never started and never stopped."""

from urllib.parse import quote, urlsplit

from lifecycle.exits import Failure
from lifecycle.stack import catalogue, management
from lifecycle.stack.servers import NamedProcess, login_of, with_path, without_password

_MANAGEMENT_PORT = 15672


class _Given:
    """Somebody else's server."""

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Not ours to stop."""

    async def kill(self) -> None:
        """Not ours to end."""

    def running(self) -> bool:
        """Taken for granted: its owner watches it."""
        return True

    def processes(self) -> list[NamedProcess]:
        """None of ours."""
        return []


class GivenBroker(_Given):
    """The RabbitMQ at LIFECYCLE_AMQP_URL."""

    def __init__(self, amqp_url: str, management_url: str | None = None) -> None:
        self.amqp_url = amqp_url
        self.management_url: str | None = management_url
        self.description = f"RabbitMQ at {without_password(amqp_url)}, from LIFECYCLE_AMQP_URL"

    async def create_vhost(self, name: str) -> str:
        """Makes an empty virtual host (an old one of that name is deleted) and returns its AMQP address."""
        user, _ = login_of(self.amqp_url)
        await management.create_vhost(self._management(), name, user)
        return with_path(self.amqp_url, name)

    async def delete_vhost(self, name: str) -> None:
        """Deletes a virtual host with all that is in it."""
        await management.delete_vhost(self._management(), name)

    def _management(self) -> str:
        if self.management_url is not None:
            return self.management_url
        parts = urlsplit(self.amqp_url)
        if parts.scheme != "amqp":
            raise Failure("the management API of the given broker is not known", "set LIFECYCLE_MANAGEMENT_URL")
        user, password = (quote(part, safe="") for part in login_of(self.amqp_url))
        return f"http://{user}:{password}@{parts.hostname}:{_MANAGEMENT_PORT}"


class GivenDatabase(_Given):
    """The Postgres at LIFECYCLE_DATABASE_URL."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self.description = f"Postgres at {without_password(database_url)}, from LIFECYCLE_DATABASE_URL"

    async def create_database(self, name: str, template: str | None = None) -> str:
        """Makes an empty database (an old one of that name is dropped) and returns its address."""
        await catalogue.create_database(self.database_url, name, template)
        return with_path(self.database_url, name)

    async def drop_database(self, name: str) -> None:
        """Drops a database, and whoever is connected to it."""
        await catalogue.drop_database(self.database_url, name)
