"""What people do to an integration: add it, replace its credentials, enable, disable. Removal is in removal.py.

Each change runs in the caller's transaction and returns the events that it stored: hand them to `Outbox.publish`
after the commit. Command and console make the same changes through here. Every change is in the audit log.
"""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
from pydantic import SecretStr

from shared import audit, outbox
from shared.audit import Author
from shared.errors import Permanent, UnknownIntegration
from shared.events.envelope import EventData, new_event
from shared.events.integrations import (
    CredentialsReplaced,
    IntegrationCreated,
    IntegrationDisabled,
    IntegrationEnabled,
)
from shared.integrations.status import cancel_run, queue_sync
from shared.postgres import Connection, sql
from shared.rmm.regions import Region
from shared.runs.requests import request_run
from shared.secrets import PublicKeyRing, SealInfo

SECRET_FIELD: Final = "client_secret"  # noqa: S105 - the name of a column
MAX_NAME: Final = 100
MAX_CREDENTIAL: Final = 4096

_LOCK: Final = """
    select id, name, status, reason, next_action, client_id, credentials_version from integrations
    where id = $1 and account_id = $2 and status <> 'removed' for update
"""
_COUNT_UP: Final = """
    update integrations
    set credentials_version = credentials_version + 1, probe_due_at = now() + interval '30 seconds', updated_at = now()
    where id = $1
    returning credentials_version
"""


class ChangeRefused(Permanent):
    """The change is in conflict with how things stand; `next_action` says what to do instead."""

    code = "change_refused"
    next_action = "look at the integration"


class NameTaken(ChangeRefused):
    """Another integration of the account has this name, in whatever case."""

    code = "name_taken"

    def __init__(self, name: str, integration_id: UUID, status: str) -> None:
        """`integration_id` is the one that stands."""
        super().__init__(
            f"there is already an integration {name!r}: {integration_id}, {status}",
            next_action="choose another name, or use the one that stands",
        )
        self.integration_id = integration_id


class BadInput(Permanent):
    """A name or a credential that cannot be one; `field` says which."""

    code = "bad_input"
    next_action = "correct it"

    def __init__(self, field_name: str, message: str) -> None:
        """`field_name` is the form's field."""
        super().__init__(message)
        self.field = field_name


@dataclass(frozen=True)
class Credentials:
    """A key of the RMM. Raises BadInput where it cannot be one."""

    client_id: str
    client_secret: SecretStr

    def __post_init__(self) -> None:
        object.__setattr__(self, "client_id", _credential("client_id", self.client_id))
        secret = _credential("client_secret", self.client_secret.get_secret_value())
        object.__setattr__(self, "client_secret", SecretStr(secret))


@dataclass(frozen=True)
class NewIntegration:
    """What is to be added. The same `integration_id` twice (a form sent twice) is added once."""

    name: str
    region: Region
    credentials: Credentials
    sync: bool = True
    integration_id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))


@dataclass(frozen=True)
class Added:
    """The integration, its first run (None where none was wanted), and whether it stood already."""

    integration_id: UUID
    run_id: UUID | None
    pending: list[outbox.Pending]
    repeated: bool = False


@dataclass(frozen=True)
class Changed:
    """How the integration stands after a change; `changed` is False where it stood so already."""

    integration_id: UUID
    name: str
    status: str
    credentials_version: int
    pending: list[outbox.Pending]
    changed: bool = True


async def add_integration(conn: Connection, author: Author, new: NewIntegration, keys: PublicKeyRing) -> Added:
    """Store the integration with its sealed secret, queue its first run, and announce both. Raises NameTaken."""
    known = await conn.fetchval(
        "select true from integrations where id = $1 and account_id = $2", new.integration_id, author.account_id
    )
    if known:
        run_id = await conn.fetchval(
            "select id from sync_runs where integration_id = $1 order by requested_at limit 1", new.integration_id
        )
        return Added(new.integration_id, run_id, [], repeated=True)
    made = await conn.fetchval(
        sql(__package__, "add"),
        new.integration_id,
        author.account_id,
        new.name,
        new.region.value,
        new.credentials.client_id,
        _sealed(keys, author, new.integration_id, new.credentials),
    )
    if made is None:
        await raise_taken(conn, author, new.name)
    after = {"name": new.name, "region": new.region.value, "client_id": new.credentials.client_id}
    await audit.record(conn, author, "integration.added", "integration", new.integration_id, after=after)
    if not new.sync:
        return Added(new.integration_id, None, [])
    request_id = uuid4()
    request = await request_run(
        conn, new.integration_id, request_id=request_id, started_by="created", actor=author.actor
    )
    data = IntegrationCreated(integration_id=new.integration_id, run_id=request.run_id)
    # The event's id is the request's: a second delivery of it leads to the same run.
    return Added(new.integration_id, request.run_id, [await _tell(conn, author, data, event_id=request_id)])


async def replace_credentials(
    conn: Connection, author: Author, integration_id: UUID, credentials: Credentials, keys: PublicKeyRing
) -> Changed:
    """Store a new pair and have it tried; a paused integration resumes by itself where the pair works.

    An active one stays active: its next request signs in anew. Raises UnknownIntegration.
    """
    before = await lock_integration(conn, author, integration_id)
    sealed = _sealed(keys, author, integration_id, credentials)
    version: int = await conn.fetchval(
        sql(__package__, "replace_credentials"), integration_id, credentials.client_id, sealed
    )
    await conn.execute("delete from rmm_tokens where integration_id = $1", integration_id)
    await audit.record(
        conn,
        author,
        "integration.credentials_replaced",
        "integration",
        integration_id,
        before={"client_id": before["client_id"], "credentials_version": before["credentials_version"]},
        after={"client_id": credentials.client_id, "credentials_version": version},
    )
    data = CredentialsReplaced(integration_id=integration_id, credentials_version=version)
    return Changed(integration_id, before["name"], before["status"], version, [await _tell(conn, author, data)])


async def try_key_anew(conn: Connection, author: Author, integration_id: UUID) -> Changed:
    """Let the stored pair count as a new one: what was paused for it goes on, with tokens that know of added rights.

    The caller says in the audit log why. Raises UnknownIntegration.
    """
    before = await lock_integration(conn, author, integration_id)
    version: int = await conn.fetchval(_COUNT_UP, integration_id)
    await conn.execute("delete from rmm_tokens where integration_id = $1", integration_id)
    data = CredentialsReplaced(integration_id=integration_id, credentials_version=version)
    return Changed(integration_id, before["name"], before["status"], version, [await _tell(conn, author, data)])


async def enable(conn: Connection, author: Author, integration_id: UUID) -> Changed:
    """Switch a disabled integration on again, with a catch-up run. Raises ChangeRefused where it is paused."""
    before = await lock_integration(conn, author, integration_id)
    name, version = before["name"], before["credentials_version"]
    if before["status"] in {"never_synced", "active"}:
        return Changed(integration_id, name, before["status"], version, [], changed=False)
    if before["status"] != "disabled":
        raise ChangeRefused(
            f"integration {name!r} is not disabled but {before['status']}: {before['reason'] or 'no reason is known'}",
            next_action=before["next_action"] or "solve what paused it; it then goes on by itself",
        )
    status: str = await conn.fetchval(sql(__package__, "enable"), integration_id)
    await _record_status(conn, author, "integration.enabled", before, status)
    pending = [await _tell(conn, author, IntegrationEnabled(integration_id=integration_id))]
    pending += await queue_sync(
        conn, integration_id, author.account_id, started_by="resumed", actor=author.actor, source=author.source
    )
    return Changed(integration_id, name, status, version, pending)


async def disable(conn: Connection, author: Author, integration_id: UUID) -> Changed:
    """Nothing is fetched or written any more, the run that is going is cancelled, all data stays."""
    before = await lock_integration(conn, author, integration_id)
    name, version = before["name"], before["credentials_version"]
    if before["status"] == "disabled":
        return Changed(integration_id, name, "disabled", version, [], changed=False)
    await conn.execute(sql(__package__, "disable"), integration_id, f"disabled by {author.actor}")
    await _record_status(conn, author, "integration.disabled", before, "disabled")
    pending = [await _tell(conn, author, IntegrationDisabled(integration_id=integration_id))]
    pending += await cancel_run(
        conn,
        integration_id,
        author.account_id,
        reason_code="integration_disabled",
        reason=f"the integration was disabled by {author.actor}",
        next_action="enable it: it catches up by itself",
        source=author.source,
    )
    return Changed(integration_id, name, "disabled", version, pending)


async def lock_integration(conn: Connection, author: Author, integration_id: UUID) -> asyncpg.Record:
    """The row of an integration of this account, locked until the transaction ends. Raises UnknownIntegration."""
    row = await conn.fetchrow(_LOCK, integration_id, author.account_id)
    if row is None:
        raise UnknownIntegration(integration_id)
    return row


async def raise_taken(conn: Connection, author: Author, name: str) -> None:
    """Raise NameTaken with who has the name, or ChangeRefused where it was given up meanwhile."""
    row = await conn.fetchrow(
        "select id, name, status from integrations"
        " where account_id = $1 and lower(name) = lower($2) and status <> 'removed'",
        author.account_id,
        name,
    )
    if row is None:  # removed in this very moment
        raise ChangeRefused(f"the name {name!r} was just given up", next_action="try again")
    raise NameTaken(row["name"], row["id"], row["status"])


def checked_name(text: str) -> str:
    """The name of an integration, each space a single one. Raises BadInput where it cannot be one."""
    name = " ".join(text.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise BadInput("name", f"a name has 1 to {MAX_NAME} printable characters")
    return name


async def _record_status(conn: Connection, author: Author, action: str, before: asyncpg.Record, status: str) -> None:
    was = {"status": before["status"], "reason": before["reason"]}
    await audit.record(conn, author, action, "integration", before["id"], before=was, after={"status": status})


async def _tell(conn: Connection, author: Author, data: EventData, *, event_id: UUID | None = None) -> outbox.Pending:
    integration_id: Any = getattr(data, "integration_id", None)
    event = new_event(
        data,
        source=author.source,
        account_id=author.account_id,
        subject=f"integrations/{integration_id}",
        event_id=event_id,
    )
    return await outbox.add(conn, event)


def _sealed(keys: PublicKeyRing, author: Author, integration_id: UUID, credentials: Credentials) -> str:
    info = SealInfo(author.account_id, integration_id, SECRET_FIELD)
    return keys.seal(credentials.client_secret.get_secret_value(), info=info)


def _credential(field_name: str, text: str) -> str:
    """The text less space around it; never repeated in an error."""
    words = field_name.replace("_", " ")
    stripped = text.strip()
    if not stripped:
        raise BadInput(field_name, f"the {words} is empty")
    if len(stripped) > MAX_CREDENTIAL or not stripped.isprintable() or " " in stripped:
        raise BadInput(field_name, f"the {words} has spaces, line ends or more than {MAX_CREDENTIAL} characters")
    return stripped
