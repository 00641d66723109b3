"""Which services there are, and with which settings each is started. The one list of them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lifecycle.stack.layout import project_root


@dataclass(frozen=True)
class Service:
    """A program `python -m services.<name>`."""

    name: str
    opens_secrets: bool = False
    web: bool = False

    def module(self) -> str:
        """What `python -m` gets."""
        return f"services.{self.name}"

    def exists(self) -> bool:
        """Whether this version has it."""
        return (Path(__file__).resolve().parents[2] / "services" / self.name / "__main__.py").is_file()

    def arguments(self) -> tuple[str, ...]:
        """How it is started."""
        return (sys.executable, "-m", self.module())


SERVICES = (
    Service("fetcher", opens_secrets=True),
    Service("normalizer"),
    Service("writer"),
    Service("writeback", opens_secrets=True),
    Service("scheduler"),
    Service("console", web=True),
)


@dataclass(frozen=True)
class ServiceAddresses:
    """What the services of one stack are told."""

    amqp_url: str
    database_url: str
    rmm_base_url: str | None
    private_keys_file: Path
    sealing_key_file: Path


def installed_services() -> list[Service]:
    """The services that this version has."""
    return [service for service in SERVICES if service.exists()]


def service_environment(
    service: Service, inherited: Mapping[str, str], addresses: ServiceAddresses, port: int
) -> dict[str, str]:
    """The environment of one replica: what we were given, and the stack's own over it.

    The private keys go to the two services that talk to the RMM and to nobody else, whatever we inherited.
    """
    result = {name: value for name, value in inherited.items() if not name.startswith("LIFECYCLE_SECRET_KEYS")}
    result |= {
        "LIFECYCLE_AMQP_URL": addresses.amqp_url,
        "LIFECYCLE_DATABASE_URL": addresses.database_url,
        "LIFECYCLE_HTTP_HOST": "127.0.0.1",
        "LIFECYCLE_HTTP_PORT": str(port),
        "LIFECYCLE_LOG_FORMAT": "json",
        "LIFECYCLE_SEALING_KEY_FILE": str(addresses.sealing_key_file),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": _python_path(inherited.get("PYTHONPATH")),
    }
    if addresses.rmm_base_url is not None:
        result["LIFECYCLE_RMM_BASE_URL"] = addresses.rmm_base_url
    if service.opens_secrets:
        result["LIFECYCLE_SECRET_KEYS_FILE"] = str(addresses.private_keys_file)
    return result


def _python_path(inherited: str | None) -> str:
    # The services must be found wherever the command was called from.
    root = str(project_root())
    return root if not inherited else f"{root}:{inherited}"
