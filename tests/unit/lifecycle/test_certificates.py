"""No certificate is read for an address that needs none, and for all others all are trusted that the system trusts."""

import ssl

import pytest

from lifecycle.stack.certificates import certificates_for


@pytest.mark.parametrize("url", ["http://127.0.0.1:15672", "http://user:secret@host/"])
def test_for_plain_http_nothing_is_trusted_and_nothing_read(url: str) -> None:
    found = certificates_for(url)
    assert isinstance(found, ssl.SSLContext)
    assert found.get_ca_certs() == []
    assert found.verify_mode == ssl.CERT_REQUIRED


def test_for_https_the_client_trusts_what_it_always_does() -> None:
    assert certificates_for("https://broker.example:15671") is True
