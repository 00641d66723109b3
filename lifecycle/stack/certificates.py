"""Which certificates an HTTP client of ours trusts."""

import ssl
from functools import cache


def certificates_for(url: str) -> ssl.SSLContext | bool:
    """What to give to httpx as `verify`: for a plain http address nothing is trusted, and nothing is read.

    A context of httpx's own reads every certificate there is, tens of milliseconds for each client.
    """
    return _bare() if url.startswith("http:") else True


@cache
def _bare() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
