"""Structured logs: JSON for machines, a readable line in a terminal; a secret never passes."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, cast

import structlog

SECRET_KEYS: Final = re.compile(r"secret|token|authorization|password|private", re.IGNORECASE)
# Credentials in an URL, and what an HTTP library might quote.
SECRET_TEXT: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)|(?<=Bearer )[A-Za-z0-9._~+/=-]+")
QUIET_LOGGERS: Final = ("httpx", "httpcore", "aio_pika", "aiormq", "uvicorn.access", "faststream.access.rabbit")


def redact(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank what may be a secret, by its key or by its shape."""
    for key, value in entry.items():
        entry[key] = _redacted(key, value)
    return entry


def _redacted(key: Any, value: Any) -> Any:
    if isinstance(key, str) and SECRET_KEYS.search(key) and key != "token_count":
        return "[hidden]"
    if isinstance(value, str):
        return SECRET_TEXT.sub("[hidden]", value)
    if isinstance(value, dict):
        return {inner: _redacted(inner, each) for inner, each in cast("dict[object, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_redacted(None, each) for each in cast("list[Any]", value)]
    return value


def configure(service: str, *, style: Literal["json", "text"], level: str = "INFO") -> None:
    """Route every log line of the process, ours and the libraries', through one formatter to stderr."""
    shared_processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared_processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared_processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
