"""The command's settings, and the one place where it reads the environment."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.rmm.regions import check_base_url
from shared.settings import API_SCHEMES, BROKER_SCHEMES, DATABASE_SCHEMES, must_be_address, sources


class CommandSettings(BaseSettings):
    """Settings of the command, from the environment or `.env`, with the prefix `LIFECYCLE_`."""

    model_config = SettingsConfigDict(
        env_prefix="LIFECYCLE_", env_file=".env", extra="ignore", hide_input_in_errors=True, frozen=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic asks for it by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """In the order of `sources`, as the services have it."""
        return sources(settings_cls, init_settings, env_settings, dotenv_settings)

    amqp_url: SecretStr | None = Field(default=None, description="Address of a RabbitMQ that is already running.")
    management_url: SecretStr | None = Field(default=None, description="Address of that RabbitMQ's management API.")
    database_url: SecretStr | None = Field(
        default=None, description="Address of a Postgres database that already exists."
    )
    rmm_base_url: str | None = Field(default=None, description="Address of the RMM in place of the region table.")
    sealing_key_file: Path | None = Field(
        default=None, description="File of the public key that secrets are sealed to."
    )
    secret_keys_file: Path | None = Field(
        default=None, description="File of the private keys; only fetcher and writeback."
    )
    local_dir: Path | None = Field(default=None, description="Folder of the private servers' data, logs and keys.")
    rabbitmq_bin: Path | None = Field(
        default=None, description="Folder of rabbitmq-server, where it is in no usual place."
    )
    postgres_bin: Path | None = Field(
        default=None, description="Folder of initdb and postgres, where in no usual place."
    )
    docker: bool = Field(default=True, description="Whether a Docker engine may be used for the private servers.")
    debug: bool = Field(default=False, description="Whether an unexpected error is shown with its traceback.")

    @field_validator("amqp_url")
    @classmethod
    def _is_a_broker(cls, value: SecretStr | None) -> SecretStr | None:
        # Empty is not set: an orchestrator's template leaves it so.
        return must_be_address(value, *BROKER_SCHEMES) if value else value

    @field_validator("management_url")
    @classmethod
    def _is_an_api(cls, value: SecretStr | None) -> SecretStr | None:
        return must_be_address(value, *API_SCHEMES) if value else value

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, value: SecretStr | None) -> SecretStr | None:
        return must_be_address(value, *DATABASE_SCHEMES) if value else value

    @field_validator("rmm_base_url")
    @classmethod
    def _is_an_rmm(cls, value: str | None) -> str | None:
        return check_base_url(value) if value else value


def environment() -> Mapping[str, str]:
    """The environment, to be handed on to processes that the command starts."""
    return dict(os.environ)  # noqa: TID251 - this is the settings module
