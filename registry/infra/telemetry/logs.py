"""Structured logs on standard error: a JSON object a line, secrets masked."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_SECRET_KEY: Final = re.compile(r"authorization|password|secret|token|cookie|dsn|database_url", re.IGNORECASE)
_USERINFO: Final = re.compile(r"(\w+://)[^/\s@]+@")
_MASK: Final = "***"


def scrub(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask what is secret by its name, and credentials inside URLs."""
    for key, value in event.items():
        if _SECRET_KEY.search(key):
            event[key] = _MASK
        elif isinstance(value, str):
            event[key] = _USERINFO.sub(rf"\1{_MASK}@", value)
    return event


def configure(level: str, form: str) -> None:
    """Send the logs of the registry and of its libraries through one chain."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        scrub,
    ]
    render = structlog.dev.ConsoleRenderer(colors=False) if form == "console" else structlog.processors.JSONRenderer()
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=render, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.INFO))
