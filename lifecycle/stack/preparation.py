"""What a broker and a database need before the first service starts."""

from collections.abc import Callable


async def prepare(amqp_url: str, database_url: str, say: Callable[[str], None]) -> None:
    """Tables, the first account, exchanges and queues; twice is harmless.

    Ends 3 s after the last new queue: a younger quorum queue can lose confirmed messages to a kill -9.
    """
    from lifecycle.accounts import ensure_first_account  # noqa: PLC0415 - drivers take a while to import
    from shared.declaration import declare  # noqa: PLC0415 - the same
    from shared.migrations import migrate  # noqa: PLC0415 - the same

    applied = await migrate(database_url)
    say(f"migrations: {len(applied)} applied" if applied else "migrations: up to date")
    await ensure_first_account(database_url)
    new = await declare(amqp_url)
    say(f"topology: {len(new)} new queues" if new else "topology: up to date")
