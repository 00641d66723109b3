"""Settings from the environment, prefix LIFECYCLE_, typed and checked at start; secrets also as LIFECYCLE_…_FILE.

The only module that reads the environment, together with the settings modules of the services.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from shared.content_encoding import Encoding
from shared.rmm.regions import check_base_url
from shared.secrets import PrivateKeyRing
from shared.tls import check_words

PREFIX = "LIFECYCLE_"
BROKER_SCHEMES = ("amqp", "amqps")
DATABASE_SCHEMES = ("postgresql", "postgres")
API_SCHEMES = ("http", "https")

S = TypeVar("S", bound="ServiceSettings")


class SettingsError(Exception):
    """One or more settings are missing or nonsense; the text lists each in a line, with what to do."""


class FileSettingsSource(EnvSettingsSource):
    """Reads a setting from the file that LIFECYCLE_<NAME>_FILE names, as container platforms mount secrets.

    `named_in` is where those names stand: the source of the environment, or of `.env`.
    """

    def __init__(self, settings_cls: type[BaseSettings], named_in: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        assert isinstance(named_in, EnvSettingsSource)
        self.env_vars = named_in.env_vars

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - its base's signature
        """The text of the file, less a last line end."""
        name = f"{PREFIX}{field_name.upper()}_FILE"
        path = self.env_vars.get(name.lower())  # pydantic keeps names in lower case
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip("\r\n") or None, field_name, False
        except OSError as error:
            raise SettingsError(f"{name}: the file {path} can't be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{name}: the file {path} is not text") from None


def sources(
    settings_cls: type[BaseSettings],
    given: PydanticBaseSettingsSource,
    env: PydanticBaseSettingsSource,
    dotenv: PydanticBaseSettingsSource,
) -> tuple[PydanticBaseSettingsSource, ...]:
    """Arguments, then the environment and the files that it names, then `.env` and the files that it names."""
    return given, env, FileSettingsSource(settings_cls, env), dotenv, FileSettingsSource(settings_cls, dotenv)


class ServiceSettings(BaseSettings):
    """What every service needs."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        # An orchestrator's template leaves what is not set empty.
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    amqp_url: SecretStr = Field(description="broker, such as amqp://user:password@host:5672/vhost")
    database_url: SecretStr = Field(description="Postgres, such as postgresql://user:password@host:5432/lifecycle")
    http_host: str = Field(default="127.0.0.1", description="address of /health and /metrics")
    http_port: int = Field(default=0, ge=0, le=65535, description="port of /health and /metrics; 0 takes a free one")
    log_format: Literal["json", "text"] = Field(default="json", description="json for machines, text for people")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="least level logged")
    page_encoding: Encoding = Field(
        default="zstd",
        description="how pages of devices travel: `identity` is for foreign consumers that cannot unpack",
    )
    max_attempts: int = Field(default=4, ge=1, le=20, description="tries of a message before it is parked")
    max_age_seconds: int = Field(default=3600, ge=1, description="age at which a failing message is parked")
    shutdown_seconds: float = Field(default=20.0, gt=0, description="how long a stopping service may finish its work")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a directory, and we take files by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """In the order of `sources`."""
        return sources(settings_cls, init_settings, env_settings, dotenv_settings)

    @field_validator("amqp_url")
    @classmethod
    def _is_a_broker(cls, value: SecretStr) -> SecretStr:
        return must_be_address(value, *BROKER_SCHEMES)

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, value: SecretStr) -> SecretStr:
        return must_be_address(value, *DATABASE_SCHEMES)

    @property
    def max_age(self) -> timedelta:
        """The age cap as a duration."""
        return timedelta(seconds=self.max_age_seconds)


class ListingSettings(ServiceSettings):
    """What a service needs that lets the lists of a run go: the fetcher, and the scheduler where one stands still."""

    scopes_at_once: int = Field(default=2, ge=1, le=32, description="lists of one integration that are read at once")


class RmmSettings(ServiceSettings):
    """What a service needs that talks to an RMM: only the fetcher and write-back do."""

    secret_keys: SecretStr = Field(description="private keys that open sealed secrets, newest first, one in a line")
    rmm_base_url: str | None = Field(
        default=None, description="overrides the region table for every integration: a simulator or a proxy"
    )
    rmm_budget: int = Field(default=450, ge=1, description="most requests to one integration's RMM in the window")
    rmm_window_seconds: int = Field(default=300, ge=1, description="length of the sliding window in seconds")
    rmm_reserve: int = Field(default=45, ge=0, description="requests of the budget that are kept for edits")
    rmm_page_size: int = Field(default=500, ge=1, le=500, description="devices asked for in one list request")
    rmm_category: Literal["platform", "all"] = Field(default="platform", description="device category that is listed")
    rmm_companies_per_call: int = Field(default=4, ge=1, le=4, description="companies packed into one list request")
    rmm_timeout_seconds: float = Field(default=60.0, gt=0, description="deadline of one request to the RMM")
    date_adapter: Literal["auto", "patch", "custom_fields"] = Field(
        default="auto", description="where the dates stand; `auto` finds out for each integration"
    )
    purchase_field: str = Field(default="Purchase Date", description="name of the custom field, in any case")
    warranty_field: str = Field(default="Warranty Expiration Date", description="name of the custom field, in any case")
    purchase_member: str = Field(default="purchaseDate", description="member of the device, where it is patched")
    warranty_member: str = Field(default="warrantyExpirationDate", description="member of the device, likewise")

    @field_validator("secret_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr) -> SecretStr:
        PrivateKeyRing.from_text(value)
        return value

    @field_validator("rmm_base_url")
    @classmethod
    def _is_an_rmm(cls, value: str | None) -> str | None:
        return check_base_url(value) if value else value


def must_be_address(value: SecretStr, *schemes: str) -> SecretStr:
    """The value, which must be an address of one of the schemes; raises ValueError, which never repeats it.

    But for a file that it names: that one is said, where it is no certificate or is not there.
    """
    text = value.get_secret_value()
    if not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"not an address that begins with {schemes[0]}://")
    # Of several hosts with a comma between, as Postgres takes them, each has its port; the driver reads those.
    if "," not in text and not _has_readable_port(text):
        raise ValueError("the port is not a number up to 65535, or a sign in the password is not written as %XX")
    check_words(text)
    return value


def _has_readable_port(address: str) -> bool:
    try:
        _ = urlsplit(address).port
    except ValueError:
        return False
    return True


def load(settings_class: type[S], **given: Any) -> S:
    """Read the settings, or raise SettingsError with one line for each that is missing or nonsense."""
    try:
        return settings_class(**given)
    except ValidationError as error:
        raise SettingsError(describe(error)) from None
    except SourceError as error:
        # pydantic-settings wraps whatever a source raises.
        raise SettingsError(str(error.__cause__ or error)) from None


def describe(error: ValidationError) -> str:
    """The findings as a readable list, without the values: a mistyped secret is still a secret."""
    lines = ["settings are missing or wrong:"]
    for finding in error.errors(include_url=False, include_input=False, include_context=False):
        name = f"{PREFIX}{'_'.join(str(part) for part in finding['loc']).upper()}"
        what = "is missing" if finding["type"] == "missing" else reason(finding["msg"])
        lines.append(f"  {name}: {what}")
    lines.append("set them in the environment or in .env; docs/settings.md lists them all")
    return "\n".join(lines)


def reason(message: str) -> str:
    """What pydantic says is wrong, as a part of a sentence; a path in it keeps its capitals."""
    said = message.removeprefix("Value error, ")
    return said[:1].lower() + said[1:]
