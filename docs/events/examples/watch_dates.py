"""Prints which dates count: watch_dates.py [HOW_MANY]. What changes while it is away waits in its queue."""

import asyncio
import json
import os
import sys

import aio_pika


async def main(how_many: int | None) -> None:
    connection = await aio_pika.connect_robust(os.environ["LIFECYCLE_AMQP_URL"])
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=10)
        queue = await channel.declare_queue("acme.dates", durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind("lifecycle.events", routing_key="asset.dates_changed")
        print("watching", flush=True)
        versions: dict[tuple[str, str], int] = {}  # keep them with your copy of the dates
        seen = 0
        async with queue.iterator() as messages:
            async for message in messages:
                async with message.process():
                    seen += sum(take(change, versions) for change in json.loads(message.body)["data"]["changes"])
                if how_many and seen >= how_many:
                    return


def take(change: dict, versions: dict[tuple[str, str], int]) -> bool:
    """Take in a change; one that came before, or that a newer one came before, is nothing."""
    place = (change["asset_id"], change["field"])
    if change["asset_version"] <= versions.get(place, 0):
        return False
    versions[place] = change["asset_version"]
    print(*place, change["before"], "->", change["value"], f"({change['reason']})", flush=True)
    return True


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else None))
