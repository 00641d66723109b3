"""Requests with a token: attach it, and on a 401 get another one once and ask once more (API notes 4, quirk 6)."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

from shared.rmm.connection import Answer, Call, Connection
from shared.rmm.quirks import Quirks
from shared.rmm.scopes import ScopeSet
from shared.rmm.token import Tokens

__all__ = ["Session"]


@dataclass(frozen=True, slots=True)
class Session:
    """One integration's signed-in line to the vendor, with what was learnt about its tenant."""

    connection: Connection
    tokens: Tokens
    quirks: Quirks
    integration_id: UUID

    async def send(self, call: Call, scope_set: ScopeSet = ScopeSet.READ) -> Answer:
        """Send with a token and give the answer, of any status but 401.

        The time for one call is shared by its two sendings; getting a token has its own. A 401 says that nothing was
        done, so a write is repeated too. Raises CredentialsRejected at the second 401, and what Connection.exchange
        and Tokens.get raise.
        """
        loop = asyncio.get_running_loop()
        within = self.connection.limits.call
        token = await self.tokens.get(scope_set, not_this=None)
        started = loop.time()
        answer = await self.connection.exchange(call, bearer=token, within=within)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return answer
        left = within - timedelta(seconds=loop.time() - started)
        # Most often it has only expired. A second 401 with a new token is real.
        token = await self.tokens.get(scope_set, not_this=token)
        answer = await self.connection.exchange(call, bearer=token, within=max(left, timedelta(seconds=1)))
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise answer.error(call.purpose)
        return answer

    async def must(self, call: Call, scope_set: ScopeSet = ScopeSet.READ) -> Answer:
        """Send, and raise our error for anything but a 2xx."""
        answer = await self.send(call, scope_set)
        if not answer.ok:
            raise answer.error(call.purpose)
        return answer

    async def first_that_exists(
        self, calls: tuple[Call, ...], scope_set: ScopeSet = ScopeSet.READ
    ) -> tuple[int, Answer]:
        """Send the calls in turn until one is not answered as an unknown path; give its place and its answer.

        Unknown path: 405, 501, or a 404, with which the vendor also says that the thing is not there. Where all are,
        the answer with a JSON 404 wins, because it is the one that understood the question.
        """
        answers = [(0, await self.send(calls[0], scope_set))]
        for place, call in enumerate(calls[1:], start=1):
            if not is_unknown_path(answers[-1][1]):
                break
            answers.append((place, await self.send(call, scope_set)))
        if not is_unknown_path(answers[-1][1]):
            return answers[-1]
        return next((found for found in answers if is_json_404(found[1])), answers[-1])


def is_unknown_path(answer: Answer) -> bool:
    """Tell whether an answer may mean that this path or method does not exist at this tenant."""
    return answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}


def is_json_404(answer: Answer) -> bool:
    """Tell whether an answer is the API's own 404, with an error body that we can read."""
    return answer.status == HTTPStatus.NOT_FOUND and answer.wording().is_json_error
