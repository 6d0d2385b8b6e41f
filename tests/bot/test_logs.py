"""Logs: one line each on stderr, without tokens, passwords and signed addresses, wherever they stand."""

import io
import json
import logging
import sys
from contextlib import redirect_stderr

import pytest
import structlog

from bot import logs

SECRETS = [
    "Authorization: Bearer abcdefghijklmnop",
    "token xoxb-1111-2222-abcdefghijklmnop used",
    "app xapp-1-A0-abcdefghijklmnop used",
    "POST /webhooks/azure-monitor?token=abcdefghijklmnop",
    "https://x.blob.core.windows.net/c?sv=1&sig=abcdefghijklmnop",
    "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhcmFiYyJ9.abcdefghijklmnop",
    "client_secret=abcdefghijklmnop&grant_type=x",
    "postgresql://bot:abcdefghijklmnop@db/backup",
    "https://hooks.slack.com/commands/T0/1/abcdefghijklmnop",
]


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_is_written(text: str) -> None:
    """Tokens of Slack and Entra, passwords in addresses, Slack's response addresses."""
    assert "abcdefghijklmnop" not in logs.redact(text)


@pytest.mark.parametrize("text", ["the backup of vm-erp-01 failed", "https://portal.azure.com/#resource/x", "a: b@c"])
def test_everything_else_stays(text: str) -> None:
    """Names, codes and plain addresses are what logs are for."""
    assert text == logs.redact(text)


@pytest.mark.parametrize("as_json", [True, False])
def test_whatever_is_logged_is_clean(as_json: bool) -> None:
    """Events, nested values, tracebacks, and the lines of libraries."""
    err = io.StringIO()
    with redirect_stderr(err):
        logs.set_up(as_json=as_json)
        log = structlog.get_logger()
        for text in SECRETS:
            log.info("event", text=text, nested={"deep": [text]}, slack_bot_token="abcdefghijklmnop")
            try:
                int(text)
            except ValueError:
                log.exception("broke")
                logging.getLogger("some.library").exception("broke: %s", text)
    written = err.getvalue()

    assert "abcdefghijklmnop" not in written
    assert "ValueError" in written
    if as_json:
        first = json.loads(written.splitlines()[0])
        assert ("event", "info", "***") == (first["event"], first["level"], first["slack_bot_token"])
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, force=True)
    structlog.reset_defaults()
