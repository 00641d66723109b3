"""What every peer does first: sign in, list the companies, and map page after page."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.peers.mapping import row_of
from bench.peers.rmm import Rmm

INTEGRATION = "00000000-0000-7000-8000-000000000001"


@dataclass(frozen=True)
class Job:
    """What a peer is told: where to read, where to write, and how."""

    url: str
    client_id: str
    client_secret: str
    database_url: str
    mode: str

    def pages(self) -> Iterator[list[dict[str, Any]]]:
        """Pages of mapped rows."""
        rmm = Rmm(self.url, self.client_id, self.client_secret)
        names = rmm.companies()
        for page in rmm.pages(list(names)):
            yield [
                row_of(INTEGRATION, (company, names.get(company, "")), site, device) for company, site, device in page
            ]


def read_job(*modes: str) -> Job:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    for name in ("url", "client-id", "client-secret", "database-url"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--mode", choices=modes, required=True)
    return Job(**vars(parser.parse_args()))
