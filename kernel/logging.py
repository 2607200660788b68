"""Structured logs: one JSON object a line, `timestamp level service event` first, then
`userId channelId messageId latency` where they apply, and whatever else the call names.

Values under keys that look like secrets are masked, so that a careless call cannot leak one.
"""

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, TextIO

import orjson
import structlog

_SECRET_KEY = re.compile(r"secret|password|token|authorization|credential|cookie|api_?key", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"\b(sk|nk|rt)_[0-9a-z]{8,}|\beyJ[\w-]+\.[\w-]+\.[\w-]+")


def _mask(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if _is_secret(key):
            event[key] = "***"
        elif isinstance(value, str) and ("_" in value or "eyJ" in value):
            event[key] = _SECRET_VALUE.sub("***", value)
    return event


@lru_cache(1024)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def configure_logging(service: str, *, level: str = "info", format: Literal["json", "console"] = "json") -> None:
    """Send structlog and the standard library's loggers to standard output in one form."""

    def add_service(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        add_service,
        structlog.processors.format_exc_info,
        _mask,
    ]
    if format == "json":
        # Our own lines, of which every request makes one, are written as they are: the way through the standard
        # library's logging makes each twice over, and takes five times as long.
        lines = _Lines(sys.stdout)
        structlog.configure(
            processors=[*shared, _ordered, _as_json],
            logger_factory=lambda *_: lines,
            wrapper_class=structlog.make_filtering_bound_logger(level),
            cache_logger_on_first_use=True,
        )
        render: list[Any] = [_ordered, structlog.processors.JSONRenderer(sort_keys=False, default=str)]
    else:
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                *shared,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        )
        render = [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "httpx", "httpcore", "engineio", "socketio", "alembic", "stripe"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


class _Lines:
    """Writes lines. What cannot be written (a full disk, a reader that went away) must not fail what was logged."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write one line, at once."""
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


def _ordered(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    first = ("timestamp", "level", "service", "event")
    return {**{key: event[key] for key in first if key in event}, **event}


def _as_json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a number that is too large, half a surrogate
        return json.dumps(event, default=str)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose calls take an event name and key-value pairs."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
