"""How the fetcher is wired."""

import time
from datetime import timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from services.fetcher.backpressure import Room
from services.fetcher.bookkeeping import PostgresRuns, SyncOrder
from services.fetcher.chunks import BusChunks
from services.fetcher.detail_turns import DetailTurn
from services.fetcher.details import PostgresDetails
from services.fetcher.handlers import begin_sync, fetch_pages, probe_credentials, read_details
from services.fetcher.page_turns import PageTurn, TurnRules
from services.fetcher.probing import DateWays, ProbeOrder, RmmProbes
from services.fetcher.rmm_details import RmmDetails
from services.fetcher.rmm_devices import RmmDevices
from services.fetcher.settings import FetcherSettings
from shared import topology
from shared.errors import BadMessage
from shared.events import (
    CredentialsReplaced,
    DetailDue,
    Event,
    IntegrationCreated,
    PageDue,
    ProbeDue,
    SyncRequested,
    parse_event,
)
from shared.headers import ATTEMPT
from shared.integrations.status import PausingIntegrations
from shared.outbox import Outbox
from shared.rmm.connection import new_http_client
from shared.rmm_access.date_fields import FieldIds, by_field
from shared.rmm_access.opening import RmmAccess
from shared.runtime import Service, Subscription, Wired, Wiring
from shared.settings import load
from shared.verdict import RetryPolicy

SYNCS_AT_ONCE: Final = 4
DETAILS_AT_ONCE: Final = 4
PROBES_AT_ONCE: Final = 2
# A claim on a device outlives the handler that made it by this.
LEASE_MARGIN: Final = timedelta(seconds=30)


class _Type(msgspec.Struct):
    type: str


def event_type(body: bytes) -> str:
    """The type of an event, for a queue that takes in several. Raises BadMessage."""
    try:
        return msgspec.json.decode(body, type=_Type).type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage("not an event: no JSON object with a type") from error


def decode_sync_order(message: Any) -> SyncOrder:
    """A created integration and a requested sync are the same wish."""
    if event_type(message.body) == IntegrationCreated.event_type:
        created = parse_event(message.body, IntegrationCreated)
        return SyncOrder(
            created.data.integration_id,
            _request_id(created),
            created.data.run_id,
            "full",
            None,
            created=True,
            account_id=created.accountid,
        )
    wanted = parse_event(message.body, SyncRequested)
    data = wanted.data
    return SyncOrder(
        data.integration_id,
        _request_id(wanted),
        data.run_id,
        data.kind,
        data.target,
        created=False,
        account_id=wanted.accountid,
    )


def _request_id(event: Event[Any]) -> UUID:
    try:
        return UUID(event.id)
    except ValueError:
        # CloudEvents ids are any text; the same text is the same request.
        return uuid5(NAMESPACE_URL, f"{event.source}#{event.id}")


def decode_page_turn(message: Any) -> PageTurn:
    """A due turn of pages."""
    due = parse_event(message.body, PageDue)
    return PageTurn(due.data.scope_id, due.data.page_no, due.correlation_id, retried=bool(message.headers.get(ATTEMPT)))


def decode_detail_turn(message: Any) -> DetailTurn:
    """A due turn of a sweep of dates."""
    data = parse_event(message.body, DetailDue).data
    return DetailTurn(data.integration_id, data.turn)


def decode_probe(message: Any) -> ProbeOrder:
    """A due probe, and replaced credentials, are tried alike."""
    if event_type(message.body) == CredentialsReplaced.event_type:
        return ProbeOrder(parse_event(message.body, CredentialsReplaced).data.integration_id, None)
    data = parse_event(message.body, ProbeDue).data
    return ProbeOrder(data.integration_id, data.probe_id, data.create_definitions)


def create_app(settings: FetcherSettings | None = None) -> Service:
    """The fetcher, not yet running."""
    settings = settings or load(FetcherSettings)
    policy = RetryPolicy(settings.max_attempts, settings.max_age)
    subscriptions = [
        Subscription(topology.FETCHER_SYNCS, decode_sync_order, begin_sync, SYNCS_AT_ONCE, policy),
        Subscription(topology.FETCHER_PAGES, decode_page_turn, fetch_pages, settings.fetcher_prefetch, policy),
        Subscription(topology.FETCHER_DETAILS, decode_detail_turn, read_details, DETAILS_AT_ONCE, policy),
        Subscription(topology.FETCHER_PROBES, decode_probe, probe_credentials, PROBES_AT_ONCE, policy),
    ]

    # A page waits for the writer, the budget and the RMM, each for its own time; a turn of dates, for two slow devices.
    deadline = timedelta(seconds=30 + 2 * settings.rmm_timeout_seconds)

    async def wire(wired: Wired) -> Wiring:
        events = Outbox(wired.pool, wired.bus)
        http = await wired.stack.enter_async_context(new_http_client())
        access = RmmAccess(wired.pool, http, settings)
        room = Room(wired.pool, own=settings.chunks_waiting_own, total=settings.chunks_waiting_all)
        ids = FieldIds(wired.pool, by_field(settings.purchase_field, settings.warranty_field))
        members = by_field(settings.purchase_member, settings.warranty_member)
        return Wiring(
            ports={
                "runs": PostgresRuns(wired.pool, events, scopes_at_once=settings.scopes_at_once),
                "devices": RmmDevices(
                    access,
                    page_size=settings.rmm_page_size,
                    category=settings.rmm_category,
                    companies_per_call=settings.rmm_companies_per_call,
                ),
                "room": room,
                "rules": TurnRules(settings.scopes_at_once, settings.fetcher_prefetch),
                "chunks": BusChunks(wired.bus, settings.page_encoding),
                "details": PostgresDetails(
                    wired.pool, events, devices=settings.details_per_turn, lease=deadline + LEASE_MARGIN
                ),
                "dates": RmmDetails(
                    access,
                    ids,
                    members,
                    settings.date_adapter,
                ),
                "clock": time.monotonic,
                "probes": RmmProbes(wired.pool, events, access, DateWays(ids, members, settings.date_adapter)),
            },
            pause=PausingIntegrations(wired.pool, events, "fetcher"),
            loops=(room.listen,),
        )

    size = 12 + DETAILS_AT_ONCE
    return Service("fetcher", settings, subscriptions, wire, pool_size=size, plan_once=True, deadline=deadline)
