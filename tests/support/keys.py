"""A key pair for sealed secrets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from shared.secrets import PrivateKeyRing, PublicKeyRing, generate_keypair


@dataclass(frozen=True)
class Keys:
    """Both halves, as text for settings and as rings for use."""

    private_text: SecretStr
    public_text: str

    @classmethod
    def new(cls) -> Self:
        """A new pair."""
        pair = generate_keypair()
        return cls(pair.private_text, pair.public_text)

    @classmethod
    def read(cls, private: Path, public: Path) -> Self:
        """The pair in these two files."""
        return cls(SecretStr(private.read_text().strip()), public.read_text().strip())

    @property
    def private(self) -> PrivateKeyRing:
        """Opens what was sealed."""
        return PrivateKeyRing.from_text(self.private_text)

    @property
    def public(self) -> PublicKeyRing:
        """Seals, and opens nothing."""
        return PublicKeyRing.from_text(self.public_text)
