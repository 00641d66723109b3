"""The middleware that carries out a verdict: republish to a delay, park, settle, or hold and run again.

Order of effects: the republish is confirmed before the ack, so a crash in between makes a duplicate, never a loss.
"""

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import structlog
from faststream import BaseMiddleware

from shared import topology
from shared.bus import Bus
from shared.errors import BrokerUnavailable, HandlerTooSlow, Paused, PipelineError, Transient
from shared.headers import (
    ATTEMPT,
    BROKER_HEADERS,
    FIRST_FAILED_AT,
    NEXT_ACTION,
    REASON,
    REASON_CODE,
    TRACEBACK,
)
from shared.observability import metrics
from shared.turns import Lanes
from shared.verdict import History, Hold, Park, Retry, RetryPolicy, Settle, decide

MAX_TRACEBACK_CHARACTERS: Final = 8000
HOLD_SECONDS: Final = 1.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("delivery")


class Pause(Protocol):
    """How a service pauses an integration of which an adapter said that it can't be used."""

    async def __call__(self, error: Paused) -> None:
        """Pause it; twice is nothing."""


class Store(Protocol):
    """Whether the store answers."""

    async def ping(self) -> bool:
        """True when a query works."""
        ...


@dataclass
class DeliveryRules:
    """What the middleware needs to know of one service."""

    bus: Bus
    store: Store
    pause: Pause
    policies: dict[str, RetryPolicy] = field(default_factory=dict[str, RetryPolicy])
    turns: dict[str, Lanes] = field(default_factory=dict[str, Lanes])
    deadline: timedelta = timedelta(minutes=3)

    def __call__(self, msg: Any, *, context: Any) -> "DeliveryMiddleware":
        """Make the middleware of one message; FastStream calls this."""
        return DeliveryMiddleware(msg, context=context, rules=self)


class DeliveryMiddleware(BaseMiddleware[Any, Any]):
    """Runs the handler within its deadline and carries out the verdict over its failure."""

    def __init__(self, msg: Any, /, *, context: Any, rules: DeliveryRules) -> None:
        super().__init__(msg, context=context)
        self._rules = rules

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: Any) -> Any:
        """Run the handler, when it is its turn, until it is settled one way or the other."""
        queue: str = self.context.get_local("handler_").queue.name
        structlog.contextvars.bind_contextvars(queue=queue, correlation_id=msg.correlation_id)
        turns = self._rules.turns.get(queue)
        if turns is None:
            return await self._settle(call_next, queue, msg)
        async with turns.turn(msg.correlation_id or "", len(msg.body)):
            return await self._settle(call_next, queue, msg)

    async def _settle(self, call_next: Callable[[Any], Awaitable[Any]], queue: str, msg: Any) -> Any:
        while True:
            try:
                result = await self._run(call_next, msg)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - the one place where every failure gets its verdict
                if not await self._carry_out(error, queue, msg):
                    continue
                return None
            metrics.MESSAGES.labels(queue=queue, outcome="done").inc()
            return result

    async def _run(self, call_next: Callable[[Any], Awaitable[Any]], msg: Any) -> Any:
        seconds = self._rules.deadline.total_seconds()
        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                return await call_next(msg)
        except TimeoutError as error:
            if scope.expired():
                raise HandlerTooSlow(seconds) from error
            raise

    async def _carry_out(self, error: Exception, queue: str, msg: Any) -> bool:
        """Carry out the verdict; False when the handler is to run again."""
        history = _history(msg.headers)
        policy = self._rules.policies.get(queue, RetryPolicy())
        verdict = decide(error, history, policy, datetime.now(UTC))
        if queue == topology.DEAD_QUEUE:
            # It has neither delays nor a dead side: retried it would be unroutable, parked it would circle.
            if not isinstance(error, PipelineError):
                log.error("bug", action="hold", exc_info=error)
            verdict = Hold()
        match verdict:
            case Hold():
                return await self._hold(error, queue)
            case Settle():
                assert isinstance(error, Paused)
                log.info("integration stands still", action="settle", reason=str(error), code=error.code)
                try:
                    await self._rules.pause(error)
                except Transient as trouble:
                    return await self._hold(trouble, queue)
                metrics.MESSAGES.labels(queue=queue, outcome="settled").inc()
            case Retry(delay, attempts, ages):
                log.info("retrying later", action="retry", delay=delay, attempts=attempts, reason=str(error))
                headers = _kept_headers(msg.headers) | {ATTEMPT: attempts, REASON_CODE: _code(error)}
                if ages:
                    headers[FIRST_FAILED_AT] = (history.first_failed_at or datetime.now(UTC)).isoformat()
                await self._republish(topology.RETRY, topology.retry_key(delay, queue), msg, headers)
                metrics.MESSAGES.labels(queue=queue, outcome="retried").inc()
            case Park() as park:
                await self._park(park, error, queue, msg, history)
        return True

    async def _hold(self, error: Exception, queue: str) -> bool:
        log.warning("holding", action="hold", reason=str(error))
        metrics.MESSAGES.labels(queue=queue, outcome="held").inc()
        await self._until_back()
        return False

    async def _park(self, park: Park, error: Exception, queue: str, msg: Any, history: History) -> None:
        if park.bug:
            log.error("bug", action="park", exc_info=error)
        else:
            log.warning("parked", action="park", code=park.reason_code, reason=park.reason)
        headers = _kept_headers(msg.headers) | {
            ATTEMPT: history.attempts,
            FIRST_FAILED_AT: (history.first_failed_at or datetime.now(UTC)).isoformat(),
            REASON_CODE: park.reason_code,
            REASON: park.reason[:1000],
            NEXT_ACTION: park.next_action,
            TRACEBACK: _summary(error) if park.bug else "",
        }
        # Under its own message id: parked twice, because of a crash before the ack, it is stored once.
        await self._republish(topology.DEAD, queue, msg, headers, message_id=msg.raw_message.message_id)
        metrics.MESSAGES.labels(queue=queue, outcome="parked").inc()

    async def _republish(
        self, exchange: str, key: str, msg: Any, headers: dict[str, Any], *, message_id: str | None = None
    ) -> None:
        """Hand the message on, confirmed. Where the broker does not take it, it stays unacked and comes back."""
        while True:
            try:
                await self._rules.bus.publish_raw(
                    exchange,
                    key,
                    msg.body,
                    correlation_id=msg.correlation_id,
                    content_type=msg.content_type,
                    content_encoding=msg.raw_message.content_encoding,
                    headers=headers,
                    message_id=message_id,
                )
            except BrokerUnavailable as error:
                log.warning("holding", action="hold", reason=str(error))
                await asyncio.sleep(HOLD_SECONDS)
            else:
                return

    async def _until_back(self) -> None:
        """Wait until the store answers; the broker's return is seen by the next publish."""
        while True:
            await asyncio.sleep(HOLD_SECONDS)
            with contextlib.suppress(Exception):
                if await self._rules.store.ping():
                    return


def _history(headers: dict[str, Any]) -> History:
    attempts = headers.get(ATTEMPT, 0)
    first = headers.get(FIRST_FAILED_AT)
    try:
        tried = max(int(attempts), 0) + 1
        first_failed_at = datetime.fromisoformat(first) if isinstance(first, str) else None
    except (TypeError, ValueError, OverflowError):
        # A stranger's header of the same name: start counting anew rather than refuse the message.
        return History(1, None)
    return History(tried, first_failed_at if first_failed_at and first_failed_at.tzinfo else None)


def _kept_headers(headers: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in headers.items() if key not in BROKER_HEADERS}


def _code(error: Exception) -> str:
    return error.code if isinstance(error, PipelineError) else "bug"


def _summary(error: Exception) -> str:
    """The frames of a bug without values: a traceback line quotes our source, never a payload."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{type(error).__name__}"[-MAX_TRACEBACK_CHARACTERS:]
