"""The tokens of an integration: minted once for all replicas, sealed in Postgres, cached in the process.

Minting too often is answered with a lock of minutes (423), so an advisory lock of the store decides who mints,
and everybody else reads what that one stored.
"""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic import SecretStr

from shared.errors import SecretUnreadable
from shared.integrations.reading import Integration
from shared.postgres import Connection as StoreConnection
from shared.postgres import Pool, connection, transaction
from shared.rmm.connection import Connection
from shared.rmm.scopes import ScopeSet, pauses_of, scopes_of
from shared.rmm.token import MintedToken, mint
from shared.secrets import PrivateKeyRing, SealInfo

# A mint holds a connection to the store while it waits for the RMM; the rest of the pool is for the others.
MINTS_AT_ONCE: Final = 2

_READ: Final = """
    select token_sealed, credentials_version, extract(epoch from expires_at - clock_timestamp()) as seconds_left
    from rmm_tokens where integration_id = $1 and scope_set = $2 and expires_at > clock_timestamp()
"""
_STORE: Final = """
    insert into rmm_tokens (integration_id, scope_set, token_sealed, credentials_version, minted_at, expires_at)
    select i.id, $2, $3, $4, clock_timestamp(), clock_timestamp() + $5
    from integrations i where i.id = $1 and i.status <> 'removed' for key share
    on conflict (integration_id, scope_set) do update
        set token_sealed = excluded.token_sealed, credentials_version = excluded.credentials_version,
            minted_at = excluded.minted_at, expires_at = excluded.expires_at
        -- A handler that read the integration before its credentials were replaced must not put its token back.
        where rmm_tokens.credentials_version <= excluded.credentials_version
"""
_ONE_MINTER: Final = "select pg_advisory_xact_lock(hashtextextended($1, 0))"


@dataclass(frozen=True)
class _Cached:
    token: str
    credentials_version: int
    until: float


class TokenCache:
    """The tokens that this process has read, and how many it may mint at once."""

    def __init__(self) -> None:
        self.minting = asyncio.Semaphore(MINTS_AT_ONCE)
        self._tokens: dict[tuple[UUID, ScopeSet], _Cached] = {}

    def get(self, integration: Integration, scope_set: ScopeSet, not_this: str | None) -> str | None:
        """A token of the present credentials that is good for a while yet, and is not the refused one."""
        cached = self._tokens.get((integration.id, scope_set))
        if cached is None or cached.token == not_this or cached.until < asyncio.get_running_loop().time():
            return None
        return cached.token if cached.credentials_version == integration.credentials_version else None

    def put(self, integration: Integration, scope_set: ScopeSet, token: str, seconds: float) -> None:
        """Keep a token for as long as it is to be used."""
        until = asyncio.get_running_loop().time() + seconds
        self._tokens[integration.id, scope_set] = _Cached(token, integration.credentials_version, until)


class PostgresTokens:
    """The port of the RMM client, for one integration."""

    def __init__(
        self, pool: Pool, cache: TokenCache, keys: PrivateKeyRing, integration: Integration, line: Connection
    ) -> None:
        self._pool = pool
        self._cache = cache
        self._keys = keys
        self._integration = integration
        self._line = line

    async def get(self, scope_set: ScopeSet, *, not_this: str | None) -> str:
        """A valid token; mints one where neither this process nor the store has it. Raises what `mint` raises."""
        cached = self._cache.get(self._integration, scope_set, not_this)
        if cached:
            return cached
        async with connection(self._pool) as conn:
            stored = await self._stored(conn, scope_set, not_this)
        return stored or await self._mint_once(scope_set, not_this)

    async def _stored(self, conn: StoreConnection, scope_set: ScopeSet, not_this: str | None) -> str | None:
        row = await conn.fetchrow(_READ, self._integration.id, scope_set.value)
        if row is None or row["credentials_version"] != self._integration.credentials_version:
            return None
        try:
            token = self._keys.open(row["token_sealed"], info=self._info(f"token.{scope_set.value}"))
        except SecretUnreadable:
            # Sealed to a key that is gone: a new token costs one request, a paused integration costs a person.
            return None
        text = token.get_secret_value()
        if text == not_this:
            return None
        self._cache.put(self._integration, scope_set, text, float(row["seconds_left"]))
        return text

    async def _mint_once(self, scope_set: ScopeSet, not_this: str | None) -> str:
        async with self._cache.minting, transaction(self._pool) as conn:
            await conn.execute(_ONE_MINTER, f"token:{self._integration.id}:{scope_set.value}")
            stored = await self._stored(conn, scope_set, not_this)
            if stored:
                return stored
            minted = await self._mint(scope_set)
            text = minted.access_token.get_secret_value()
            sealed = self._keys.public().seal(text, info=self._info(f"token.{scope_set.value}"))
            await conn.execute(
                _STORE,
                self._integration.id,
                scope_set.value,
                sealed,
                self._integration.credentials_version,
                minted.renew_after,
            )
        self._cache.put(self._integration, scope_set, text, minted.renew_after.total_seconds())
        return text

    async def _mint(self, scope_set: ScopeSet) -> MintedToken:
        secret = self._keys.open(self._integration.client_secret_sealed, info=self._info("client_secret"))
        return await mint(
            self._line,
            client_id=self._integration.client_id,
            client_secret=SecretStr(secret.get_secret_value()),
            scopes=scopes_of(scope_set),
            integration_id=self._integration.id,
            pauses=pauses_of(scope_set),
        )

    def _info(self, field: str) -> SealInfo:
        return SealInfo(self._integration.account_id, self._integration.id, field)
