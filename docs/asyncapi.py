"""The AsyncAPI 3.0 document of all events, from the topology and the models.

FastStream's own generator knows nothing of queues that are bound when a service is wired (ADR 0015), so this one is
ours. One server, one channel for each routing key; the operations are what our services send, and what each of their
queues takes in. Payloads refer to the JSON schemas beside the document.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shared import topology
from shared.events.envelope import CONTENT_TYPE

_BINDING: Final = "0.3.0"


def document(events: Mapping[str, tuple[str, str]], examples: Path) -> dict[str, Any]:
    """The document. `events`: for each type its schema file and its meaning; `examples`: folder of recorded events."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "lifecycle-sync",
            "version": "1",
            "description": "Events of a two-way sync between an RMM and an asset store. Unknown members are ignored.",
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "{host}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "variables": {"host": {"default": "localhost:5672", "description": "the broker's host and port"}},
            }
        },
        "channels": {key: _channel(key, meaning) for key, (_, meaning) in events.items()},
        "operations": _sent(list(events)) | _taken_in(events),
        "components": {
            "messages": {key: _message(key, schema, meaning, examples) for key, (schema, meaning) in events.items()}
        },
    }


def _channel(key: str, meaning: str) -> dict[str, Any]:
    exchange = {"name": topology.EVENTS, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": key,
        "description": meaning,
        "messages": {key: {"$ref": f"#/components/messages/{key}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": _BINDING}},
    }


def _sent(keys: Sequence[str]) -> dict[str, Any]:
    delivery = {"deliveryMode": 2, "mandatory": True, "bindingVersion": _BINDING}
    return {f"send {key}": _operation("send", key) | {"bindings": {"amqp": delivery}} for key in keys}


def _taken_in(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{queue.name} takes in {key}": _operation("receive", key)
        | {"bindings": {"amqp": {"ack": True, "bindingVersion": _BINDING}}, "x-queue": queue.name}
        for queue in topology.WORK_QUEUES
        for key in queue.event_types
        if key in keys
    }


def _operation(action: str, key: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{key}"},
        "messages": [{"$ref": f"#/channels/{key}/messages/{key}"}],
    }


def _message(key: str, schema: str, meaning: str, examples: Path) -> dict[str, Any]:
    recorded = sorted(examples.glob(f"{schema.removesuffix('.schema.json')}*.json"))
    # A page is long, and nobody but our services reads one.
    shown = [] if key in topology.PAGE_EVENTS else recorded
    return {
        "name": key,
        "summary": meaning,
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": f"./{schema}"},
        "examples": [
            {"name": path.name.removesuffix(".json"), "payload": json.loads(path.read_text(encoding="utf-8"))}
            for path in shown
        ],
    }
