"""A RabbitMQ and a Postgres of the tests' own that speak TLS, certified by a CA that nobody knows."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit, urlunsplit

import asyncpg

from lifecycle.settings import CommandSettings
from lifecycle.stack.broker import LocalBroker
from lifecycle.stack.choice import choose_broker, choose_database
from lifecycle.stack.control import purge
from lifecycle.stack.database import LocalPostgres
from lifecycle.stack.layout import Layout
from lifecycle.stack.ports import free_ports
from lifecycle.stack.servers import with_path
from lifecycle.stack.unprivileged import unprivileged_user
from tests.support.certificates import Authority
from tests.support.waiting import until

HOST: Final = "localhost"
"""The one name in the servers' certificate; their address, 127.0.0.1, is not in it."""


@dataclass(frozen=True)
class TlsServers:
    """A pair: the broker has a port for TLS beside the plain one, the database can be told to take TLS or not."""

    layout: Layout
    broker: LocalBroker
    database: LocalPostgres
    tls_port: int
    api_port: int
    ca_file: Path
    other_ca_file: Path

    @classmethod
    async def start(cls, folder: Path) -> Self:
        """Both started, with certificates for HOST."""
        layout = Layout(folder)
        layout.create()
        authority = Authority.new("the CA of a test")
        files = {
            "ca.pem": authority.pem,
            "other-ca.pem": Authority.new("another CA").pem,
            **dict(zip(("server.crt", "server.key"), authority.sign(HOST), strict=True)),
        }
        for name, content in files.items():
            (layout.keys / name).write_bytes(content)
        settings = CommandSettings(amqp_url=None, database_url=None, docker=False)
        broker = await choose_broker(layout, settings, print, throwaway=True)
        database = await choose_database(layout, settings, print, throwaway=True)
        assert isinstance(broker, LocalBroker)
        assert isinstance(database, LocalPostgres)
        made = cls(layout, broker, database, *free_ports(2), layout.keys / "ca.pem", layout.keys / "other-ca.pem")
        made._tell_broker()
        await asyncio.gather(broker.start(), database.start())
        made._tell_database()
        await made.take_tls(wanted=True)
        return made

    async def end(self) -> None:
        """Kill both and delete their data."""
        await asyncio.gather(self.broker.kill(), self.database.kill())
        purge(self.layout)

    def amqp_url(self, *, scheme: str = "amqps", host: str = HOST, port: int | None = None, **words: object) -> str:
        """An address of the broker; it is verified by the CA unless `words` say otherwise."""
        at = _at(self.broker.amqp_url, scheme, host, port or self.tls_port)
        return f"{at}?{urlencode(words or {'cafile': self.ca_file})}"

    def database_url(self, name: str = "lifecycle", *, host: str = HOST, **words: object) -> str:
        """An address of the database; it is verified by the CA unless `words` say otherwise."""
        url = with_path(self.database.database_url, name)
        at = _at(url, "postgresql", host, urlsplit(url).port or 0)
        return f"{at}?{urlencode(words or {'sslmode': 'verify-full', 'sslrootcert': self.ca_file})}"

    def management_url(self, **words: object) -> str:
        """An address of the broker's management API; it is verified by the CA unless `words` say otherwise."""
        at = _at(self.broker.management_url, "https", HOST, self.api_port)
        return f"{at}?{urlencode(words or {'cafile': self.ca_file})}"

    async def take_tls(self, *, wanted: bool) -> None:
        """Have the database take TLS, or no more."""
        plain: asyncpg.Connection[Any] = await asyncpg.connect(f"{self.database.database_url}?sslmode=disable")
        try:
            await plain.execute(f"alter system set ssl = {'on' if wanted else 'off'}")
            await plain.execute("select pg_reload_conf()")
        finally:
            await plain.close()
        await until("the database does so", lambda: self._takes_tls(wanted))

    async def _takes_tls(self, wanted: bool) -> bool:
        try:
            asked: asyncpg.Connection[Any] = await asyncpg.connect(self.database_url(sslmode="require"))
        except ConnectionError:
            return not wanted
        await asked.close()
        return wanted

    def _tell_broker(self) -> None:
        # Where a private node looks for more files.
        folder = self.layout.broker / "conf/none"
        folder.mkdir(parents=True)
        files = {
            "cacertfile": self.ca_file,
            "certfile": self.layout.keys / "server.crt",
            "keyfile": self.layout.keys / "server.key",
        }
        told = {
            "listeners.ssl.1": f"127.0.0.1:{self.tls_port}",
            **{f"ssl_options.{name}": path for name, path in files.items()},
            "management.ssl.ip": "127.0.0.1",
            "management.ssl.port": self.api_port,
            **{f"management.ssl.{name}": path for name, path in files.items()},
        }
        (folder / "tls.conf").write_text("".join(f"{name} = {value}\n" for name, value in told.items()))

    def _tell_database(self) -> None:
        user = unprivileged_user()
        for name in ("server.crt", "server.key"):
            path = self.layout.database / "data" / name
            path.write_bytes((self.layout.keys / name).read_bytes())
            path.chmod(0o600)
            if user is not None:
                os.chown(path, *user)


def _at(url: str, scheme: str, host: str, port: int) -> str:
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(scheme=scheme, netloc=f"{login}@{host}:{port}"))
