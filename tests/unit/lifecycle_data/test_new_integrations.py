"""What may be a name or a credential; an error never holds the secret."""

import pytest
from pydantic import SecretStr

from shared.integrations.changes import BadInput, Credentials, NewIntegration
from shared.rmm.regions import Region


def credentials(client_id: str = "0e30abc", secret: str = "s3cret") -> Credentials:
    return Credentials(client_id, SecretStr(secret))


def test_space_around_is_not_part_of_it() -> None:
    assert credentials(" 0e30abc\n").client_id == "0e30abc"
    assert credentials(secret=" s3cret\n").client_secret.get_secret_value() == "s3cret"
    assert NewIntegration("  Acme   West ", Region.NA, credentials()).name == "Acme West"


@pytest.mark.parametrize(("client_id", "secret", "field"), [("", "x", "client_id"), ("x", " ", "client_secret")])
def test_nothing_is_no_credential(client_id: str, secret: str, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        credentials(client_id, secret)
    assert caught.value.field == field


def test_an_error_does_not_repeat_the_secret() -> None:
    with pytest.raises(BadInput) as caught:
        credentials(secret="canary one")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "bell\x07"])
def test_a_name_can_be_read(name: str) -> None:
    with pytest.raises(BadInput, match="a name has 1 to 100 printable characters"):
        NewIntegration(name, Region.NA, credentials())
