"""How write-back is wired."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from services.writeback.edits import SOURCE, PostgresEdits
from services.writeback.handlers import push_dates, record_edit
from services.writeback.intake import EditOrder, read_edit
from services.writeback.pushes import PostgresPushes, PushRules
from services.writeback.rmm_dates import Names, RmmDates
from services.writeback.settings import WritebackSettings
from services.writeback.together import ALONE_AT_ONCE, LOTS_AT_ONCE
from services.writeback.turns import PushTurn
from shared import topology
from shared.errors import BadMessage
from shared.integrations.status import PausingIntegrations
from shared.outbox import Outbox
from shared.rmm.connection import new_http_client
from shared.rmm_access.date_fields import FieldIds, by_field
from shared.rmm_access.opening import RmmAccess
from shared.runtime import Service, Subscription, Wired, Wiring
from shared.settings import load
from shared.verdict import RetryPolicy

# A turn is a few devices of three requests each; what it does not reach is claimed again when its leases end.
TURN_DEADLINE: Final = timedelta(minutes=4)


class _Told(msgspec.Struct):
    integration_id: UUID


class _Wake(msgspec.Struct):
    """What the events of an integration's life and PushDue have in common; versions of theirs do not matter here."""

    type: str
    data: _Told


def decode_edit(message: Any) -> EditOrder:
    """An edit, from whoever published it."""
    return read_edit(message.body)


def decode_turn(message: Any) -> PushTurn:
    """A due push, and whatever changes whether an integration can be written to. Raises BadMessage."""
    try:
        wake = msgspec.json.decode(message.body, type=_Wake)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage("not an event that tells an integration") from error
    if wake.type not in topology.WRITEBACK_PUSHES.event_types:
        raise BadMessage(f"expected a turn of pushes, the body says type {wake.type[:80]!r}")
    return PushTurn(wake.data.integration_id)


def create_app(settings: WritebackSettings | None = None) -> Service:
    """Write-back, not yet running."""
    settings = settings or load(WritebackSettings)
    policy = RetryPolicy(settings.max_attempts, settings.max_age)
    subscriptions = [
        Subscription(topology.WRITEBACK_EDITS, decode_edit, record_edit, settings.edits_prefetch, policy),
        Subscription(topology.WRITEBACK_PUSHES, decode_turn, push_dates, settings.writeback_prefetch, policy),
    ]

    async def wire(wired: Wired) -> Wiring:
        events = Outbox(wired.pool, wired.bus)
        http = await wired.stack.enter_async_context(new_http_client())
        access = RmmAccess(wired.pool, http, settings)
        ids = FieldIds(wired.pool, by_field(settings.purchase_field, settings.warranty_field))
        names = Names(by_field(settings.purchase_member, settings.warranty_member), settings.date_adapter)
        return Wiring(
            ports={
                "edits": PostgresEdits(wired.pool, events, settings.edits_prefetch // 2),
                "pushes": PostgresPushes(wired.pool, events, _rules(settings)),
                "rmm": RmmDates(access, ids, names),
            },
            pause=PausingIntegrations(wired.pool, events, SOURCE),
        )

    size = LOTS_AT_ONCE + ALONE_AT_ONCE + settings.writeback_prefetch + 2
    return Service("writeback", settings, subscriptions, wire, pool_size=size, deadline=TURN_DEADLINE)


def _rules(settings: WritebackSettings) -> PushRules:
    return PushRules(
        settings.devices_per_turn,
        settings.devices_at_once,
        settings.lease,
        settings.write_max_age,
        tuple(timedelta(seconds=each) for each in settings.recheck_seconds),
        settings.gather,
    )
