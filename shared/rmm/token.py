"""Signing in: the rules without a lock or a store, and the port behind which those live (API notes 1, token).

One token for each integration and scope set is shared by all replicas; asking for many is answered with a lock of
minutes (423). So nothing here keeps, renews or repeats: `mint` is one request, and `Tokens` is who decides to make it.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Protocol
from uuid import UUID

import msgspec
from pydantic import SecretStr

from shared.errors import CredentialsRejected, Pauses, PipelineError, RmmAnswerUnreadable, ScopeMissing
from shared.rmm.connection import Answer, Call, Connection
from shared.rmm.rates import Priority
from shared.rmm.refusals import Purpose, error_from_response
from shared.rmm.scopes import ScopeSet, missing_scopes
from shared.rmm.wording import Wording, read_wording

__all__ = ["MintedToken", "Tokens", "mint"]

_PATH: Final = "/v1/token"
# Documented as 3599; where it is not said, a short life costs one more sign-in and a long one costs 401s.
_UNSAID_LIFE: Final = timedelta(minutes=10)
_LONGEST_LIFE: Final = timedelta(days=1)
_RENEW_AT: Final = 0.8
_LONGEST_TOKEN: Final = 16 * 1024
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]+")
_REJECTIONS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Tokens(Protocol):
    """Port: the shared tokens of one integration."""

    async def get(self, scope_set: ScopeSet, *, not_this: str | None) -> str:
        """Give a token that is valid for a while yet, minting one where needed, once over all replicas.

        `not_this` is a token that the vendor has just refused: give another one, which another replica may have minted
        already; never that one again. Raises what `mint` raises, and IntegrationInactive where it is paused already.
        """
        ...


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A new token. `scope` is the vendor's echo, empty where there was none."""

    access_token: SecretStr
    scope: str
    expires_in: timedelta

    @property
    def renew_after(self) -> timedelta:
        """How long to use it: 80 % of its life, counted from before the request was sent."""
        return self.expires_in * _RENEW_AT

    def missing(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Give the scopes that were asked for and that the echo lacks: calls that need them will answer 403."""
        return missing_scopes(asked, self.scope)


async def mint(
    connection: Connection,
    *,
    client_id: str,
    client_secret: SecretStr,
    scopes: tuple[str, ...],
    integration_id: UUID,
    pauses: Pauses = "integration",
    priority: Priority = Priority.WRITE,
) -> MintedToken:
    """Sign in once: JSON, not a form. Takes one request from the budget; never repeats.

    `pauses` is what stops where the key lacks one of the scopes.

    Raises CredentialsRejected (400, 401, 403: the vendor's clients treat them alike), ScopeMissing (`invalid_scope`,
    naming the scopes where the vendor does), Locked (423), RateLimited, and what an exchange raises.
    """
    body = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret.get_secret_value(),
        "scope": " ".join(scopes),
    }
    call = Call(
        purpose=Purpose("sign_in", integration_id, pauses=pauses),
        method="POST",
        path=_PATH,
        body=msgspec.json.encode(body),
        priority=priority,
        # A sign-in may have counted although its answer was lost; a second one at once invites the lock.
        repeatable=False,
    )
    answer = await connection.exchange(call, bearer=None, within=connection.limits.sign_in)
    if answer.ok:
        return _read_token(answer, call.purpose)
    wording = read_wording(answer.body, hide=(client_secret.get_secret_value(), client_id))
    raise _refusal(answer, wording, call.purpose, scopes)


def _refusal(answer: Answer, wording: Wording, purpose: Purpose, scopes: tuple[str, ...]) -> PipelineError:
    said = purpose.said(answer.request_id)
    if answer.status in _REJECTIONS and not wording.is_html:
        words = {word.strip(".").lower() for word in _WORD.findall(wording.text)}
        missing = tuple(scope for scope in scopes if scope.lower() in words)
        if missing or wording.names("invalid_scope", "invalid scope"):
            named = ", ".join(missing) or f"one or more of {', '.join(scopes)}"
            return ScopeMissing(
                f"the key lacks {named}: {said}",
                integration_id=purpose.integration_id,
                missing=missing,
                pauses=purpose.pauses,
            )
        message = f"the rmm rejects the key with {answer.status}: {said}: {wording}"
        return CredentialsRejected(message, integration_id=purpose.integration_id)
    if answer.status == HTTPStatus.NOT_FOUND:
        # The path is right, so this is a wrong base URL or a gateway in between: no fault of the key or the message.
        return RmmAnswerUnreadable(f"the rmm answered 404, as if it were another server, to {said}")
    return error_from_response(answer.status, wording, purpose, reading=answer.reading, request_id=answer.request_id)


def _read_token(answer: Answer, purpose: Purpose) -> MintedToken:
    try:
        members = msgspec.json.decode(answer.body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # From None, and without the text: the body may hold a token.
        raise RmmAnswerUnreadable(f"the answer is no JSON object to {purpose.said(answer.request_id)}") from None
    token = members.get("access_token") or members.get("Access_Token")
    # Printable ASCII without blanks, or it could not stand in a header.
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
        raise RmmAnswerUnreadable(f"the answer has no usable token to {purpose.said(answer.request_id)}")
    if not 0 < len(token) <= _LONGEST_TOKEN:
        raise RmmAnswerUnreadable(f"the token has {len(token)} characters: {purpose.said(answer.request_id)}")
    scope = members.get("scope")
    return MintedToken(SecretStr(token), scope if isinstance(scope, str) else "", _life(members.get("expires_in")))


def _life(value: object) -> timedelta:
    """Read `expires_in`, seconds; a text of digits is taken too."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()[:9])
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return _UNSAID_LIFE
    return min(timedelta(seconds=min(value, _LONGEST_LIFE.total_seconds())), _LONGEST_LIFE)
