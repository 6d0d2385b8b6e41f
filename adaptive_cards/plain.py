"""Text that came from outside, made harmless for every platform before its own escaping."""

import ipaddress
import re
import unicodedata
from urllib.parse import urlsplit

URL_MAX = 3000
"""Slack's limit of a link or a button's address: https://docs.slack.dev/reference/block-kit/block-elements/button-element"""

# Letters and marks that Unicode draws as nothing; format characters (bidi overrides, zero-width, tags) are
# recognised by their category.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_URL = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # printable ASCII without blank " < > \ ^ ` { | }


def clean(text: str, *, lines: bool = False) -> str:
    """Fold line breaks to spaces (kept with `lines`) and show what cannot be seen as ``[U+202E]``.

    Showing beats removing: two names that differ only in an invisible character must not look the same.
    """
    if text.isprintable() and _INVISIBLE.isdisjoint(text):
        return text  # nearly every text, and much faster than looking at each character
    text = text.replace("\r\n", "\n")
    return "".join(_visible(one, lines=lines) for one in text)


def _visible(one: str, *, lines: bool) -> str:
    if one in "\n\r\v\f\x85\u2028\u2029":
        return "\n" if lines else " "
    if one == "\t":
        return "    " if lines else " "
    if one in _INVISIBLE or unicodedata.category(one) in {"Cc", "Cf", "Cs"}:
        return f"[U+{ord(one):04X}]"
    return one


def safe_url(url: str) -> str | None:
    """The address if it is https, or http on a loopback host, and free of tricks; None otherwise."""
    if len(url) > URL_MAX or not _URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # a port that is no number raises ValueError here
    except ValueError:
        return None
    if not host or "@" in parts.netloc:
        return None
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return url
    return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
