"""Changing the key that secrets are sealed with, while services run.

Two steps, because a secret that is sealed to a key which no service has yet would pause its integration: first the
services get the new private key beside the old one, then the public key changes and what is stored is sealed anew.
Each step looks at where things stand, so a run that broke off is simply run again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lifecycle.stack.keys import write_secret
from shared.secrets import SEALED, PrivateKeyRing, PublicKeyRing, SealInfo, generate_keypair

if TYPE_CHECKING:
    import asyncpg

_SECRETS = """
    select id, account_id, client_secret_sealed as sealed from integrations
    where client_secret_sealed is not null for update
"""
_OLDER = """
    select exists (select from integrations where not starts_with(client_secret_sealed, $1))
        or exists (select from rmm_tokens where not starts_with(token_sealed, $1))
"""
_TOKENS = """
    select t.integration_id as id, i.account_id, t.scope_set, t.token_sealed as sealed
    from rmm_tokens t join integrations i on i.id = t.integration_id for update of t
"""


@dataclass(frozen=True)
class Rotated:
    """What a step did. `key_id` is the new key; `resealed` how many stored secrets it sealed anew."""

    step: Literal["key_added", "resealed"]
    key_id: str
    resealed: int = 0
    forgotten: int = 0


async def begun(connection: "asyncpg.Connection[Any]", private: Path, public: Path) -> bool:
    """Whether the newest private key is not the one yet that all secrets are sealed to."""
    newest = _private(private).key_ids[0]
    if newest != _public(public).key_ids[0]:
        return True
    return bool(await connection.fetchval(_OLDER, f"{SEALED}.{newest}."))


def add_key(private: Path) -> Rotated:
    """The first step: a new private key in front of the old ones."""
    pair = generate_keypair()
    write_secret(private, f"{pair.private_text.get_secret_value()}\n{private.read_text(encoding='utf-8')}")
    return Rotated("key_added", pair.key_id)


async def reseal(connection: "asyncpg.Connection[Any]", private: Path, public: Path, *, forget: bool) -> Rotated:
    """The second step: the new public key, and every stored secret sealed to it, in one transaction.

    With `forget` the old private keys leave the file afterwards. Raises SecretUnreadable, changing nothing in the
    database, where a stored secret opens with none of the keys.
    """
    keys = _private(private)
    newest = keys.key_ids[0]
    write_secret(public, keys.public().text().split()[0] + "\n")
    count = 0
    async with connection.transaction():
        for row in await connection.fetch(_SECRETS):
            sealed = keys.reseal(row["sealed"], info=SealInfo(row["account_id"], row["id"], "client_secret"))
            await connection.execute(
                "update integrations set client_secret_sealed = $2 where id = $1", row["id"], sealed
            )
            count += 1
        for row in await connection.fetch(_TOKENS):
            info = SealInfo(row["account_id"], row["id"], f"token.{row['scope_set']}")
            await connection.execute(
                "update rmm_tokens set token_sealed = $3 where integration_id = $1 and scope_set = $2",
                row["id"],
                row["scope_set"],
                keys.reseal(row["sealed"], info=info),
            )
            count += 1
    old = len(keys.key_ids) - 1
    if forget and old:
        _forget_old(private)
    return Rotated("resealed", newest, count, old if forget else 0)


def _forget_old(private: Path) -> None:
    write_secret(private, private.read_text(encoding="utf-8").split()[0] + "\n")


def _private(path: Path) -> PrivateKeyRing:
    return PrivateKeyRing.from_text(path.read_text(encoding="utf-8"))


def _public(path: Path) -> PublicKeyRing:
    return PublicKeyRing.from_text(path.read_text(encoding="utf-8"))
