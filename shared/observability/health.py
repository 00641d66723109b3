"""Health: /health/live says the process works, /health/ready says that it does its job.

Readiness is a loop over what was registered. For the broker "connected" is not enough: reconnected consumers were
seen without a subscription (docs/adr/0010), so each of our queues is asked for its consumers, and this process for its
own. What no one can ask for over AMQP, the bindings, each look makes again (docs/adr/0026).
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import prometheus_client
import structlog
from starlette.requests import Request
from starlette.responses import Response

from shared import declaration, topology
from shared.errors import PipelineError

log: structlog.stdlib.BoundLogger = structlog.get_logger("health")

CHECK_SECONDS: Final = 5.0
BROKER_LOOK_SECONDS: Final = 5.0
# Longer than a dead link is noticed by its heartbeat; a slow broker is no reason to stop looking.
BROKER_ANSWER_SECONDS: Final = 60.0
# What was wrong is looked at sooner: just after a start the broker does not count the new consumer yet.
BROKER_LOOK_AGAIN_SECONDS: Final = 1.0

Check = Callable[[], Awaitable[str | None]]
Lost = Callable[[], Awaitable[list[str]]]


@dataclass
class Health:
    """The registered checks of a service. A check returns None, or what is wrong and what to do."""

    service: str
    checks: dict[str, Check] = field(default_factory=dict[str, Check])
    started_at: float = field(default_factory=time.monotonic)
    consuming: bool = False
    stopping: bool = False
    check_seconds: float = CHECK_SECONDS

    def register(self, name: str, check: Check) -> None:
        """Add a check to readiness."""
        self.checks[name] = check

    async def findings(self) -> dict[str, str | None]:
        """Run all checks side by side; each has five seconds."""
        names = list(self.checks)
        results = await asyncio.gather(*(self._run(self.checks[name]) for name in names))
        return dict(zip(names, results, strict=True))

    async def _run(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(self.check_seconds):
                return await check()
        except TimeoutError:
            return f"no answer within {self.check_seconds:g} s"
        except PipelineError as error:
            return f"{error}: {error.next_action}"
        except Exception as error:  # noqa: BLE001 - a broken check is a finding, not a crash
            return f"check failed: {type(error).__name__}"

    async def live(self, _request: Request) -> Response:
        """200 while the event loop turns."""
        return _answer({"service": self.service, "status": "live", "up_seconds": self._up_seconds()}, ok=True)

    async def ready(self, _request: Request) -> Response:
        """200 when every check is green, else 503 with what is wrong."""
        findings = await self.findings()
        # Before it consumes nothing is registered yet, and nothing found wrong.
        ok = self.consuming and not self.stopping and not any(findings.values())
        body = {
            "service": self.service,
            "status": "stopping" if self.stopping else "ready" if ok else "not_ready",
            "up_seconds": self._up_seconds(),
            "checks": {name: found or "ok" for name, found in findings.items()},
        }
        return _answer(body, ok=ok)

    async def metrics(self, _request: Request) -> Response:
        """The Prometheus page."""
        return Response(prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    def _up_seconds(self) -> float:
        return round(time.monotonic() - self.started_at, 1)


def _answer(body: dict[str, Any], *, ok: bool) -> Response:
    return Response(json.dumps(body), status_code=200 if ok else 503, media_type="application/json")


class BrokerLook:
    """Asks the broker for our queues and their consumers, and makes the bindings again; once for all callers.

    Every five seconds, also where nobody asks, and every second while something is wrong and somebody asks. `lost`
    names the queues of which this process has no consumer; other replicas may have theirs.
    """

    def __init__(
        self, amqp_url: str, queues: tuple[str, ...], *, kept: Sequence[topology.Queue] = (), lost: Lost | None = None
    ) -> None:
        self._amqp_url = amqp_url
        self._queues = queues
        self._kept = kept
        self._lost = lost
        self._looked_at = 0.0
        self._finding: str | None = "not looked at yet"
        self._refused: set[str] = set()
        self._lock = asyncio.Lock()

    async def __call__(self) -> str | None:
        """None when each queue stands, is bound and has a consumer, one of them this process."""
        async with self._lock:
            often = BROKER_LOOK_AGAIN_SECONDS if self._finding else BROKER_LOOK_SECONDS
            if time.monotonic() - self._looked_at > often:
                self._finding = await self._look()
                self._looked_at = time.monotonic()
        return self._finding

    async def keep_looking(self) -> None:
        """Look for ever, whether or not anybody asks for health: an unbound queue loses events."""
        said: str | None = None
        task = asyncio.current_task()
        while True:
            if task is not None and task.cancelling():
                # The client lets a cancellation vanish that comes while it closes: the service would never end.
                raise asyncio.CancelledError
            # First, for just after a start the broker does not count the new consumer yet.
            await asyncio.sleep(BROKER_LOOK_SECONDS)
            try:
                async with asyncio.timeout(BROKER_ANSWER_SECONDS):
                    found = await self()
            except PipelineError as error:
                found = str(error)
            except TimeoutError:
                found = f"the broker did not answer within {BROKER_ANSWER_SECONDS:g} s"
            except Exception:
                log.exception("bug in the look at the broker", action="look")
                continue
            if found != said:
                log.log(logging.WARNING if found else logging.INFO, found or "the broker is well", action="look")
            said = found

    async def _look(self) -> str | None:
        # On a fresh plain connection: a robust channel answers a passive declare from its cache.
        findings, bound = await declaration.keep(self._amqp_url, self._queues, self._kept)
        self._say_refused(bound)
        found = {finding.name: finding for finding in findings}
        missing = [name for name in self._queues if not found[name].present]
        if missing:
            return f"queue {', '.join(missing)} is missing: run `lifecycle topology declare`"
        if loose := [each for each in bound if each.missing]:
            return f"{loose[0].name} can't be bound ({loose[0].missing}): run `lifecycle topology declare`"
        idle = [name for name in self._queues if not found[name].consumers]
        if idle:
            return f"nobody consumes {', '.join(idle)}"
        lost = await self._lost() if self._lost else []
        return f"this process does not consume {', '.join(lost)} any more: restart it" if lost else None

    def _say_refused(self, bound: Sequence[declaration.Kept]) -> None:
        """A warning, once for each queue: it consumes and publishes without this right, so it is ready."""
        for each in bound:
            if each.refused and each.name not in self._refused:
                log.warning(
                    "may not keep the bindings of its queue",
                    action="bind",
                    queue=each.name,
                    reason=each.refused,
                    next_action="let this user write to its queues and read the exchanges, or look at"
                    " `lifecycle topology check` yourself",
                )
                self._refused.add(each.name)
