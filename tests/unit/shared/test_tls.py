"""What OpenSSL says of a certificate is told in words of ours, for whatever name and time it is wrong."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from shared.tls import DATABASE, trouble
from tests.support.certificates import Authority

HOUR = timedelta(hours=1)


def refusal(folder: Path, authority: Authority, trusted: Authority, host: str, ends: timedelta) -> OSError:
    """What a client that asks for database.example meets; both ends of the line are in memory."""
    for name, content in zip(("server.crt", "server.key"), authority.sign(host, ends=ends), strict=True):
        (folder / name).write_bytes(content)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "server.crt", folder / "server.key")
    asking = ssl.create_default_context(cadata=trusted.pem.decode())
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(back, there, server_hostname="database.example")
    server = serving.wrap_bio(there, back, server_side=True)
    for end in (client, server, client):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return error
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize(
    ("host", "known", "ends", "what", "to_do"),
    [
        ("database.example", False, HOUR, "no CA that is trusted here has signed its certificate", "sslrootcert="),
        (
            *("other.example", True, HOUR, "its certificate is for another host than LIFECYCLE_DATABASE_URL names"),
            "give LIFECYCLE_DATABASE_URL a host that stands in the certificate",
        ),
        ("database.example", True, -HOUR / 2, "its certificate is not valid today (certificate has expired)", "renew"),
    ],
)
def test_a_certificate_is_refused_in_words(
    tmp_path: Path, host: str, known: bool, ends: timedelta, what: str, to_do: str
) -> None:
    authority = Authority.new("ours")
    error = refusal(tmp_path, authority, authority if known else Authority.new("another"), host, ends)
    # As the driver of the broker has it.
    wrapped = RuntimeError()
    wrapped.__cause__ = error
    for one in (error, wrapped):
        found = trouble(one, DATABASE)
        assert found is not None
        assert found.what == what
        assert to_do in found.next_action


@pytest.mark.parametrize(
    "error",
    [
        None,
        ConnectionRefusedError(111, "Connect call failed"),
        TimeoutError(),
        # A connection that ends: no refusal.
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)"),
    ],
)
def test_what_has_nothing_to_do_with_tls_is_left_to_others(error: Exception | None) -> None:
    assert trouble(error, DATABASE) is None


def test_a_ring_of_errors_has_an_end() -> None:
    first, second = ConnectionResetError(), RuntimeError()
    first.__context__, second.__context__ = second, first
    assert trouble(first, DATABASE) is None
