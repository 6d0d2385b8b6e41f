"""Logs: structured lines on stderr, secrets and signed addresses taken out."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog

_SECRET_NAMES = re.compile(r"token|secret|password|authorization|signature|cookie", re.IGNORECASE)
_SECRETS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"([?&](?:t|c|s|h|sig|token|code)=)[^&\s\"']+", r"\1***"),
        (r"(Bearer\s+)[A-Za-z0-9._~+/=-]{8,}", r"\1***"),
        (r"\b(xox[a-z]|xapp)-[A-Za-z0-9-]+", r"\1-***"),
        (r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", "***"),
        (r"((?:client_)?(?:secret|assertion|password)=)[^&\s\"']+", r"\1***"),
        (r"(\w://[^\s:/@]+:)[^\s@/]+@", r"\1***@"),
        (r"(hooks\.slack(?:-gov)?\.com/)[^\s\"']+", r"\1***"),
    )
)


def redact(text: str) -> str:
    """``text`` without tokens, passwords, Slack's response addresses and the signed parts of others."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class _Redacted(logging.Formatter):
    """The lines of libraries, tracebacks included, through the same sieve."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _clean(_logger: Any, _method: str, event: Any) -> Any:  # noqa: ANN401  (structlog's own processor type)
    for name, value in event.items():
        if _SECRET_NAMES.search(str(name)):
            event[name] = "***"
        else:
            event[name] = _deep(value)
    return event


def _deep(value: Any) -> Any:  # noqa: ANN401  (whatever somebody logs)
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: "***" if _SECRET_NAMES.search(str(name)) else _deep(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_deep(one) for one in value]
    return value if isinstance(value, bool | int | float | None) else redact(str(value))


def set_up(*, verbose: bool = False, quiet: bool = False, as_json: bool | None = None) -> None:
    """Send everything to stderr: JSON where nobody watches, readable lines on a terminal."""
    level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO
    to_json = not sys.stderr.isatty() if as_json is None else as_json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _clean,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if to_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacted("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for noisy in ("azure", "msal", "slack_bolt", "slack_sdk", "aiohttp.access", "dbos"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
