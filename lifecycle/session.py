"""What a command works with: a database connection, the broker's address, and the account that is meant."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import SecretStr

from lifecycle.exits import Unreachable
from lifecycle.settings import CommandSettings
from lifecycle.stack.layout import Layout, layout
from lifecycle.stack.state import StackState, read_state

if TYPE_CHECKING:
    import asyncpg

_CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Addresses:
    """Where broker and database are, and the key that secrets are sealed to."""

    amqp_url: SecretStr
    database_url: SecretStr
    management_url: SecretStr | None
    sealing_key_file: Path | None
    rmm_base_url: str | None


@dataclass(frozen=True)
class Session:
    """One command's connection to the database, in the name of one account."""

    connection: "asyncpg.Connection[Any]"
    account_id: UUID
    account_name: str
    addresses: Addresses


def stack_layout(settings: CommandSettings | None = None) -> Layout:
    """The folder of this checkout's stack."""
    return layout((settings or CommandSettings()).local_dir)


def addresses(settings: CommandSettings | None = None) -> Addresses:
    """From the environment, else from the stack in this checkout; raises `Unreachable` where neither has them."""
    settings = settings or CommandSettings()
    state = _ready_state(settings)
    amqp_url = _given_or_kept(settings.amqp_url, state.amqp_url if state else None)
    database_url = _given_or_kept(settings.database_url, state.database_url if state else None)
    if amqp_url is None or database_url is None:
        raise Unreachable(
            "no stack runs here, and LIFECYCLE_AMQP_URL and LIFECYCLE_DATABASE_URL are not both set",
            "run: lifecycle up",
        )
    kept_key = stack_layout(settings).sealing_key_file
    sealing_key_file = settings.sealing_key_file or (kept_key if kept_key.is_file() else None)
    management_url = _given_or_kept(settings.management_url, state.management_url if state else None)
    rmm_base_url = settings.rmm_base_url or (state.rmm_base_url if state else None)
    return Addresses(amqp_url, database_url, management_url, sealing_key_file, rmm_base_url)


def database_url(settings: CommandSettings | None = None) -> str:
    """The database's address alone, from the environment or the stack here; raises `Unreachable`."""
    settings = settings or CommandSettings()
    state = _ready_state(settings)
    found = _given_or_kept(settings.database_url, state.database_url if state else None)
    if found is None:
        raise Unreachable("no stack runs here, and LIFECYCLE_DATABASE_URL is not set", "run: lifecycle up")
    return found.get_secret_value()


def amqp_url(settings: CommandSettings | None = None) -> str:
    """The broker's address alone, from the environment or the stack here; raises `Unreachable`."""
    settings = settings or CommandSettings()
    state = _ready_state(settings)
    found = _given_or_kept(settings.amqp_url, state.amqp_url if state else None)
    if found is None:
        raise Unreachable("no stack runs here, and LIFECYCLE_AMQP_URL is not set", "run: lifecycle up")
    return found.get_secret_value()


def management_url(settings: CommandSettings | None = None) -> str | None:
    """The management API of the broker at `amqp_url`; None where nobody told it."""
    settings = settings or CommandSettings()
    if settings.management_url is not None:
        return settings.management_url.get_secret_value()
    state = _ready_state(settings)
    # With another broker's address in the environment, the API of the stack here would tell of the wrong one.
    return state.management_url if state is not None and amqp_url(settings) == state.amqp_url else None


@asynccontextmanager
async def database(settings: CommandSettings | None = None) -> "AsyncGenerator[asyncpg.Connection[Any]]":
    """A connection to a database that is migrated, for whoever needs no broker and no account.

    Raises `Unreachable`, and `MigrationError` where the tables are too old.
    """
    import asyncpg  # noqa: PLC0415 - `--help` needs no driver

    from shared.migrations import check_current  # noqa: PLC0415 - the same

    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url(settings), timeout=_CONNECT_SECONDS)
    try:
        # As the services have it: JSON columns are Python values.
        for kind in ("json", "jsonb"):
            await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        await check_current(connection)
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def connect(account: str | None = None, settings: CommandSettings | None = None) -> AsyncGenerator[Session]:
    """A connection to a database that is migrated, and the account that is meant.

    Raises `Unreachable`, `NotFound` for an unknown account, and `MigrationError` where the tables are too old.
    """
    from lifecycle.accounts import resolve_account  # noqa: PLC0415 - `--help` needs no driver

    found = addresses(settings)
    async with database(settings) as connection:
        account_id, account_name = await resolve_account(connection, account)
        yield Session(connection, account_id, account_name, found)


def _ready_state(settings: CommandSettings) -> StackState | None:
    state = read_state(stack_layout(settings).state_file)
    return state if state is not None and state.phase in {"starting", "ready", "stopping"} else None


def _given_or_kept(given: SecretStr | None, kept: str | None) -> SecretStr | None:
    return given if given is not None else SecretStr(kept) if kept is not None else None
