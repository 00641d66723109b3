"""Secrets at rest: sealed to a public key, opened only by the services that hold the private one.

HPKE (RFC 9180) in one shot: X25519, HKDF-SHA256, AES-256-GCM. Account, integration and field are bound in as HPKE's
`info`, so a ciphertext copied to another row does not open there.

The text forms, none of which needs escaping in an environment variable or a database column::

    public key    hpke1-public.<key id>.<base64url>
    private key   hpke1-private.<key id>.<base64url>
    sealed        hpke1.<key id>.<base64url>
    key ring      several keys, newest first, separated by white space or commas

A key id is the start of a hash of the public key, so a key that was cut or mixed up is found when it is read.
No repr, error message or log of this module shows key material or plaintext.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from pydantic import SecretStr

from shared.errors import SecretUnreadable

SEALED: Final = "hpke1"
PUBLIC: Final = "hpke1-public"
PRIVATE: Final = "hpke1-private"

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_KEY_BYTES: Final = 32
_KEY_ID: Final = re.compile(r"[0-9a-f]{12}")
_FIELD: Final = re.compile(r"[a-z][a-z0-9_.:-]{0,63}")


class KeyTextError(ValueError):
    """A key ring's text cannot be read; the message says which key of it, never what it holds."""


@dataclass(frozen=True, slots=True)
class SealInfo:
    """The row and column that a sealed text belongs to: it opens only with the same three values.

    `field` is a stable lower-case name such as `client_secret` or `token.read`. Raises ValueError for another form.
    """

    account_id: UUID
    integration_id: UUID
    field: str

    def __post_init__(self) -> None:
        if not _FIELD.fullmatch(self.field):
            raise ValueError("a sealed field's name is lower case letters, digits, _ . : -")

    def as_bytes(self) -> bytes:
        """Encode for HPKE; both ids have a fixed length, so no two infos give the same bytes."""
        return f"lifecycle-sync/1/{self.account_id}/{self.integration_id}/{self.field}".encode()


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new key pair in text form; `private_text` goes to fetcher and writeback only."""

    key_id: str
    private_text: SecretStr
    public_text: str


def generate_keypair() -> KeyPair:
    """Make a new key pair from the system's random source."""
    private = X25519PrivateKey.generate()
    key_id = _key_id(private.public_key())
    return KeyPair(
        key_id,
        SecretStr(f"{PRIVATE}.{key_id}.{_text(private.private_bytes_raw())}"),
        f"{PUBLIC}.{key_id}.{_text(private.public_key().public_bytes_raw())}",
    )


class PublicKeyRing:
    """Seals secrets; cannot open them."""

    def __init__(self, keys: Mapping[str, X25519PublicKey]) -> None:
        """`keys` by key id, newest first."""
        if not keys:
            raise KeyTextError("a public key ring needs at least one key")
        self._keys = dict(keys)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read one or several public keys, newest first. Raises KeyTextError."""
        keys: dict[str, X25519PublicKey] = {}
        for position, key_id, material in _keys_in(text, PUBLIC):
            key = X25519PublicKey.from_public_bytes(material)
            _check_id(key, key_id, position)
            keys.setdefault(key_id, key)
        return cls(keys)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Key ids, newest first."""
        return tuple(self._keys)

    def text(self) -> str:
        """Give the ring's text form, which `from_text` reads."""
        return " ".join(f"{PUBLIC}.{key_id}.{_text(key.public_bytes_raw())}" for key_id, key in self._keys.items())

    def seal(self, plaintext: bytes | str, *, info: SealInfo) -> str:
        """Seal to the newest key. Sealing twice gives two different texts."""
        content = plaintext.encode() if isinstance(plaintext, str) else plaintext
        key_id, key = next(iter(self._keys.items()))
        return f"{SEALED}.{key_id}.{_text(_SUITE.encrypt(content, key, info=info.as_bytes()))}"

    def __repr__(self) -> str:
        return f"PublicKeyRing(key_ids={self.key_ids})"


class PrivateKeyRing:
    """Opens what was sealed to any of its keys; rotates to the newest."""

    def __init__(self, keys: Mapping[str, X25519PrivateKey]) -> None:
        """`keys` by key id, newest first."""
        if not keys:
            raise KeyTextError("a private key ring needs at least one key")
        self._keys = dict(keys)

    @classmethod
    def from_text(cls, text: str | SecretStr) -> Self:
        """Read one or several private keys, newest first. Raises KeyTextError."""
        plain = text.get_secret_value() if isinstance(text, SecretStr) else text
        keys: dict[str, X25519PrivateKey] = {}
        for position, key_id, material in _keys_in(plain, PRIVATE):
            key = X25519PrivateKey.from_private_bytes(material)
            _check_id(key.public_key(), key_id, position)
            keys.setdefault(key_id, key)
        return cls(keys)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Key ids, newest first."""
        return tuple(self._keys)

    def public(self) -> PublicKeyRing:
        """Give the public half, in the same order."""
        return PublicKeyRing({key_id: key.public_key() for key_id, key in self._keys.items()})

    def open(self, sealed: str, *, info: SealInfo) -> SecretStr:
        """Open a sealed text. Raises SecretUnreadable where no key fits, it is damaged, or of another row."""
        try:
            return SecretStr(self.open_bytes(sealed, info=info).decode())
        except UnicodeDecodeError:
            # Raised below, not here: as a context the decoding error would carry the plaintext along.
            pass
        raise _unreadable(info, "is not text", "sealed_not_text")

    def open_bytes(self, sealed: str, *, info: SealInfo) -> bytes:
        """Open sealed bytes. Raises SecretUnreadable like `open`."""
        prefix, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        if prefix != SEALED or not _KEY_ID.fullmatch(key_id):
            raise _unreadable(info, f"is not of the form {SEALED}.<key id>.<base64>", "sealed_damaged")
        key = self._keys.get(key_id)
        if key is None:
            raise _unreadable(info, f"was sealed to key {key_id}, which this service does not hold", "key_unknown")
        try:
            return _SUITE.decrypt(_bytes(body), key, info=info.as_bytes())
        except (InvalidTag, ValueError):
            # HPKE cannot tell the two apart. From None: a cause may quote its input.
            raise _unreadable(
                info, "does not open: it is damaged or belongs to another row", "sealed_damaged"
            ) from None

    def needs_reseal(self, sealed: str) -> bool:
        """Tell whether `sealed` was made for an older key than the newest."""
        return not sealed.startswith(f"{SEALED}.{self.key_ids[0]}.")

    def reseal(self, sealed: str, *, info: SealInfo) -> str:
        """Seal again to the newest key; the same text where it is already. Raises SecretUnreadable like `open`."""
        if not self.needs_reseal(sealed):
            return sealed
        return self.public().seal(self.open_bytes(sealed, info=info), info=info)

    def __repr__(self) -> str:
        return f"PrivateKeyRing(key_ids={self.key_ids})"


def _keys_in(text: str, kind: str) -> list[tuple[int, str, bytes]]:
    """Split a ring's text into (position from 1, key id, 32 bytes)."""
    found: list[tuple[int, str, bytes]] = []
    for position, word in enumerate(re.split(r"[\s,]+", text.strip()), start=1):
        prefix, _, rest = word.partition(".")
        key_id, _, body = rest.partition(".")
        if kind == PUBLIC and prefix == PRIVATE:
            raise KeyTextError(f"key {position} is a private key where a public one belongs: take it away from here")
        if prefix != kind or not _KEY_ID.fullmatch(key_id):
            raise KeyTextError(f"key {position} is not of the form {kind}.<key id>.<base64>")
        try:
            material = _bytes(body)
        except ValueError:
            raise KeyTextError(f"key {position} ({key_id}) is not base64") from None
        if len(material) != _KEY_BYTES:
            raise KeyTextError(f"key {position} ({key_id}) has {len(material)} bytes, not {_KEY_BYTES}")
        found.append((position, key_id, material))
    return found


def _check_id(key: X25519PublicKey, key_id: str, position: int) -> None:
    if _key_id(key) != key_id:
        raise KeyTextError(f"key {position} ({key_id}) does not belong to its id: it is damaged or mixed up")


def _key_id(key: X25519PublicKey) -> str:
    return hashlib.sha256(b"lifecycle-sync key id" + key.public_bytes_raw()).hexdigest()[:12]


def _unreadable(info: SealInfo, what: str, reason_code: str) -> SecretUnreadable:
    return SecretUnreadable(
        f"the sealed {info.field} of integration {info.integration_id} {what}",
        integration_id=info.integration_id,
        reason_code=reason_code,
    )


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Strict base64url without padding. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("not base64url")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
