"""What an engineer writes in an afternoon: one upsert for each device.

`page`: a statement at a time, committed for each page. `many`: the same statements pipelined by executemany, one
transaction for each page.
"""

import psycopg

from bench.peers.mapping import COLUMNS, NUMBERS
from bench.peers.source import read_job

_TABLE = "create table if not exists peer_devices ({}, primary key (integration_id, device_id))".format(
    ", ".join(f"{name} {'bigint' if name in NUMBERS else 'text'}" for name in COLUMNS)
)
_UPSERT = "insert into peer_devices ({}) values ({}) on conflict (integration_id, device_id) do update set {}".format(
    ", ".join(COLUMNS),
    ", ".join(f"%({name})s" for name in COLUMNS),
    ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[2:]),
)


def main() -> None:
    """Load everything."""
    job = read_job("page", "many")
    with psycopg.connect(job.database_url) as connection, connection.cursor() as cursor:
        cursor.execute(_TABLE)
        connection.commit()
        for page in job.pages():
            if job.mode == "many":
                cursor.executemany(_UPSERT, page)
            else:
                for row in page:
                    cursor.execute(_UPSERT, row)
            connection.commit()


main()
