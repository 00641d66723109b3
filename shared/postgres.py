"""The store: a pool, SQL files by name, and foreign errors turned into ours at the edge."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

from shared import tls
from shared.errors import BadMessage, StoreConflict, StoreUnavailable
from shared.settings import SettingsError

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

T = TypeVar("T")

ACQUIRE_SECONDS: Final = 10.0
# A statement that takes longer is stuck; the longest of ours judges a fleet of a million devices.
COMMAND_SECONDS: Final = 60.0
CONFLICT_ATTEMPTS: Final = 5

_DOWN: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.DiskFullError,
    asyncpg.QueryCanceledError,
    # Nobody is let in: the password was changed, the database is being moved.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    # What the driver says of a connection that was ended from the other side while it was idle.
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
    OSError,
)
# Text of a stranger that was looked at nowhere before: a NUL, in plain text or within jsonb.
_UNSTORABLE: Final = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
_CONFLICT: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    # Binary, which is the same text for this type, because COPY takes nothing else.
    await connection.set_type_codec(
        "json", encoder=_json_or_bytes, decoder=json.loads, schema="pg_catalog", format="binary"
    )


def _json_or_bytes(value: Any) -> bytes:
    """JSON that stands already goes as it is."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


async def _nothing(_connection: Connection) -> None:
    """Our statements leave nothing in a session that would have to be reset."""


async def open_pool(database_url: str, *, service: str, size: int = 8, plan_once: bool = False) -> Pool:
    """Connect `size` connections at most; with `plan_once` a statement is planned once a connection.

    Raises StoreUnavailable where there is no database, and SettingsError for an address that the driver does not take.
    """
    try:
        pool: Pool = await asyncpg.create_pool(
            database_url,
            min_size=1,
            max_size=size,
            init=_prepare,
            command_timeout=COMMAND_SECONDS,
            server_settings={
                "application_name": f"lifecycle-{service}",
                "jit": "off",
                "plan_cache_mode": "force_generic_plan" if plan_once else "auto",
            },
            reset=_nothing,
        )
    except (asyncpg.ClientConfigurationError, asyncpg.UndefinedObjectError):
        # The latter says Postgres of a word that the driver does not know and hands on as a setting of the server.
        # Without a cause: what the driver says repeats parts of the address.
        raise SettingsError(
            "LIFECYCLE_DATABASE_URL is not an address that the driver takes: correct its sslmode"
            " (verify-full needs sslrootcert), the other words after its `?`, or the files that they name"
        ) from None
    except (*_DOWN, asyncpg.PostgresError) as error:
        raise _away("no connection to the database", error) from error
    return pool


def _away(what: str, error: Exception) -> StoreUnavailable:
    """What it means that the database cannot be used: TLS fails, or it is not there."""
    if trouble := tls.trouble(error, tls.DATABASE):
        return StoreUnavailable(f"{what}: {trouble.what}", next_action=trouble.next_action)
    return StoreUnavailable(f"{what}: {type(error).__name__}")


@asynccontextmanager
async def connection(pool: Pool) -> AsyncGenerator[Connection]:
    """A connection for single statements. Raises BadMessage for text that Postgres can't store, and ours of it."""
    try:
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as conn:
            yield conn
    except _CONFLICT as error:
        raise StoreConflict(f"the database asks to try again: {type(error).__name__}") from error
    except _UNSTORABLE:
        # Without a cause: what Postgres says repeats the text.
        raise BadMessage("a text has a character that can't be stored, such as NUL") from None
    except _DOWN as error:
        raise _away("the database is not there", error) from error


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncGenerator[Connection]:
    """A connection within a transaction. An unknown outcome of the commit is StoreUnavailable: repeat it."""
    async with connection(pool) as conn, conn.transaction():
        yield conn


async def again_on_conflict(work: Callable[[], Awaitable[T]]) -> T:
    """Run a whole transaction again when the database picked it as the victim of a deadlock."""
    import stamina  # noqa: PLC0415 - a command that only reads is quicker without

    async for attempt in stamina.retry_context(
        on=StoreConflict, attempts=CONFLICT_ATTEMPTS, wait_initial=0.02, wait_jitter=0.05, wait_max=0.5, timeout=10
    ):
        with attempt:
            return await work()
    raise AssertionError("unreachable: stamina returns or raises")


def array_text(values: Sequence[str]) -> str:
    """Many texts as one parameter, of which the statement makes an array: `$1::text::text[]`.

    For hundreds of them: the driver asks of each whether it is an array itself, which costs more than all the rest.
    """
    inside = '","'.join(values)
    if "\\" in inside or inside.count('"') != 2 * (len(values) - 1):
        inside = '","'.join(value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return f'{{"{inside}"}}' if values else "{}"


@cache
def sql(package: str, name: str) -> str:
    """The text of `<name>.sql` in a package: SQL is written as SQL."""
    return resources.files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")


class PoolStore:
    """Answers whether the store works, for health and for a service that holds its messages."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ping(self) -> bool:
        """True when a query works within two seconds."""
        try:
            async with asyncio.timeout(2), self._pool.acquire() as conn:
                return bool(await conn.fetchval("select true"))
        except (*_DOWN, asyncpg.PostgresError):
            return False


def as_json(value: Any) -> str:
    """JSON text for a statement that takes text."""
    return json.dumps(value, ensure_ascii=False, default=str)
