"""Settings of the commands that change data: in whose name, and the key that secrets are sealed to."""

import getpass
from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from lifecycle.exits import WrongUsage


class DataSettings(BaseSettings):
    """From the environment or `.env`, with the prefix `LIFECYCLE_`."""

    model_config = SettingsConfigDict(
        env_prefix="LIFECYCLE_", env_file=".env", extra="ignore", hide_input_in_errors=True, frozen=True
    )

    actor: str | None = Field(
        default=None, max_length=200, description="Who is named in the audit log; the system's user otherwise."
    )
    removal_undo_seconds: int = Field(
        default=86_400, ge=0, description="How long a removed integration keeps its data, and can be restored."
    )
    sealing_key: str | None = Field(
        default=None,
        description="The public key that secrets are sealed to; also as a file, LIFECYCLE_SEALING_KEY_FILE.",
    )


def actor() -> str:
    """Who makes the changes, for the audit log."""
    given = (DataSettings().actor or "").strip()
    if given:
        return given
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name for this user id, as in many containers
        return "unknown"


def removal_undo() -> timedelta:
    """How long a removed integration can be restored."""
    return timedelta(seconds=DataSettings().removal_undo_seconds)


def sealing_key_text(kept: Path | None) -> str:
    """The public key's text: from the environment, else from the file; raises `WrongUsage` where there is none."""
    given = DataSettings().sealing_key
    if given:
        return given
    if kept is None:
        raise WrongUsage(
            "there is no key to seal the client secret with",
            "set LIFECYCLE_SEALING_KEY_FILE to the public key; make one with: lifecycle secrets keygen",
        )
    try:
        return kept.read_text(encoding="utf-8")
    except OSError as error:
        raise WrongUsage(
            f"the sealing key {kept} cannot be read ({error.strerror})", "correct LIFECYCLE_SEALING_KEY_FILE"
        ) from None
