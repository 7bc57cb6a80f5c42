"""Structured logs on standard error: a JSON object a line, the id of its request in it, secrets masked."""

import atexit
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, Final, TextIO

import structlog

from registry.infra.telemetry.access import AccessLog, as_json, as_text

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id")
_ACCESS: Final = "registry.access"
_MASK: Final = "***"
_WORDS: Final = (
    r"authorization|password|passwd|pwd|secret|token|cookie|credential|dsn|database_url|api[_-]?key|private[_-]?key"
)
_SECRET_KEY: Final = re.compile(_WORDS, re.IGNORECASE)
_MASKS: Final = (
    # scheme://user:password@host, and the password alone where it holds an @ or a slash
    (re.compile(r"\b([a-z][a-z0-9+.-]*://)[^\s'\"<>]*@", re.IGNORECASE), rf"\1{_MASK}@"),
    # credentials of HTTP, wherever they stand (RFC 9110, section 11.4)
    (re.compile(r"\b(Basic|Bearer|Digest|Negotiate)(\s+|%20)[^\s'\",;)}\]]+", re.IGNORECASE), rf"\1 {_MASK}"),
    # cookies, in a header line or in a printed dictionary or pair
    (
        re.compile(r"((?:set-)?cookie['\"]?\s*[:=,]\s*)(b?'[^'\n]*'|b?\"[^\"\n]*\"|[^\n'\"}\])]+)", re.IGNORECASE),
        rf"\1{_MASK}",
    ),
    # values of names that tell of secrets, in the same forms
    (
        re.compile(
            rf"((?:{_WORDS})[\w-]*['\"]?\s*[:=,]\s*)(b?'[^'\n]*'|b?\"[^\"\n]*\"|[^\s'\",;&)}}\]]+)", re.IGNORECASE
        ),
        rf"\1{_MASK}",
    ),
)
_HINT: Final = re.compile(rf"://|basic|bearer|digest|negotiate|{_WORDS}", re.IGNORECASE)


def scrub(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask what is secret by its name, and credentials inside texts, at any depth."""
    for key, value in event.items():
        event[key] = _MASK if _SECRET_KEY.search(key) else _masked(value)
    return event


def masked(text: str) -> str:
    """The text without the credentials in it."""
    if _HINT.search(text):
        for pattern, replacement in _MASKS:
            text = pattern.sub(replacement, text)
    return text


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {key: _MASK if _SECRET_KEY.search(str(key)) else _masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float | logging.LogRecord):
        return value
    return masked(str(value))


def add_request_id(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say which request a line belongs to."""
    found = REQUEST_ID.get(None)
    if found is not None:
        event.setdefault("request_id", found)
    return event


def configure(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send the logs of the registry and of its libraries through one chain to `stream`, standard error if None.

    `level` is debug, info, warning or error; `form` is json or console. Libraries never log below info: their debug
    lines hold what clients sent.
    """
    out = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    render = structlog.dev.ConsoleRenderer(colors=False) if form == "console" else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*_chain(), render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=render, foreign_pre_chain=_chain()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.INFO))
    _configure_access(out, form, is_on=number <= logging.INFO)


def _chain() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        scrub,
    ]


class _AccessHandler(logging.Handler):
    """Carries the access log, so that it is configured where all logs are."""

    def __init__(self, log: AccessLog) -> None:
        super().__init__()
        self.log = log

    def flush(self) -> None:
        self.log.flush()


def _configure_access(stream: TextIO, form: str, *, is_on: bool) -> None:
    logger = logging.getLogger(_ACCESS)
    for handler in logger.handlers:
        handler.flush()
        atexit.unregister(handler.flush)
    logger.handlers.clear()
    if is_on:
        added = _AccessHandler(AccessLog(stream, as_text if form == "console" else as_json))
        atexit.register(added.flush)
        logger.addHandler(added)


def access_log() -> AccessLog | None:
    """Where requests are logged; None below the level, or before `configure`."""
    for handler in logging.getLogger(_ACCESS).handlers:
        if isinstance(handler, _AccessHandler):
            return handler.log
    return None
