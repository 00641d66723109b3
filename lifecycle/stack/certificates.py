"""Which certificates an HTTP client of ours trusts."""

import ssl
from functools import cache

from shared.tls import words_of


def certificates_for(url: str) -> ssl.SSLContext | bool:
    """What to give to httpx as `verify`: the CA that the address names with `cafile`, else those known everywhere.

    For a plain http address nothing is trusted, and nothing is read: a context of httpx's own reads every certificate
    there is, tens of milliseconds for each client.
    """
    if url.startswith("http:"):
        return _bare()
    named = words_of(url).get("cafile")
    return ssl.create_default_context(cafile=named) if named else True


@cache
def _bare() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
