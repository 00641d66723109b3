"""What a stack is asked to run."""

import json
from dataclasses import asdict, dataclass, field
from typing import Self

from lifecycle.exits import WrongUsage


@dataclass(frozen=True)
class Plan:
    """Replicas of each service, and the simulator's fleet."""

    scale: dict[str, int] = field(default_factory=dict[str, int])
    simulator: bool = True
    devices: int = 2000
    companies: int = 20
    seed: int = 1

    def replicas(self, service: str) -> int:
        """How many processes of a service."""
        return self.scale.get(service, 1)

    def to_json(self) -> str:
        """For the command line of the supervisor."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The plan that was written by `to_json`."""
        return cls(**json.loads(text))


def parse_scale(words: list[str], known: list[str]) -> dict[str, int]:
    """`writer=2` and the like; raises `WrongUsage` where a service is unknown or a count is not one."""
    result: dict[str, int] = {}
    for word in (part for given in words for part in given.split(",")):
        name, _, count = word.partition("=")
        if name not in known:
            raise WrongUsage(f"--scale {word}: there is no service {name!r}", f"services: {', '.join(known)}")
        if not count.isdecimal():
            raise WrongUsage(f"--scale {word}: a number is missing", f"write it like --scale {name}=2")
        result[name] = int(count)
    return result
