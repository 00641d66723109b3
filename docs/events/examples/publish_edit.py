"""Publishes one edited date: publish_edit.py SERIAL_NUMBER FIELD VALUE. Prints the id of the edit."""

import asyncio
import json
import os
import sys
import uuid
from datetime import UTC, datetime

import aio_pika


async def main(serial_number: str, field: str, value: str) -> None:
    now = datetime.now(UTC).isoformat()
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),  # keep it: sent again with the same id, it is the same edit
        "source": "/acme/import",
        "type": "date.edited",
        "time": now,
        "data": {
            "account_id": os.environ["LIFECYCLE_ACCOUNT_ID"],
            "asset": {"serial_number": serial_number},
            "field": field,
            "value": value,
            "origin": "manual",
            "actor": "acme import",
            "edited_at": now,
        },
    }
    message = aio_pika.Message(
        json.dumps(event).encode(),
        content_type="application/cloudevents+json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    connection = await aio_pika.connect(os.environ["LIFECYCLE_AMQP_URL"])
    async with connection:
        # Confirms are on; with on_return_raises a message that no queue took is an error too.
        channel = await connection.channel(on_return_raises=True)
        events = await channel.get_exchange("lifecycle.events", ensure=False)
        await events.publish(message, routing_key="date.edited", mandatory=True, timeout=15)
    print(event["id"])


asyncio.run(main(*sys.argv[1:4]))
