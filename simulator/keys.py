"""API keys and the tokens made from them: create, regenerate, disable, scopes, and the lock for minting too often."""

from dataclasses import dataclass, field
from hashlib import shake_128
from itertools import count

from simulator.config import SimulatorConfig
from simulator.errors import Refused
from simulator.quota import Window


@dataclass(slots=True)
class Key:
    """One API key; `name` stays when the pair is regenerated."""

    name: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    enabled: bool = True
    mints: Window = field(default_factory=lambda: Window(300.0))

    def pair(self) -> dict[str, str]:
        """Return what a client signs in with."""
        return {"client_id": self.client_id, "client_secret": self.client_secret}

    def shown(self) -> dict[str, object]:
        """Return the key as the control plane shows it, secret included: it protects nothing."""
        return {
            "name": self.name,
            **self.pair(),
            "scopes": list(self.scopes),
            "enabled": self.enabled,
        }


@dataclass(frozen=True, slots=True)
class Token:
    """An access token of a key, with the scopes it was given."""

    text: str
    key: Key
    scopes: frozenset[str]
    expires_at: float


class Keyring:
    """All keys and live tokens of the tenant."""

    def __init__(self, config: SimulatorConfig) -> None:
        """Make the first key from the configuration."""
        self._serial = count()
        self._seed = config.seed
        self.keys: dict[str, Key] = {}
        self._tokens: dict[str, Token] = {}
        first = self.create("first", config.scopes)
        first.client_id = config.client_id or first.client_id
        first.client_secret = config.client_secret or first.client_secret

    def _random(self, length: int) -> str:
        return shake_128(f"{self._seed} key {next(self._serial)}".encode()).hexdigest(length)

    def _pair(self) -> tuple[str, str]:
        # The first four characters tell the region to clients.
        return f"0e30{self._random(14)}", self._random(24)

    def create(self, name: str, scopes: tuple[str, ...]) -> Key:
        """Make a key; a name already taken gets a number."""
        while name in self.keys:
            name = f"{name}-{len(self.keys) + 1}"
        key = self.keys[name] = Key(name, *self._pair(), scopes)
        return key

    def regenerate(self, key: Key, *, tokens_die: bool) -> None:
        """Replace the pair; the old one is dead at once, its tokens only when `tokens_die`."""
        key.client_id, key.client_secret = self._pair()
        key.enabled = True
        if tokens_die:
            self.end_tokens(key)

    def end_tokens(self, key: Key) -> None:
        """End every token of a key."""
        self._tokens = {text: token for text, token in self._tokens.items() if token.key is not key}

    def by_client_id(self, client_id: object) -> Key | None:
        """Return the key that has this client id now."""
        return next((key for key in self.keys.values() if key.client_id == client_id), None)

    def token(self, text: str, now: float) -> Token | None:
        """Return a live token."""
        found = self._tokens.get(text)
        return found if found and found.expires_at > now else None

    def mint(self, body: dict[str, object], now: float, config: SimulatorConfig) -> Token:
        """Sign in; raises Refused with 400, 401 or 423 as the vendor's clients know it."""
        if body.get("grant_type") != "client_credentials":
            raise Refused(400, "unsupported_grant_type", "grant_type must be client_credentials", "token")
        key = self.by_client_id(body.get("client_id"))
        if key is None or not key.enabled or key.client_secret != body.get("client_secret"):
            raise Refused(401, "invalid_client", "client authentication failed", "token")
        wanted = frozenset(str(body.get("scope") or "").split()) or frozenset(key.scopes)
        if wanted - set(key.scopes):
            raise Refused(400, "invalid_scope", f"not allowed: {' '.join(sorted(wanted - set(key.scopes)))}", "token")
        self._tokens = {text: token for text, token in self._tokens.items() if token.expires_at > now}
        lives = any(token.key is key for token in self._tokens.values())
        key.mints.seconds = config.mint_window_s
        if config.mint_limit and lives and key.mints.used(now) >= config.mint_limit:
            raise Refused(423, "locked", "an unexpired token exists and too many were asked for", "token")
        key.mints.add(now)
        token = Token(f"sim-{self._random(24)}", key, wanted, now + config.token_ttl_s)
        self._tokens[token.text] = token
        return token
