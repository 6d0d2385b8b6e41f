"""Slack's text: rich text whose characters are taken literally, and the escaped kinds where it is not allowed.

mrkdwn has no way to escape ``* _ ~`` or to keep ``:name:`` from becoming an emoji, so whatever comes from
outside goes into rich_text or plain_text; mrkdwn carries only dates, mentions and links of our own making.
"""

import re
from typing import Any, TypeAlias, assert_never

from adaptive_cards.card import Bold, Code, Inline, Link, Mention, Plain, Span, When, spans
from adaptive_cards.plain import clean, safe_url
from adaptive_cards.wording import NO_VALUE, shorten_middle, span_text, utc_text

Json: TypeAlias = dict[str, Any]

CONTEXT_ELEMENTS_MAX = 10
"""https://docs.slack.dev/reference/block-kit/blocks/context-block"""
CONTEXT_TEXT_MAX = 2000
"""Our own bound of one piece of small print; longer ones become a paragraph."""
_MARKUP = re.compile(r"[*_~`|:]")
_USER_ID = re.compile(r"[UW][A-Z0-9]{2,20}")
_GROUP_ID = re.compile(r"S[A-Z0-9]{2,20}")
_DATE_FORMATS = {"full": "{date_short_pretty} {time}", "time": "{time}"}


LINE_BREAK = Plain("\n")
"""The one span that may end a line; a line break in any other text becomes a space."""


def escape(text: str) -> str:
    """The three characters that Slack parses, as https://docs.slack.dev/messaging/formatting-message-text asks."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain_text(text: str, limit: int) -> Json:
    """A plain_text object of 1 to `limit` characters as Slack counts them, that is escaped."""
    return {"type": "plain_text", "text": _escaped_within(clean(text), limit), "emoji": False}


def _escaped_within(text: str, limit: int) -> str:
    room = limit
    short = escape(shorten_middle(text, room))
    while len(short) > limit:
        room -= max(1, (len(short) - limit) // 5)
        short = escape(shorten_middle(text, room))
    return short if short.strip() else NO_VALUE


def section(inline: Inline, *, bold: bool = False) -> Json:
    """One line of rich text."""
    elements = [one for span in spans(inline) for one in _rich(span, bold=bold)]
    return {"type": "rich_text_section", "elements": elements or [_run(NO_VALUE)]}


def preformatted(text: str) -> Json:
    """Lines in a monospaced face."""
    return {"type": "rich_text_preformatted", "elements": [_run(text or NO_VALUE)]}


def _run(text: str, **style: bool) -> Json:
    chosen = {name: True for name, on in style.items() if on}
    return {"type": "text", "text": text, "style": chosen} if chosen else {"type": "text", "text": text}


def _rich(span: Span, *, bold: bool) -> list[Json]:
    text = span_text(span)
    if span is LINE_BREAK:
        return [_run("\n")]
    match span:
        case When():
            return _rich_when(span)
        case Mention() if span.kind == "slack-user" and _USER_ID.fullmatch(span.id):
            return [{"type": "user", "user_id": span.id}]
        case Mention() if span.kind == "slack-group" and _GROUP_ID.fullmatch(span.id):
            return [{"type": "usergroup", "usergroup_id": span.id}]
        case _ if not text:
            return []
        case Link() if (url := safe_url(span.url)) is not None:
            return [{"type": "link", "url": url, "text": text}]
        case Plain() | Link() | Mention():
            return [_run(text, bold=bold)]
        case Bold():
            return [_run(text, bold=True)]
        case Code():
            return [_run(text, code=True)]
        case _:
            assert_never(span)


def _rich_when(when: When) -> list[Json]:
    age = clean(when.age)
    date = {
        "type": "date",
        "timestamp": int(when.at.timestamp()),
        "format": _DATE_FORMATS[when.style],
        "fallback": utc_text(when),
    }
    return [*([_run(f"{age} · ")] if age else []), date, _run(f" · {utc_text(when)}")]


def context(inline: Inline) -> list[Json] | None:
    """The elements of a context block, or None if the text needs more than such a block can say safely."""
    elements: list[Json] = []
    waiting = ""
    for span in spans(inline):
        markup = _markup(span)
        if markup is None:
            if isinstance(span, Link) and safe_url(span.url) is not None:
                return None
            waiting += span_text(span)
            continue
        elements += _waiting(waiting)
        waiting = ""
        elements.append({"type": "mrkdwn", "text": markup, "verbatim": True})
    elements += _waiting(waiting)
    too_long = any(len(element["text"]) > CONTEXT_TEXT_MAX for element in elements)
    return None if not elements or too_long or len(elements) > CONTEXT_ELEMENTS_MAX else elements


def _waiting(text: str) -> list[Json]:
    return [{"type": "plain_text", "text": escape(text.strip()), "emoji": False}] if text.strip() else []


def _markup(span: Span) -> str | None:
    """What mrkdwn can say of a span without a formatting character from outside, else None."""
    match span:
        case When():
            date = f"<!date^{int(span.at.timestamp())}^{_DATE_FORMATS[span.style]}|{utc_text(span)}>"
            age = clean(span.age)
            if _MARKUP.search(age):
                return None
            return f"{escape(age)} · {date} · {utc_text(span)}" if age else f"{date} · {utc_text(span)}"
        case Mention() if span.kind == "slack-user" and _USER_ID.fullmatch(span.id):
            return f"<@{span.id}>"
        case Mention() if span.kind == "slack-group" and _GROUP_ID.fullmatch(span.id):
            return f"<!subteam^{span.id}>"
        case Link() if (url := safe_url(span.url)) is not None and not _MARKUP.search(span_text(span)):
            return f"<{escape(url)}|{escape(span_text(span))}>" if span_text(span) else None
        case Plain() | Bold() | Code() | Link() | Mention():
            return None
        case _:
            assert_never(span)
