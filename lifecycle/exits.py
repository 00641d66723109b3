"""How the command ends: exit codes, and failures that a person can act on.

    Failure              1    something failed
    ├── WrongUsage       2    an option or argument is wrong
    ├── NotFound         3    the thing that was named does not exist
    ├── Refused          4    permission, conflict, or not confirmed
    ├── DoneInPart       5    some of it was done, the rest was not
    ├── Unreachable      6    broker, database or RMM cannot be reached
    ├── WaitRanOut       124  `--wait` ended before the work did
    └── Interrupted      130  Ctrl-C

A failure is one clear sentence and what to do next. It never holds a secret and is never shown as a traceback.
"""

from enum import IntEnum
from typing import Any

from shared import tls


class ExitCode(IntEnum):
    """What the shell sees."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    PARTIAL = 5
    UNREACHABLE = 6
    WAIT_RAN_OUT = 124
    INTERRUPTED = 130


class Failure(Exception):  # noqa: N818 - the command's word for it; an error is what a program has, not a person
    """Something failed; `message` says what in one sentence, `next_step` what to do about it."""

    code = ExitCode.FAILED
    kind = "failed"

    def __init__(self, message: str, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def document(self) -> dict[str, object]:
        """The failure for `--json`."""
        return {
            "error": {"code": int(self.code), "kind": self.kind, "message": self.message, "next_step": self.next_step}
        }


class WrongUsage(Failure):
    """An option or an argument is wrong."""

    code = ExitCode.USAGE
    kind = "wrong_usage"


class NotFound(Failure):
    """The thing that was named does not exist."""

    code = ExitCode.NOT_FOUND
    kind = "not_found"


class Refused(Failure):
    """Not allowed, in conflict with something, or not confirmed."""

    code = ExitCode.REFUSED
    kind = "refused"


class DoneInPart(Failure):
    """Some of it was done, the rest was not."""

    code = ExitCode.PARTIAL
    kind = "done_in_part"


class Unreachable(Failure):
    """The broker, the database or the RMM cannot be reached."""

    code = ExitCode.UNREACHABLE
    kind = "unreachable"


class WaitRanOut(Failure):
    """`--wait` ended before the work did; the work goes on."""

    code = ExitCode.WAIT_RAN_OUT
    kind = "wait_ran_out"


class Interrupted(Failure):
    """Ctrl-C."""

    code = ExitCode.INTERRUPTED
    kind = "interrupted"


def failure_with(code: int, message: str, next_step: str | None) -> Failure:
    """The failure with this exit code, as another process reported it."""
    kinds: tuple[type[Failure], ...] = (
        *(WrongUsage, NotFound, Refused, DoneInPart, Unreachable, WaitRanOut, Interrupted),
    )
    kind = next((kind for kind in kinds if kind.code == code), Failure)
    return kind(message, next_step)


_UNEXPECTED = "lifecycle met something unexpected"
_SERVERS_GONE = "the broker or the database cannot be reached"
_LOOK_AT_STACK = "check: lifecycle ps, or run: lifecycle up"
_MIGRATE = "run: lifecycle migrate"
_OLD_TABLES = "the database does not have the tables that this version needs"
# By package and name, so that `--help` need not import a driver.
_KNOWN: dict[tuple[str, str], tuple[type[Failure], str, str]] = {
    ("asyncpg", "UndefinedTableError"): (Refused, _OLD_TABLES, _MIGRATE),
    ("asyncpg", "UndefinedColumnError"): (Refused, _OLD_TABLES, _MIGRATE),
    ("asyncpg", "UndefinedFunctionError"): (Refused, _OLD_TABLES, _MIGRATE),
    ("asyncpg", "InvalidAuthorizationSpecificationError"): (
        *(Unreachable, "the database refused the login", "check user and password in LIFECYCLE_DATABASE_URL"),
    ),
    ("asyncpg", "InvalidCatalogNameError"): (
        *(Unreachable, "the database named in LIFECYCLE_DATABASE_URL does not exist", "create it, or correct the name"),
    ),
    # The driver's own words are left out: they repeat parts of the address.
    ("asyncpg", "ClientConfigurationError"): (
        WrongUsage,
        "LIFECYCLE_DATABASE_URL is not an address that the driver takes",
        "correct its sslmode (verify-full needs sslrootcert), the other words after its `?`, or the files they name",
    ),
    ("asyncpg", "PostgresConnectionError"): (
        *(Unreachable, "the database cannot be reached", "check LIFECYCLE_DATABASE_URL, or run: lifecycle up"),
    ),
    ("asyncpg", "CannotConnectNowError"): (Unreachable, "the database is just starting", "try again in a moment"),
    ("aiormq", "AMQPConnectionError"): (
        *(Unreachable, "the broker cannot be reached", "check LIFECYCLE_AMQP_URL, or run: lifecycle up"),
    ),
    ("aiormq", "AMQPError"): (Unreachable, "the broker refused the request", "run: lifecycle topology check"),
    ("httpx", "TransportError"): (
        *(Unreachable, "an HTTP address cannot be reached", "check that the service is up: lifecycle ps"),
    ),
}


def failure_of(error: BaseException) -> Failure:
    """The failure to show for any exception: ours as it is, foreign ones by what they mean to a person."""
    if isinstance(error, Failure):
        return error
    inner: object = getattr(error, "exceptions", None)  # of a group
    if isinstance(inner, tuple) and isinstance(inner[0], BaseException):
        return failure_of(inner[0])
    names = {(cls.__module__.split(".", 1)[0], cls.__name__) for cls in type(error).__mro__}
    if ("asyncpg", "UndefinedObjectError") in names and "configuration parameter" in str(error):
        # The driver hands a word after the `?` that it does not know on to Postgres, as a setting.
        names.add(("asyncpg", "ClientConfigurationError"))
    if failed := _tls_failure(error, {package for package, _ in names}):
        return failed
    for known, (kind, message, next_step) in _KNOWN.items():
        if known in names:
            return kind(message, next_step)
    if ("pydantic_settings", "SettingsError") in names:
        # It wraps whatever a source raises: ours says which file cannot be read.
        return WrongUsage(str(error.__cause__ or error), "correct that setting, or leave it out")
    own = _own_failure(error, {name for package, name in names if package == "shared"})
    return own or _system_failure(error) or Failure(f"{_UNEXPECTED} ({type(error).__name__})")


def _tls_failure(error: BaseException, packages: set[str]) -> Failure | None:
    """A connection that TLS kept from coming about, to the server that this kind of error is of."""
    if "aiormq" in packages:
        server, peer = "broker", tls.BROKER
    elif "httpx" in packages:
        server, peer = "broker's management API", tls.MANAGEMENT
    elif isinstance(error, OSError):
        # The driver of the database lets what it meets through as it is; the others wrap it.
        server, peer = "database", tls.DATABASE
    else:
        return None
    found = tls.trouble(error, peer)
    return Unreachable(f"no connection to the {server}: {found.what}", found.next_action) if found else None


def is_expected(error: BaseException) -> bool:
    """Whether the sentence of `failure_of` says all there is to say, so that no traceback is worth keeping."""
    failure = failure_of(error)
    return failure is error or failure.next_step is not None or not failure.message.startswith(_UNEXPECTED)


def _own_failure(error: BaseException, names: set[str]) -> Failure | None:
    """Errors of the services' own code: they carry what to do next."""
    if "MigrationError" in names:
        return Refused(str(error))
    if "SettingsError" in names or "KeyTextError" in names:
        return WrongUsage(str(error))
    if "PipelineError" not in names:
        return None
    next_step: str | None = getattr(error, "next_action", None)
    if names & {"StoreUnavailable", "BrokerUnavailable", "RmmUnreachable"}:
        return Unreachable(str(error), next_step)
    if names & {"UnknownIntegration", "DeviceGone"}:
        return NotFound(str(error), next_step)
    return Failure(str(error), next_step)


def _system_failure(error: BaseException) -> Failure | None:
    """What Python itself and pydantic raise."""
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("interrupted")
    if isinstance(error, ConnectionError | TimeoutError) or "Connect call failed" in str(error):
        # asyncio reports several refused addresses as one plain OSError.
        return Unreachable(_SERVERS_GONE, _LOOK_AT_STACK)
    if isinstance(error, OSError):
        what = (error.strerror or type(error).__name__).lower()
        return Failure(f"{error.filename}: {what}" if error.filename is not None else f"the system says: {what}")
    if type(error).__name__ == "ValidationError":
        return WrongUsage(_settings_message(error), "correct the settings named above")
    return None


def _settings_message(error: BaseException) -> str:
    from shared.settings import reason  # noqa: PLC0415 - `--help` needs no settings

    # Only names and reasons: the offending value may be a secret.
    ask: Any = getattr(error, "errors", list)
    details: list[dict[str, Any]] = ask(include_url=False, include_input=False, include_context=False)
    lines = [
        f"LIFECYCLE_{'_'.join(str(part) for part in detail['loc']).upper()}: {reason(detail['msg'])}"
        for detail in details
    ]
    return f"wrong settings: {'; '.join(lines)}"
