"""Configuration of a private RabbitMQ node: everything of its own, nothing of the system's."""

import json
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from lifecycle.settings import environment
from lifecycle.stack.ports import free_ports, is_free

USER = "lifecycle"
# Only `localhost` is sure to resolve, and a node name that does not hangs the start without a word.
_NODE = "lifecycle@localhost"


@dataclass(frozen=True)
class Ports:
    """The ports of a node."""

    amqp: int
    management: int
    prometheus: int
    distribution: int
    epmd: int


@dataclass(frozen=True)
class NodeFiles:
    """What a node keeps from one start to the next, and its files."""

    folder: Path
    ports: Ports
    password: str
    cookie: str

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The kept ones of the folder, else new ones."""
        try:
            kept = json.loads((folder / "identity.json").read_text())
            return cls(folder, Ports(**kept["ports"]), kept["password"], kept["cookie"])
        except (OSError, ValueError, KeyError, TypeError):
            return cls(folder, Ports(*free_ports(5)), secrets.token_urlsafe(24), secrets.token_hex(20))

    def with_new_ports(self) -> Self:
        """The same node on other ports; its password is in its data and must stay."""
        return replace(self, ports=Ports(*free_ports(5)))

    def ports_are_free(self) -> bool:
        """Whether nothing listens on any of the ports."""
        return all(is_free(port) for port in asdict(self.ports).values())

    @property
    def pid_file(self) -> Path:
        """Written by the node: the pid of the Erlang machine."""
        return self.folder / "node.pid"

    @property
    def amqp_url(self) -> str:
        """The default virtual host."""
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self.ports.amqp}/"

    @property
    def management_url(self) -> str:
        """The management API, with user and password."""
        return f"http://{USER}:{self.password}@127.0.0.1:{self.ports.management}"

    def write(self) -> None:
        """Writes the configuration."""
        for name in ("home", "conf", "log", "mnesia"):
            (self.folder / name).mkdir(parents=True, mode=0o700, exist_ok=True)
        kept = {"ports": asdict(self.ports), "password": self.password, "cookie": self.cookie}
        self._write("identity.json", json.dumps(kept))
        self._write("conf/enabled_plugins", "[rabbitmq_management,rabbitmq_prometheus].\n")
        self._write("conf/advanced.config", "[].\n")
        self._write("conf/rabbitmq.conf", self._configuration())
        cookie = self.folder / "home/.erlang.cookie"
        cookie.unlink(missing_ok=True)  # Erlang wants mode 400, which cannot be written to
        cookie.touch(mode=0o600)
        cookie.write_text(self.cookie)
        cookie.chmod(0o400)

    def environment(self) -> dict[str, str]:
        """The variables for the node and for every tool that talks to it."""
        path = environment().get("PATH", "")
        return {
            "PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.folder / "home"),
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "conf/rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(self.folder / "conf/none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "conf/advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "conf/enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_LOGS": str(self.folder / "log/node.log"),
            "RABBITMQ_PID_FILE": str(self.pid_file),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
        }

    def _configuration(self) -> str:
        lines = {
            "listeners.tcp.1": f"127.0.0.1:{self.ports.amqp}",
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": self.ports.management,
            "prometheus.tcp.ip": "127.0.0.1",
            "prometheus.tcp.port": self.ports.prometheus,
            "default_user": USER,
            "default_pass": self.password,
            "default_user_tags.administrator": "true",
            "disk_free_limit.absolute": "500MB",
            # 512 MB by default, and quorum queues may hold three times that in memory.
            "raft.wal_max_size_bytes": 64 * 1024 * 1024,
        }
        return "".join(f"{name} = {value}\n" for name, value in lines.items())

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
