"""How a button or a form says what it is when it comes back from a platform."""

from urllib.parse import quote, unquote

from adaptive_cards.card import ACTION_NAME

IDENTITY_MAX = 1000
"""Characters of one encoded identity: half of what a Slack button takes (2,000), so that a card with many
buttons stays within the size of a message."""
IDENTITY_KEY = "backupbot"
"""The key under which a Teams action carries its identity, beside the answers to the inputs."""


def encode(action: str, value: str = "") -> str:
    """One printable ASCII string for an action and its value; ValueError if it is too long or misnamed.

    The value is percent-encoded: Slack escapes ``& < >`` in what it sends back
    (https://github.com/slackapi/bolt-python/issues/513).
    """
    if not ACTION_NAME.fullmatch(action):
        raise ValueError(f"not a name of an action: {action!r}")
    text = f"{action}:{quote(value, safe='/-._~:')}"
    if len(text) > IDENTITY_MAX:
        raise ValueError(f"the value of action {action} is too long: {len(text)} of {IDENTITY_MAX} characters")
    return text


def decode(text: str) -> tuple[str, str]:
    """The action and value of an encoded identity; ValueError for anything that `encode` did not make."""
    action, colon, value = text.partition(":")
    if not colon or len(text) > IDENTITY_MAX or not ACTION_NAME.fullmatch(action):
        raise ValueError("not the identity of a button or form")
    plain = unquote(value, errors="strict")
    if encode(action, plain) != text:
        raise ValueError("not the identity of a button or form")
    return action, plain
