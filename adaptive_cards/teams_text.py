"""Text in Adaptive Cards: runs that read no Markdown, and mentions, which Teams finds in TextBlocks only."""

import re
from collections.abc import Iterable
from datetime import UTC
from typing import Any, TypeAlias, assert_never

from adaptive_cards.card import Bold, Code, Inline, Link, Mention, Part, Plain, Span, When, spans
from adaptive_cards.plain import clean, safe_url
from adaptive_cards.wording import NO_VALUE, element_spans, flatten, span_text, utc_text

Json: TypeAlias = dict[str, Any]

_USER_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z:._@-]{2,200}")
_NOT_IN_A_NAME = re.compile(r"[^\w .'-]|_")


def rich(inline: Inline, **look: object) -> Json:
    """A RichTextBlock; `look` (size, weight, color, isSubtle, …) applies to each of its runs."""
    runs = [one for span in spans(inline) for one in _runs(span, look)]
    return {"type": "RichTextBlock", "inlines": runs or [_run(NO_VALUE, look)]}


def _runs(span: Span, look: dict[str, object]) -> list[Json]:
    text = span_text(span)
    match span:
        case When():
            return _when(span, look)
        case _ if not text:
            return []
        case Link() if (url := safe_url(span.url)) is not None:
            return [{**run, "selectAction": {"type": "Action.OpenUrl", "url": url}} for run in _split(text, look)]
        case Plain() | Link():
            return _split(text, look)
        case Bold() | Mention():
            return _split(text, {**look, "weight": "Bolder"})
        case Code():
            return _split(text, {**look, "fontType": "Monospace"})
        case _:
            assert_never(span)


def _when(when: When, look: dict[str, object]) -> list[Json]:
    """Age, the reader's local time by the functions of text features, and UTC.

    https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features; clients apply them to runs too.
    """
    stamp = when.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    local = f"{{{{TIME({stamp})}}}}" if when.style == "time" else f"{{{{DATE({stamp}, SHORT)}}}} {{{{TIME({stamp})}}}}"
    age = clean(when.age)
    return [
        *(_split(f"{age} · ", look) if age else []),
        _run(local, look),
        _run(f" · {utc_text(when)}", look),
    ]


def _split(text: str, look: dict[str, object]) -> list[Json]:
    """Runs without ``{{``, so that a name cannot call the date functions."""
    return [_run(part, look) for part in re.split(r"(?<=\{)(?=\{)", text)]


def _run(text: str, look: dict[str, object]) -> Json:
    return {"type": "TextRun", "text": text, **look}


def mention_names(parts: tuple[Part, ...]) -> dict[str, str]:
    """A name for each Teams user id that a card mentions, made unique and free of markup."""
    names: dict[str, str] = {}
    for mention in _mentions(span for part in flatten(parts) for span in element_spans(part)):
        name = " ".join(_NOT_IN_A_NAME.sub(" ", clean(mention.label)).split()) or "somebody"
        if mention.id not in names:
            same = sum(1 for other in names.values() if other == name or other.startswith(f"{name} ("))
            names[mention.id] = name if not same else f"{name} ({same + 1})"
    return names


def mention_line(part: Part, names: dict[str, str]) -> list[Json]:
    """A TextBlock that calls everybody whom this element mentions, if anybody."""
    ids = dict.fromkeys(mention.id for mention in _mentions(element_spans(part)))
    if not ids:
        return []
    text = ", ".join(f"<at>{names[one]}</at>" for one in ids)
    return [{"type": "TextBlock", "text": text, "wrap": True, "spacing": "None"}]


def mention_entities(names: dict[str, str]) -> list[Json]:
    """The entities without which a tag in a TextBlock calls nobody."""
    return [
        {"type": "mention", "text": f"<at>{name}</at>", "mentioned": {"id": user_id, "name": name}}
        for user_id, name in names.items()
    ]


def _mentions(every: Iterable[Span]) -> list[Mention]:
    return [
        span
        for span in every
        if isinstance(span, Mention) and span.kind == "teams-user" and _USER_ID.fullmatch(span.id)
    ]


def harmless(text: str) -> str:
    """Text for the fields that a client may read as Markdown or SSML: without any character of theirs."""
    return " ".join(re.sub(r"[\\`*_{}\[\]<>()#~|!&]|://", " ", text).split())
