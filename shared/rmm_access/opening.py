"""Opening an integration's line to its RMM: where it is, whose key, which budget, what was learnt of the tenant."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx

from shared.errors import Paused
from shared.integrations.reading import Integration, must_work, read_integration, read_working, remember_quirks
from shared.postgres import Pool
from shared.rmm.client import RmmClient
from shared.rmm.connection import Connection, Limits
from shared.rmm.quirks import Quirks
from shared.rmm.regions import Region, base_url
from shared.rmm_access.budget import PostgresBudget
from shared.rmm_access.rules import BudgetRules
from shared.rmm_access.tokens import PostgresTokens, TokenCache
from shared.secrets import PrivateKeyRing
from shared.settings import RmmSettings

__all__ = ["Line", "RmmAccess"]


@dataclass(frozen=True)
class Line:
    """An open line: the client, and the budget that knows when its last request was granted."""

    client: RmmClient
    budget: PostgresBudget
    integration: Integration

    @property
    def observed_seq(self) -> int:
        """The observation number of the last request."""
        return self.budget.observed_seq


class RmmAccess:
    """Opens lines; one for each process, whose integrations share its HTTP pool and token cache."""

    def __init__(self, pool: Pool, http: httpx.AsyncClient, settings: RmmSettings) -> None:
        self._pool = pool
        self._http = http
        self._keys = PrivateKeyRing.from_text(settings.secret_keys)
        self._override = settings.rmm_base_url
        self._rules = BudgetRules(
            settings.rmm_budget, timedelta(seconds=settings.rmm_window_seconds), settings.rmm_reserve
        )
        self._limits = Limits(call=timedelta(seconds=settings.rmm_timeout_seconds))
        self._cache = TokenCache()

    @asynccontextmanager
    async def line(
        self, integration_id: UUID, *, working: bool = True, known: Integration | None = None
    ) -> AsyncGenerator[Line]:
        """Open the line of an integration, read now or `known` already; what was learnt of its tenant is kept.

        Raises UnknownIntegration, and IntegrationInactive unless `working` is False (a probe of paused credentials).
        A Paused that is met on the line says of which credentials it tells.
        """
        if known is None:
            read = read_working if working else read_integration
            integration = await read(self._pool, integration_id)
        else:
            integration = must_work(known)
        url = base_url(Region(integration.region), self._override)
        budget = PostgresBudget(self._pool, integration_id, self._rules)
        tokens = PostgresTokens(
            self._pool, self._cache, self._keys, integration, Connection(self._http, url, budget, self._limits)
        )
        quirks = Quirks.from_json(json.dumps(integration.quirks))
        client = RmmClient(self._http, url, tokens, budget, quirks, integration_id=integration_id, limits=self._limits)
        try:
            yield Line(client, budget, integration)
        except Paused as error:
            error.credentials_version = integration.credentials_version
            raise
        finally:
            if quirks.changed:
                await remember_quirks(self._pool, integration_id, quirks.changes())
