"""All the state of one running simulator, handed to every handler."""

from collections.abc import Callable

from simulator.config import SimulatorConfig
from simulator.faults import Faults
from simulator.fleet import Fleet
from simulator.keys import Key, Keyring
from simulator.pages import Pages
from simulator.quota import Window
from simulator.recorder import Recorder
from simulator.records import Records
from simulator.world import World

Clock = Callable[[], float]


class Simulation:
    """The tenant, its keys, its faults and its memory; `clock` gives Unix seconds."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        """Build the tenant of a configuration."""
        self.clock = clock
        self.first_config = config
        self.fleet = Fleet(config.seed, config.devices, config.companies, dated_share=config.dated_share)
        self.world = World(self.fleet)
        self.pages = Pages(self.world, config.page_cache_mb << 20)
        self.start(config)

    def start(self, config: SimulatorConfig) -> None:
        """Set everything but the world to its first state."""
        self.config = config
        self.keys = Keyring(config)
        self.faults = Faults()
        self.recorder = Recorder()
        self.records = Records(self.fleet, config)
        self.quotas: dict[str, Window] = {}

    def reset(self) -> None:
        """Go back to the state at the start: configuration, keys, fleet, faults and memory."""
        self.world.reset()
        self.start(self.first_config)

    def configure(self, config: SimulatorConfig) -> None:
        """Put a changed configuration in force."""
        self.config = config
        self.records.config = config

    def quota_of(self, key: Key) -> Window:
        """Return the quota window of a key."""
        window = self.quotas.setdefault(key.name, Window(self.config.quota_window_s))
        window.seconds = self.config.quota_window_s
        return window
