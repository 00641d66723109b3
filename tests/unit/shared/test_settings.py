"""Settings: every mistake is said in one readable list, and no value of a secret is in it."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.secrets import generate_keypair
from shared.settings import PREFIX, RmmSettings, ServiceSettings, SettingsError, load

CANARY = "canary-6f1b"
GOOD = {"AMQP_URL": f"amqp://me:{CANARY}@broker/", "DATABASE_URL": f"postgresql://me:{CANARY}@database/lifecycle"}


class Environment:
    """The variables with our prefix, as this test wants them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        for name in ServiceSettings.model_fields | RmmSettings.model_fields:
            for suffix in ("", "_FILE"):
                patch.delenv(f"{PREFIX}{name.upper()}{suffix}", raising=False)

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._patch.setenv(f"{PREFIX}{name}", value)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.chdir(tmp_path)  # no .env of the developer
    return Environment(monkeypatch)


def refusal(settings_class: type[ServiceSettings] = ServiceSettings) -> str:
    with pytest.raises(SettingsError) as caught:
        load(settings_class)
    assert caught.value.__cause__ is None, "a cause would show its input"
    return str(caught.value)


def test_addresses_are_enough_for_a_service(environment: Environment) -> None:
    environment.set(**GOOD)
    settings = load(ServiceSettings)
    assert settings.amqp_url.get_secret_value() == GOOD["AMQP_URL"]
    assert settings.max_age == timedelta(hours=1)
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 0)


def test_everything_that_is_missing_is_named_in_one_list(environment: Environment) -> None:
    assert refusal(RmmSettings).splitlines() == [
        "settings are missing or wrong:",
        "  LIFECYCLE_AMQP_URL: is missing",
        "  LIFECYCLE_DATABASE_URL: is missing",
        "  LIFECYCLE_SECRET_KEYS: is missing",
        "set them in the environment or in .env; docs/settings.md lists them all",
    ]


def test_an_empty_variable_is_a_missing_one(environment: Environment) -> None:
    environment.set(**GOOD | {"AMQP_URL": "", "HTTP_PORT": ""})
    assert "LIFECYCLE_AMQP_URL: is missing" in refusal()
    environment.set(**GOOD)
    assert load(ServiceSettings).http_port == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMQP_URL", f"http://{CANARY}"),
        ("AMQP_URL", CANARY),
        ("DATABASE_URL", f"mysql://{CANARY}"),
        ("DATABASE_URL", f"postgresql://u:{CANARY}@host:nope/x"),
        ("AMQP_URL", f"amqp://u:{CANARY}@host:70000/"),
        ("HTTP_PORT", CANARY),
        ("HTTP_PORT", "65536"),
        ("HTTP_PORT", "-1"),
        ("LOG_LEVEL", CANARY),
        ("LOG_FORMAT", "xml"),
        ("MAX_ATTEMPTS", "0"),
        ("MAX_AGE_SECONDS", "0"),
        ("SHUTDOWN_SECONDS", "0"),
        ("SECRET_KEYS", CANARY),
        ("RMM_PAGE_SIZE", "501"),
        ("RMM_BUDGET", "0"),
        ("RMM_COMPANIES_PER_CALL", "5"),
        ("RMM_CATEGORY", CANARY),
        ("RMM_BASE_URL", CANARY),
        ("RMM_BASE_URL", f"ftp://{CANARY}"),
        ("RMM_BASE_URL", f"http://{CANARY}:99999"),
        ("RMM_BASE_URL", f"http://{CANARY}:0"),
        ("RMM_BASE_URL", f"http://[{CANARY}"),
        ("RMM_BASE_URL", f"http://:{CANARY}@host"),
    ],
)
def test_nonsense_is_named_without_repeating_it(environment: Environment, name: str, value: str) -> None:
    environment.set(**GOOD | {"SECRET_KEYS": generate_keypair().private_text.get_secret_value()})
    load(RmmSettings)
    environment.set(**{name: value})
    said = refusal(RmmSettings)
    assert f"  LIFECYCLE_{name}: " in said
    assert CANARY not in said
    assert len(said.splitlines()) == 3


def test_several_mistakes_are_all_named(environment: Environment) -> None:
    environment.set(HTTP_PORT="x", MAX_ATTEMPTS="many")
    lines = refusal().splitlines()[1:-1]
    assert [line.split(":")[0].strip() for line in lines] == [
        "LIFECYCLE_AMQP_URL",
        "LIFECYCLE_DATABASE_URL",
        "LIFECYCLE_HTTP_PORT",
        "LIFECYCLE_MAX_ATTEMPTS",
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "AMQP_URL",
            f"amqps://u:{CANARY}@host/?heartbeat=10&cafile=/nowhere/Their%20CA.pem",
            "its cafile, /nowhere/Their CA.pem, can't be read (No such file or directory): name a file that is there",
        ),
        (
            "DATABASE_URL",
            f"postgresql://u:{CANARY}@one,two/x?sslmode=verify-full&sslrootcert=/",
            "its sslrootcert, /, can't be read (Is a directory): name a file that is there",
        ),
        (
            "DATABASE_URL",
            f"postgresql://u:{CANARY}@host/x?sslmode=require&sslcert=/nowhere",
            "its sslcert, /nowhere, can't be read (No such file or directory): name a file that is there",
        ),
        (
            "AMQP_URL",
            f"amqps://u:{CANARY}@host/?cafile={__file__}",
            f"its cafile, {__file__}, holds no certificate: name the PEM file of the server's CA",
        ),
        (
            "AMQP_URL",
            f"amqp://u:{CANARY}@host/?cafile=/nowhere",
            "cafile is of no use without TLS: begin it with amqps://, or leave cafile out",
        ),
    ],
)
def test_a_file_that_an_address_names_must_be_what_it_is_for(
    environment: Environment, name: str, value: str, said: str
) -> None:
    environment.set(**GOOD | {name: value})
    assert refusal().splitlines()[1:-1] == [f"  LIFECYCLE_{name}: {said}"]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_can_be_in_a_file_less_its_last_line_end(environment: Environment, tmp_path: Path, end: str) -> None:
    (tmp_path / "url").write_bytes(f"{GOOD['AMQP_URL']}{end}".encode())
    environment.set(DATABASE_URL=GOOD["DATABASE_URL"], AMQP_URL_FILE=str(tmp_path / "url"))
    assert load(ServiceSettings).amqp_url == SecretStr(GOOD["AMQP_URL"])


def test_a_variable_wins_over_a_file_and_a_file_over_dotenv(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"LIFECYCLE_AMQP_URL=amqp://dotenv/\nLIFECYCLE_DATABASE_URL={GOOD['DATABASE_URL']}\nLIFECYCLE_STRANGER=1\n"
    )
    assert load(ServiceSettings).amqp_url.get_secret_value() == "amqp://dotenv/"
    (tmp_path / "url").write_text("amqp://file/")
    environment.set(AMQP_URL_FILE=str(tmp_path / "url"))
    assert load(ServiceSettings).amqp_url.get_secret_value() == "amqp://file/"
    environment.set(AMQP_URL="amqp://variable/")
    assert load(ServiceSettings).amqp_url.get_secret_value() == "amqp://variable/"


def test_a_file_can_be_named_in_dotenv_where_nothing_else_gives_the_setting(
    environment: Environment, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text("amqp://file/\n")
    named = f"LIFECYCLE_DATABASE_URL={GOOD['DATABASE_URL']}\nLIFECYCLE_AMQP_URL_FILE={tmp_path / 'url'}\n"
    (tmp_path / ".env").write_text(named)
    assert load(ServiceSettings).amqp_url.get_secret_value() == "amqp://file/"
    (tmp_path / ".env").write_text(f"{named}LIFECYCLE_AMQP_URL=amqp://dotenv/\n")
    assert load(ServiceSettings).amqp_url.get_secret_value() == "amqp://dotenv/"
    environment.set(AMQP_URL="amqp://variable/")
    assert load(ServiceSettings).amqp_url.get_secret_value() == "amqp://variable/"


def test_what_code_gives_wins_over_everything(environment: Environment) -> None:
    environment.set(**GOOD, HTTP_PORT="1")
    assert load(ServiceSettings, http_port=2).http_port == 2


def test_a_file_that_is_not_there_is_named(environment: Environment, tmp_path: Path) -> None:
    environment.set(**GOOD, SECRET_KEYS_FILE=str(tmp_path / "nowhere"))
    assert refusal(RmmSettings) == (
        f"LIFECYCLE_SECRET_KEYS_FILE: the file {tmp_path / 'nowhere'} can't be read (No such file or directory)"
    )


def test_a_folder_is_no_file(environment: Environment, tmp_path: Path) -> None:
    environment.set(**GOOD, SECRET_KEYS_FILE=str(tmp_path))
    assert "can't be read (Is a directory)" in refusal(RmmSettings)


def test_a_file_that_is_not_text_is_named_without_its_content(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(CANARY.encode() + b"\xff\xfe")
    environment.set(**GOOD, SECRET_KEYS_FILE=str(tmp_path / "keys"))
    said = refusal(RmmSettings)
    assert said.endswith("is not text")
    assert CANARY not in said


def test_an_empty_file_is_a_missing_setting(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("\n")
    environment.set(**GOOD, SECRET_KEYS_FILE=str(tmp_path / "keys"))
    assert "LIFECYCLE_SECRET_KEYS: is missing" in refusal(RmmSettings)


def test_settings_never_show_a_secret(environment: Environment) -> None:
    environment.set(**GOOD, SECRET_KEYS=generate_keypair().private_text.get_secret_value())
    settings = load(RmmSettings)
    assert CANARY not in repr(settings) + str(settings) + settings.model_dump_json()
    assert "hpke1-private" not in repr(settings)


def test_settings_do_not_change_while_a_service_runs(environment: Environment) -> None:
    environment.set(**GOOD)
    settings = load(ServiceSettings)
    with pytest.raises(ValueError, match="frozen"):
        settings.http_port = 1
