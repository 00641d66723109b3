"""Prints what became of our edits: watch_outcomes.py [HOW_MANY]. Start it before the first edit is published."""

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
        queue = await channel.declare_queue("acme.outcomes", durable=True, arguments={"x-queue-type": "quorum"})
        for event_type in ("date.written_back", "date.write_back_failed"):
            await queue.bind("lifecycle.events", routing_key=event_type)
        print("watching", flush=True)
        seen = 0
        async with queue.iterator() as messages:
            async for message in messages:
                async with message.process():
                    seen += tell(json.loads(message.body))
                if seen == how_many:
                    return


def tell(event: dict) -> bool:
    """Print the outcome of an edit of ours; those of others are nothing to us."""
    data = event["data"]
    if data.get("edit_source") != "/acme/import":
        return False
    # An event may come twice: whoever counts keeps the ids of the events it has seen.
    outcome = "written" if event["type"] == "date.written_back" else f"{data['status']}: {data['reason_code']}"
    print(data["edit_event_id"], outcome, flush=True)
    return True


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else None))
