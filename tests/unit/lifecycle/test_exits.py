"""Failures become one sentence with a code; foreign errors too, and never with a secret in them."""

import asyncio

import aiormq.exceptions
import asyncpg
import httpx
import pytest
from pydantic import ValidationError

from lifecycle.exits import (
    DoneInPart,
    ExitCode,
    Failure,
    Interrupted,
    NotFound,
    Refused,
    Unreachable,
    WaitRanOut,
    WrongUsage,
    failure_of,
    failure_with,
    is_expected,
)
from lifecycle.settings import CommandSettings
from shared.errors import BrokerUnavailable, UnknownIntegration
from shared.migrations import MigrationError


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Failure, 1),
        (WrongUsage, 2),
        (NotFound, 3),
        (Refused, 4),
        (DoneInPart, 5),
        (Unreachable, 6),
        (WaitRanOut, 124),
        (Interrupted, 130),
    ],
)
def test_every_kind_of_failure_has_its_code_and_survives_the_way_through_another_process(
    kind: type[Failure], code: int
) -> None:
    assert kind("x").code == code
    assert type(failure_with(code, "x", None)) is kind


def test_a_failure_as_a_document_says_what_happened_and_what_to_do() -> None:
    document = NotFound("there is no asset 7", "list them with: lifecycle assets list").document()

    assert document == {
        "error": {
            "code": 3,
            "kind": "not_found",
            "message": "there is no asset 7",
            "next_step": "list them with: lifecycle assets list",
        }
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), ExitCode.UNREACHABLE),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1)"), ExitCode.UNREACHABLE),
        (TimeoutError(), ExitCode.UNREACHABLE),
        (asyncpg.ConnectionDoesNotExistError("gone"), ExitCode.UNREACHABLE),
        (asyncpg.InvalidPasswordError("no"), ExitCode.UNREACHABLE),
        (asyncpg.ClientConfigurationError("`sslmode` parameter must be one of"), ExitCode.USAGE),
        (aiormq.exceptions.AMQPConnectionError("gone"), ExitCode.UNREACHABLE),
        (httpx.ConnectError("gone"), ExitCode.UNREACHABLE),
        (BrokerUnavailable("no connection to the broker"), ExitCode.UNREACHABLE),
        (UnknownIntegration("there is no integration 7"), ExitCode.NOT_FOUND),
        (asyncpg.UndefinedTableError("relation does not exist"), ExitCode.REFUSED),
        (MigrationError("0001_a.sql was edited"), ExitCode.REFUSED),
        (ExceptionGroup("several", [NotFound("there is no such thing")]), ExitCode.NOT_FOUND),
        (asyncio.QueueEmpty(), ExitCode.FAILED),
    ],
)
def test_foreign_errors_are_told_by_what_they_mean(error: Exception, code: ExitCode) -> None:
    assert failure_of(error).code == code


def test_a_database_address_that_the_driver_does_not_take_is_named_by_its_setting_and_not_repeated() -> None:
    failure = failure_of(asyncpg.ClientConfigurationError("invalid IPv6 address in the connection URI: 'canary'"))

    assert "LIFECYCLE_DATABASE_URL" in failure.message
    assert failure.next_step
    assert "canary" not in failure.message + failure.next_step


def test_only_what_nobody_expected_is_worth_a_traceback() -> None:
    assert is_expected(NotFound("x"))
    assert is_expected(MigrationError("x"))
    assert not is_expected(KeyError("x"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("docker", "canary-value"),
        ("amqp_url", "canary-value"),
        ("database_url", "http://canary-value"),
        ("database_url", "postgresql://u:canary-value@host:nope/x"),
        ("amqp_url", "amqp://u:canary-value@host:70000/"),
        ("rmm_base_url", "canary-value"),
        ("rmm_base_url", "http://canary-value:99999"),
    ],
)
def test_wrong_settings_are_named_without_their_values(name: str, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CommandSettings.model_validate({name: value})

    failure = failure_of(caught.value)

    assert failure.code == ExitCode.USAGE
    assert f"LIFECYCLE_{name.upper()}: " in failure.message
    assert "canary" not in failure.message
