"""The portal page; see the control plane for scripts."""

from simulator.simulation import Simulation
from simulator.wire import Request, Response


def answer(sim: Simulation, request: Request) -> Response:
    """Answer a portal page."""
    del sim, request
    return Response(body=b"<!doctype html><title>RMM simulator</title>", content_type=b"text/html; charset=utf-8")
