"""No certificate is read for an address that needs none; else the CA that it names is trusted, or all known ones."""

import ssl
from pathlib import Path

import pytest

from lifecycle.stack.certificates import certificates_for
from tests.support.certificates import Authority


@pytest.mark.parametrize("url", ["http://127.0.0.1:15672", "http://user:secret@host/"])
def test_for_plain_http_nothing_is_trusted_and_nothing_read(url: str) -> None:
    found = certificates_for(url)
    assert isinstance(found, ssl.SSLContext)
    assert found.get_ca_certs() == []
    assert found.verify_mode == ssl.CERT_REQUIRED


def test_for_https_the_client_trusts_what_it_always_does() -> None:
    assert certificates_for("https://broker.example:15671") is True


def test_for_https_a_ca_that_is_named_is_trusted_alone(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(Authority.new("ours").pem)
    found = certificates_for(f"https://user:secret@broker.example:15671/?cafile={tmp_path / 'ca.pem'}")
    assert isinstance(found, ssl.SSLContext)
    assert len(found.get_ca_certs()) == 1
    assert (found.verify_mode, found.check_hostname) == (ssl.CERT_REQUIRED, True)
