"""The processes of a stack: the replicas of each service, and the simulator."""

import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from lifecycle.stack.keys import SIMULATOR_CLIENT_ID, ensure_simulator_secret
from lifecycle.stack.layout import Layout, project_root
from lifecycle.stack.plan import Plan
from lifecycle.stack.ports import free_ports
from lifecycle.stack.processes import Start
from lifecycle.stack.service_process import ServiceProcess, http_probe, port_probe
from lifecycle.stack.services import Service, ServiceAddresses, installed_services, service_environment


def make_services(
    layout: Layout, plan: Plan, addresses: ServiceAddresses, inherited: Mapping[str, str], changed: Callable[[], None]
) -> tuple[list[ServiceProcess], str | None]:
    """Every replica of every service that this version has, not yet started; and the console's address."""
    wanted = [
        (service, replica) for service in installed_services() for replica in range(1, plan.replicas(service.name) + 1)
    ]
    ports = free_ports(len(wanted))
    made = [
        _make(layout, service, replica, service_environment(service, inherited, addresses, port), port, changed)
        for (service, replica), port in zip(wanted, ports, strict=True)
    ]
    consoles = [port for (service, _), port in zip(wanted, ports, strict=True) if service.web]
    return made, f"http://127.0.0.1:{consoles[0]}" if consoles else None


def make_simulator(
    layout: Layout, plan: Plan, inherited: Mapping[str, str], changed: Callable[[], None]
) -> tuple[ServiceProcess, str, str] | None:
    """The simulator with its address and client id, not yet started; None where this version has none."""
    if find_spec("simulator") is None or find_spec("simulator.__main__") is None:
        return None
    (port,) = free_ports(1)
    options = {
        "--port": port,
        "--devices": plan.devices,
        "--companies": plan.companies,
        "--seed": plan.seed,
        "--client-id": SIMULATOR_CLIENT_ID,
        "--client-secret": ensure_simulator_secret(layout),
    }
    arguments = [sys.executable, "-m", "simulator", *(str(word) for pair in options.items() for word in pair)]
    variables = {**inherited, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(project_root())}
    start = Start(tuple(arguments), variables, layout.logs / "simulator-1.log", _folder())
    process = ServiceProcess("simulator", 1, start, port_probe(port), kind="simulator", changed=changed)
    return process, f"http://127.0.0.1:{port}", SIMULATOR_CLIENT_ID


def _make(
    layout: Layout,
    service: Service,
    replica: int,
    variables: Mapping[str, str],
    port: int,
    changed: Callable[[], None],
) -> ServiceProcess:
    health_url = f"http://127.0.0.1:{port}/health"
    start = Start(service.arguments(), variables, layout.logs / f"{service.name}-{replica}.log", _folder())
    probe = http_probe(f"{health_url}/ready")
    return ServiceProcess(service.name, replica, start, probe, health_url=health_url, changed=changed)


def _folder() -> Path:
    # Where the command was called from: a `.env` there is honoured by the command and by the services alike.
    return Path.cwd()
