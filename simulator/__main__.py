"""Run the simulator: `python -m simulator --port 0 --devices 100000`."""

import gc
import json
import logging
import signal
import socket
import sys
from typing import Annotated

import typer
import uvicorn

from simulator.app import create_app
from simulator.config import CustomField, SimulatorConfig
from simulator.protocol import DroppingProtocol

_TENANT_HELP = "NAME=DEVICES: a tenant beside the first, with a key and a fleet of its own; may be repeated."
_SET_HELP = "Any other setting as NAME=VALUE (JSON or text), e.g. --set list_method=get; may be repeated."


class _Server(uvicorn.Server):
    """A server that ends at once on a signal, without waiting for clients and without a traceback."""

    def handle_exit(self, sig: int, frame: object) -> None:
        del sig, frame
        self.should_exit = True
        self.force_exit = True


def _settings(pairs: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for pair in pairs:
        name, mark, text = pair.partition("=")
        if not mark:
            raise typer.BadParameter(f"not NAME=VALUE: {pair}")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _run(host: str, port: int, config: SimulatorConfig, log_level: str) -> None:
    app = create_app(config)
    listener = socket.create_server((host, port), backlog=512)
    url = f"http://{host}:{listener.getsockname()[1]}"
    key = app.simulation.keys.keys["first"]
    told: dict[str, object] = {"url": url, **key.pair()}
    if app.tenants.beside:
        told["tenants"] = {name: sim.keys.keys["first"].pair() for name, sim in app.tenants.beside.items()}
    server = _Server(
        uvicorn.Config(
            app,
            http=DroppingProtocol,
            ws="none",
            loop="uvloop" if sys.platform != "win32" else "asyncio",
            lifespan="off",
            access_log=False,
            log_level=log_level,
            server_header=False,
            timeout_keep_alive=75,
        )
    )
    # Rendering makes many short-lived tuples and no cycles: rare collections over frozen start-up objects.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.stdout.write(json.dumps({**told, "portal_url": f"{url}/"}) + "\n")
    sys.stdout.flush()
    server.run(sockets=[listener])


def main(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 0,
    devices: Annotated[int, typer.Option(help="Devices of all categories together.")] = 1000,
    companies: Annotated[int, typer.Option(help="Companies.")] = 10,
    seed: Annotated[int, typer.Option(help="The fleet is a pure function of it.")] = 7,
    client_id: Annotated[str, typer.Option(help="Id of the first key; derived from the seed when absent.")] = "",
    client_secret: Annotated[str, typer.Option(help="Its secret; derived from the seed when absent.")] = "",
    quota: Annotated[int, typer.Option(help="Requests a key gets in any window; 0 = no quota.")] = 0,
    quota_window: Annotated[float, typer.Option(help="Length of the window in seconds.")] = 300.0,
    latency_ms: Annotated[float, typer.Option(help="Delay before each API answer.")] = 0.0,
    patch_mode: Annotated[str, typer.Option(help="PATCH of native dates: off, on, forbidden or unchanged.")] = "off",
    dated_share: Annotated[float, typer.Option(help="Share of devices that start with dates.")] = 0.0,
    custom_field: Annotated[list[str] | None, typer.Option(help="NAME:TYPE; in place of the default ones.")] = None,
    no_custom_fields: Annotated[bool, typer.Option("--no-custom-fields", help="Start without definitions.")] = False,  # noqa: FBT002 - typer's way
    tenant: Annotated[list[str] | None, typer.Option(help=_TENANT_HELP)] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help=_SET_HELP)] = None,
    log_level: Annotated[str, typer.Option(help="uvicorn's log level, on stderr.")] = "warning",
) -> None:
    """Serve a seeded RMM tenant over HTTP; print one line of JSON when it listens."""
    values: dict[str, object] = {
        "devices": devices, "companies": companies, "seed": seed, "client_id": client_id,
        "client_secret": client_secret, "quota": quota, "quota_window_s": quota_window, "latency_ms": latency_ms,
        "patch_mode": patch_mode, "dated_share": dated_share, "tenants": _settings(tenant or []),
    }  # fmt: skip
    if no_custom_fields or custom_field:
        pairs = [each.rpartition(":") for each in custom_field or ()]
        values["custom_fields"] = [CustomField.model_validate({"name": name, "type": kind}) for name, _, kind in pairs]
    try:
        config = SimulatorConfig.model_validate({**values, **_settings(set_ or [])})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    _run(host, port, config, log_level)


def _end(sig: int, frame: object) -> None:
    """End at once when a signal comes before the server listens."""
    del sig, frame
    sys.exit(0)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr)
    signal.signal(signal.SIGTERM, _end)
    typer.run(main)
