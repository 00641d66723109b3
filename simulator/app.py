"""The ASGI application: one class that reads a request, lets the right part answer it, and records it."""

import asyncio
import time

from simulator import control, portal
from simulator.config import SimulatorConfig
from simulator.gateway import Call
from simulator.recorder import Seen
from simulator.simulation import Clock
from simulator.tenants import Tenants
from simulator.wire import (
    ConnectionDropped,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    drop_connection,
    read_request,
    send_response,
)


class Application:
    """The simulator as an ASGI application; `simulation` is its first tenant, open to tests in the same process."""

    def __init__(self, tenants: Tenants) -> None:
        """Serve these tenants; the portal shows the first one."""
        self.tenants = tenants
        self.simulation = tenants.first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read_request(scope, receive)
        if request.path.startswith("/_sim/"):
            await send_response(control.answer(self.tenants.named(request), request), scope, send)
        elif request.path == "/" or request.path.startswith("/portal"):
            await send_response(portal.answer(self.simulation, request), scope, send)
        else:
            await self._serve_api(request, scope, send)

    async def _serve_api(self, request: Request, scope: Scope, send: Send) -> None:
        call = Call(self.tenants.of_call(request), request)
        call.admit()
        action = call.action
        delay = call.sim.config.latency_ms + (action.delay_ms if action else 0)
        if delay:
            await asyncio.sleep(delay / 1000)
        response = None if action and action.drop == "before" else call.answer()
        if response is None or (action and action.drop == "after"):
            self._record(call, None)
            drop_connection(scope)
            return
        self._record(call, response)
        await send_response(response, scope, send)

    @staticmethod
    def _record(call: Call, response: Response | None) -> None:
        request, recorder = call.request, call.sim.recorder
        recorder.request(
            Seen(
                number=recorder.requests_total + 1,
                at=call.now,
                method=request.method,
                path=request.path,
                query=request.query_string,
                route=call.name,
                status=response.status if response else 0,
                ms=round((call.sim.clock() - call.now) * 1000, 3),
                request_id=request.header("x-request-id"),
                key=call.key.name if call.key else "",
                companies=request.companies,
                cursor=request.cursor,
                devices=response.devices if response else 0,
            )
        )


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def create_app(config: SimulatorConfig | None = None, *, clock: Clock = time.time) -> Application:
    """Build the simulator; `clock` gives Unix seconds and is injected by tests of windows and expiry."""
    return Application(Tenants(config or SimulatorConfig(), clock))


__all__ = ["Application", "ConnectionDropped", "SimulatorConfig", "create_app"]
