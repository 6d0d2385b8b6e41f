"""Logs: structured lines on stderr, secrets and signed addresses taken out."""

import logging
import re
import sys
from typing import Any

import structlog

_SECRET_NAMES = re.compile(r"token|secret|password|authorization|signature|cookie", re.IGNORECASE)
_SIGNED = re.compile(r"([?&](?:t|c|s|h|sig|token|code)=)[^&\s\"']+", re.IGNORECASE)
_BEARER = re.compile(r"(Bearer\s+)[A-Za-z0-9._~+/=-]{8,}|(xox[a-z]-)[A-Za-z0-9-]+")


def redact(text: str) -> str:
    """``text`` without bearer tokens, Slack tokens and the signed parts of addresses."""
    return _BEARER.sub(lambda match: f"{match.group(1) or match.group(2)}***", _SIGNED.sub(r"\1***", text))


def _clean(_logger: Any, _method: str, event: Any) -> Any:  # noqa: ANN401  (structlog's own processor type)
    for name, value in event.items():
        if _SECRET_NAMES.search(str(name)):
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = redact(value)
    return event


def set_up(*, verbose: bool = False, quiet: bool = False, as_json: bool | None = None) -> None:
    """Send everything to stderr: JSON where nobody watches, readable lines on a terminal."""
    level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO
    to_json = not sys.stderr.isatty() if as_json is None else as_json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if to_json else structlog.processors.StackInfoRenderer(),
        _clean,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if to_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", force=True
    )
    for noisy in ("azure", "msal", "slack_bolt", "slack_sdk", "aiohttp.access", "dbos"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
