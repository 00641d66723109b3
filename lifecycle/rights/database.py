"""The roles of a deployment's database: made, given their passwords, and given what grants.sql says.

The step that migrates does it, as the owner, after each migration; twice is harmless.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import asyncpg

from lifecycle.exits import NotFound, Refused
from shared.postgres import sql

PARTS: Final = ("fetcher", "normalizer", "writer", "writeback", "scheduler", "cli", "keys")
_LOCK: Final = 0x726F6C65  # any number that no other program on the database uses
_ITERATIONS: Final = 4096
_VERIFIER: Final = re.compile(r"SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")


def role_of(part: str) -> str:
    """The role of a program."""
    return f"lifecycle_{part}"


def verifier(password: str) -> str:
    """What Postgres keeps of a password (SCRAM-SHA-256, RFC 5803): whoever sets it need not know it.

    The salt comes from the password, which is random: the same text again and again, and no two roles' salts are alike.
    """
    salt = hashlib.sha256(b"salt of " + password.encode()).digest()[:16]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def read_verifiers(path: Path) -> dict[str, str]:
    """The verifiers by role, from the file that `secrets deployment` makes; raises `NotFound` and `Refused`."""
    hint = "make it with: lifecycle secrets deployment (with compose: docker compose run --rm secrets)"
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"the file of the roles {path} cannot be read ({error.strerror})", hint) from None
    except ValueError:
        raise Refused(f"the file of the roles {path} is not JSON", hint) from None
    kept = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    verifiers = {role: str(kept.get(role)) for role in map(role_of, PARTS)}
    if not all(map(_VERIFIER.fullmatch, verifiers.values())):
        raise Refused(f"the file of the roles {path} has not a SCRAM verifier for each role", hint)
    return verifiers


async def grant(database_url: str, verifiers: Mapping[str, str]) -> None:
    """Make the roles that are missing, set their passwords, and give each what grants.sql says, all at once or nothing.

    Raises `Refused` where the user of the address may not make roles.
    """
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url, timeout=10)
    try:
        async with connection.transaction():
            # Of two that change the same role at once Postgres ends one with an error.
            await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
            there = {row["rolname"] for row in await connection.fetch("select rolname from pg_roles")}
            for role, text in verifiers.items():
                # Names and verifiers are checked: neither can be a parameter of such a statement.
                verb = "alter" if role in there else "create"
                await connection.execute(f"{verb} role {role} login password '{text}'")
            await connection.execute(sql(__package__, "grants"))
    except asyncpg.InsufficientPrivilegeError as error:
        raise Refused(
            f"the roles of the services cannot be made: {error}",
            "migrate with the owner of the tables, and let it make roles: alter role OWNER createrole",
        ) from error
    finally:
        await connection.close()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
