"""How everything stands: queues, services, outbox, parked messages, integrations and the runs that go."""

from typing import Any, Final
from uuid import UUID

from lifecycle.data.integrations import attention_sentence, list_integrations, needs_attention
from lifecycle.data.naming import PACKAGE
from lifecycle.data.runs import OPEN, list_runs
from lifecycle.session import Session, stack_layout
from shared import declaration, topology
from shared.errors import BrokerUnavailable
from shared.postgres import Connection, sql

Document = dict[str, Any]
_RUNS: Final = 200
# A sweep follows five seconds after an event that its writer did not publish; then somebody is missing.
_OLD_OUTBOX_SECONDS: Final = 30.0


async def read_overview(
    session: Session, connection: Connection, integration_id: UUID | None, *, broker: bool = True
) -> Document:
    """One document of everything; `broker` False leaves the queues out."""
    row = await connection.fetchrow(sql(PACKAGE, "overview"), session.account_id)
    assert row is not None
    queues, trouble = await _queues(session) if broker else (None, None)
    integrations = await list_integrations(connection, session.account_id, integration_id)
    runs = await list_runs(connection, session.account_id, integration_id=integration_id, limit=_RUNS)
    document: Document = {
        "assets": row["assets"],
        "broker": {"reachable": trouble is None, "reason": trouble},
        "queues": queues or [],
        "services": _services(),
        "outbox": {
            "waiting": row["outbox_waiting"],
            "age_seconds": float(row["outbox_age_seconds"]) if row["outbox_age_seconds"] is not None else None,
        },
        "parked": row["parked"],
        "ambiguities": row["ambiguities"],
        "integrations": integrations,
        "runs": [run for run in runs if run["status"] in OPEN],
    }
    return {**document, "attention": attention(document)}


def attention(document: Document) -> list[str]:
    """What a person should look at, a sentence each with the command to run."""
    found: list[str] = []
    if not document["broker"]["reachable"]:
        found.append(f"the broker does not answer ({document['broker']['reason']}); look with: lifecycle ps --all")
    found += [_queue_sentence(queue) for queue in document["queues"] if _queue_sentence(queue)]
    age = document["outbox"]["age_seconds"]
    if age is not None and age > _OLD_OUTBOX_SECONDS:
        found.append(f"events wait {age:,.0f} s for the scheduler to publish them; look with: lifecycle ps")
    found += [
        f"{one['service']} {one['replica']} is not ready; read {one['log']}"
        for one in document["services"]
        if not one["ready"]
    ]
    if document["parked"]:
        found.append(f"{document['parked']:,} messages are parked; see: lifecycle parked list --groups")
    if document["ambiguities"]:
        count = f"{document['ambiguities']:,}"
        found.append(f"{count} devices may be the hardware of another asset; see: lifecycle assets ambiguities")
    found += [attention_sentence(one) for one in document["integrations"] if needs_attention(one)]
    return found


def _queue_sentence(queue: Document) -> str:
    if not queue["present"]:
        return f"queue {queue['name']} is missing; declare it with: lifecycle topology declare"
    if queue["waits_for_consumer"]:
        return f"{queue['messages']:,} messages in {queue['name']} and nobody takes them; look with: lifecycle ps"
    return ""


async def _queues(session: Session) -> tuple[list[Document] | None, str | None]:
    # Work queues and the dead one: a delay queue has no consumer by design.
    names = (*(queue.name for queue in topology.WORK_QUEUES), topology.DEAD_QUEUE)
    delays = tuple(queue.name for queue in topology.queues() if ".retry." in queue.name)
    try:
        found = await declaration.check_queues(session.addresses.amqp_url.get_secret_value(), (*names, *delays))
    except BrokerUnavailable as error:
        return None, f"{error}; {error.next_action}"
    return [
        {
            "name": one.name,
            "present": one.present,
            "messages": one.messages,
            "consumers": one.consumers,
            "waits_for_consumer": bool(one.name in names and one.messages and not one.consumers),
        }
        for one in found
    ], None


def _services() -> list[Document]:
    from lifecycle.stack.control import running_state  # noqa: PLC0415 - only where a stack may be

    state = running_state(stack_layout())
    return [
        {
            "service": one.service,
            "replica": one.replica,
            "pid": one.pid,
            "ready": one.ready,
            "restarts": one.restarts,
            "health_url": one.health_url,
            "log": one.log,
        }
        for one in (state.processes if state is not None else ())
        if one.kind == "service"
    ]
