"""The same load by dlt.

`default`: one dict a device, everything as shipped (merge by delete and insert, insert_values files).
`arrow`: a pyarrow table for each page and CSV files, its documented fast path.
"""

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import dlt
import pyarrow as pa

from bench.peers.mapping import COLUMNS, NUMBERS
from bench.peers.source import Job, read_job

_SCHEMA = pa.schema([(name, pa.int64() if name in NUMBERS else pa.string()) for name in COLUMNS])


def _resource(job: Job) -> Any:
    @dlt.resource(name="devices", write_disposition="merge", primary_key=("integration_id", "device_id"))
    def devices() -> Iterator[Any]:
        for page in job.pages():
            yield pa.Table.from_pylist(page, schema=_SCHEMA) if job.mode == "arrow" else page

    return devices()


def main() -> None:
    """Load everything."""
    job = read_job("default", "arrow")
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"  # noqa: TID251 - the peer's own setting
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            f"bench_{job.mode}",
            destination=dlt.destinations.postgres(job.database_url),
            dataset_name=f"dlt_{job.mode}",
            pipelines_dir=folder,
        )
        options = {"loader_file_format": "csv"} if job.mode == "arrow" else {}
        pipeline.run(_resource(job), **options)


main()
