"""TLS to broker and database: the files that an address names, and in words what keeps a connection from coming about.

Both drivers take what they need from the words after an address's `?`, and say what went wrong in those of OpenSSL.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

_CA_WORDS: Final = ("cafile", "sslrootcert")
_FILE_WORDS: Final = ("certfile", "keyfile", "sslcert", "sslkey", "sslcrl")
_PLAIN: Final = ("amqp", "http")
_WORDS_OF_TLS: Final = ("cafile", "capath", "cadata", "certfile", "keyfile", "no_verify_ssl")

# X509_V_ERR_…: numbers that OpenSSL does not change, for words that it does.
_OTHER_HOST: Final = (62, 64)
_UNKNOWN_CA: Final = (2, 18, 19, 20, 21)
_OTHER_TIME: Final = (9, 10)
# What the first bytes of a server that knows no TLS look like to whoever expects TLS, by version of OpenSSL and server.
_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG")
# asyncpg's words for a Postgres that answers to the question whether it takes TLS: no.
_DECLINED: Final = "rejected SSL upgrade"
# A connection that the other side ended: whoever held it knows better what that means.
_ENDED: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


@dataclass(frozen=True)
class Peer:
    """A server that is spoken to by TLS, as its setting has it: the word that names its CA, and the way without TLS."""

    setting: str
    ca_word: str
    without_tls: str


BROKER: Final = Peer(
    "LIFECYCLE_AMQP_URL",
    "cafile",
    "name the port of its TLS listener in LIFECYCLE_AMQP_URL, 5671 as a rule; without TLS it begins with amqp://",
)
DATABASE: Final = Peer(
    "LIFECYCLE_DATABASE_URL",
    "sslrootcert",
    "turn `ssl` on in Postgres; without TLS there is no sslmode in LIFECYCLE_DATABASE_URL",
)
MANAGEMENT: Final = Peer(
    "LIFECYCLE_MANAGEMENT_URL",
    "cafile",
    "name its port for TLS in LIFECYCLE_MANAGEMENT_URL, 15671 as a rule; without TLS it begins with http://",
)


@dataclass(frozen=True)
class Trouble:
    """Why no connection came about, with what to do; nothing in it is secret."""

    what: str
    next_action: str


def words_of(address: str) -> dict[str, str]:
    """The words after the `?` of an address."""
    return dict(parse_qsl(address.partition("?")[2]))


def check_words(address: str) -> None:
    """Raises ValueError for a file that is named and is none, and for words of TLS in an address without it.

    Says that file and nothing else of the address. Drivers find it out when they connect, and do not say which.
    """
    words = words_of(address)
    scheme = address.partition("://")[0]
    for word in _WORDS_OF_TLS if scheme in _PLAIN else ():
        if word in words:
            raise ValueError(f"{word} is of no use without TLS: begin it with {scheme}s://, or leave {word} out")
    for word in (*_CA_WORDS, *_FILE_WORDS):
        if word in words:
            _check_file(word, Path(words[word]))


def _check_file(word: str, path: Path) -> None:
    try:
        if word in _CA_WORDS:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
        else:
            path.open("rb").close()
    except ssl.SSLError:
        raise ValueError(f"its {word}, {path}, holds no certificate: name the PEM file of the server's CA") from None
    except OSError as error:
        raise ValueError(f"its {word}, {path}, can't be read ({error.strerror}): name a file that is there") from None


def trouble(error: BaseException | None, peer: Peer) -> Trouble | None:
    """What an error of a driver means where TLS is what failed; None where it is something else."""
    for one in _chain(error):
        if _DECLINED in str(one):
            return Trouble("it takes no TLS", peer.without_tls)
        if isinstance(one, ssl.SSLCertVerificationError):
            return _of_certificate(one, peer)
        if isinstance(one, ssl.SSLError) and not isinstance(one, _ENDED):
            return _of_handshake(getattr(one, "reason", None) or "it does not say why", peer)
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and what it came from. Of the HTTP client's only the outer one names its cause."""
    found: list[BaseException] = []
    # The broker's client raises one error again while another of its own chain is handled: a ring.
    while error is not None and not any(error is one for one in found):
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _of_certificate(error: ssl.SSLCertVerificationError, peer: Peer) -> Trouble:
    if error.verify_code in _UNKNOWN_CA:
        return Trouble(
            "no CA that is trusted here has signed its certificate",
            f"name the PEM file of its CA in {peer.setting}: {peer.ca_word}=/path/ca.pem after its `?`",
        )
    if error.verify_code in _OTHER_HOST:
        return Trouble(
            f"its certificate is for another host than {peer.setting} names",
            f"give {peer.setting} a host that stands in the certificate, or the server a certificate for this one",
        )
    if error.verify_code in _OTHER_TIME:
        return Trouble(
            f"its certificate is not valid today ({error.verify_message})",
            "renew the server's certificate, or set this machine's clock",
        )
    return Trouble(f"its certificate is refused ({error.verify_message})", "give the server another certificate")


def _of_handshake(reason: str, peer: Peer) -> Trouble:
    if reason in _NO_TLS:
        return Trouble("what answers at this port speaks no TLS", peer.without_tls)
    return Trouble(
        f"TLS failed ({reason.replace('_', ' ').lower()})",
        "read the server's log; compare the TLS versions of both sides, and whether it wants a client's certificate",
    )
