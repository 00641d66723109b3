"""Several tenants behind one address, told apart by their keys: what a client sees depends on who it is."""

from simulator.config import SimulatorConfig
from simulator.gateway import TOKEN_PATH
from simulator.simulation import Clock, Simulation
from simulator.wire import Request


class Tenants:
    """The first tenant, and those beside it; each is a whole simulation with its own fleet, keys, quota and faults."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        """Build every tenant of a configuration."""
        self._clock = clock
        self.first = Simulation(config, clock)
        self.beside = {name: Simulation(config.beside(name), clock) for name in config.tenants}

    def of_call(self, request: Request) -> Simulation:
        """Return the tenant of the request's key or token; the first one where nobody knows it."""
        return next((sim for sim in self.beside.values() if self._knows(sim, request)), self.first)

    def named(self, request: Request) -> Simulation:
        """Return the tenant that `?tenant=` names, for the control plane; the first one where none is named."""
        return self.beside.get(request.query.get("tenant", ""), self.first)

    def _knows(self, sim: Simulation, request: Request) -> bool:
        if request.path == TOKEN_PATH:
            return sim.keys.by_client_id(request.object().get("client_id")) is not None
        text = request.header("authorization").partition(" ")[2]
        return sim.keys.token(text, self._clock()) is not None
