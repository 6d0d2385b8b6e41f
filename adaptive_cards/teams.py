"""Cards and forms as Adaptive Cards 1.5 for Microsoft Teams.

TextBlock and FactSet read Markdown, so text from outside stands in runs of RichTextBlocks, which read none
(https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format). Tables are
ColumnSets, because not every phone draws a Table. There are no images, hence no altText.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from adaptive_cards.card import (
    Bold,
    Bullets,
    Button,
    Buttons,
    Card,
    Choice,
    CodeBlock,
    Divider,
    Facts,
    Fold,
    Form,
    Heading,
    Inline,
    Input,
    Note,
    Part,
    Progress,
    Status,
    Table,
    Text,
    TextInput,
    spans,
)
from adaptive_cards.fit import Fitter, Weight
from adaptive_cards.identity import IDENTITY_KEY, encode
from adaptive_cards.plain import clean
from adaptive_cards.teams_text import (
    Json,
    harmless,
    mention_entities,
    mention_line,
    mention_names,
    rich,
)
from adaptive_cards.wording import (
    NO_VALUE,
    SIMULATED_LINE,
    SUMMARY_MAX,
    headline,
    inline_text,
    progress_text,
    shorten_middle,
    table_rows_as_lines,
)

CARD_BYTES_MAX = 28 * 1024
"""Bytes of a card's JSON in UTF-16. A bot's message takes about 100 KB, one posted through a webhook 28 KB:
https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages"""
REFRESH_USERS_MAX = 60
"""https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/universal-actions-for-adaptive-cards/user-specific-views"""
ACTIONS_MAX = 6
"""https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference"""
TITLE_MAX = 100
"""Characters of a button's title; ours, a phone shows less."""
TABLE_COLUMNS_MAX = 4
"""Columns that a phone can show beside each other; ours."""
VERSION = "1.5"
"""Mandatory, or phones draw nothing: https://github.com/microsoft/teams.py/issues/311"""
CONTENT_TYPE = "application/vnd.microsoft.card.adaptive"
_COLOURS = {"critical": "Attention", "warning": "Warning", "info": "Default", "good": "Good"}
_STYLES = {"primary": "positive", "danger": "destructive"}
_NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class TeamsMessage:
    """An activity's `summary`, which is the notification, and the `content` of its one attachment."""

    summary: str
    content: Json

    @property
    def attachment(self) -> Json:
        """The attachment as the Bot Framework wants it."""
        return {"contentType": CONTENT_TYPE, "content": self.content}


@dataclass(frozen=True, slots=True)
class Refresh:
    """Who gets a view of their own: clients of `user_ids` invoke `action` with `value` when they show the card.

    ValueError for more than 60 ids; a card for more people must be decided at the click alone.
    """

    action: str
    user_ids: tuple[str, ...]
    value: str = ""

    def __post_init__(self) -> None:
        if len(self.user_ids) > REFRESH_USERS_MAX:
            raise ValueError(f"at most {REFRESH_USERS_MAX} people can have a view of their own")


def render(card: Card, refresh: Refresh | None = None, *, bytes_max: int = CARD_BYTES_MAX) -> TeamsMessage:
    """Draw a card within `bytes_max`; raises ValueError if the buttons alone exceed it."""
    first = headline(card)
    colour = {"color": _COLOURS[card.severity]} if card.severity else {}
    top = [rich(Bold(SIMULATED_LINE), size="Small")] if card.simulated else []
    top.append(rich(Bold(first), size="Medium", **colour))
    return _assemble(first, top, card.elements, refresh, bytes_max)


def render_form(form: Form, *, bytes_max: int = CARD_BYTES_MAX) -> TeamsMessage:
    """Draw a form as a card with inputs, whose answers come beside the identity under the ids of the inputs."""
    first = shorten_middle(clean(form.title), SUMMARY_MAX)
    has_inputs = any(isinstance(part, TextInput | Choice) for part in form.elements)
    submit = form.submit or ("Send" if has_inputs else "")
    last = (Buttons((Button(submit, form.action, form.value, style="primary"),)),) if submit else ()
    return _assemble(first, [rich(Bold(first), size="Medium")], (*form.elements, *last), None, bytes_max)


def _assemble(
    first: str, top: list[Json], parts: tuple[Part, ...], refresh: Refresh | None, bytes_max: int
) -> TeamsMessage:
    names = mention_names(parts)
    content: Json = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "lang": "en",
        "speak": harmless(first),
        "fallbackText": harmless(first),
        "body": top,
        "msteams": {"width": "Full", "entities": mention_entities(names)},
    }
    if refresh is not None:
        action = {"type": "Action.Execute", "title": "Refresh", **_identity(refresh.action, refresh.value)}
        content["refresh"] = {"action": action, "userIds": list(refresh.user_ids)}
    budget = Weight(_NO_LIMIT, bytes_max - _bytes(content))
    content["body"] += Fitter(draw=partial(_draw, names), weigh=_weigh).fit(parts, budget)
    drawn = json.dumps(content["body"], ensure_ascii=False)
    called = {user_id: name for user_id, name in names.items() if f"<at>{name}</at>" in drawn}
    content["msteams"]["entities"] = mention_entities(called)
    return TeamsMessage(summary=first, content=content)


def _bytes(value: object) -> int:
    return len(json.dumps(value).encode("utf-16-le"))


def _weigh(drawn: Sequence[Json]) -> Weight:
    separator = 2 * len(", ")
    return Weight(len(drawn), sum(_bytes(one) + separator for one in drawn))


def _draw(names: dict[str, str], place: str, part: Part) -> list[Json]:
    return [*_draw_part(names, place, part), *mention_line(part, names)]


def _draw_part(  # noqa: C901, PLR0911, PLR0912 -- one arm for each element
    names: dict[str, str], place: str, part: Part
) -> list[Json]:
    match part:
        case Heading():
            return [rich(Bold(part.text), size="Medium")] if part.text.strip() else []
        case Text():
            return _paragraph(part.spans, {"isSubtle": True} if part.subtle else {})
        case Note():
            return _paragraph(part.spans, {"isSubtle": True, "size": "Small"})
        case Status():
            return [rich(spans(Bold(f"{part.sign} {part.word}"), "  ", part.spans))]
        case Facts():
            return _close([_fact(label, value) for label, value in part.rows])
        case Bullets():
            marks = [f"{number}. " if part.numbered else "• " for number in range(1, len(part.items) + 1)]
            return _close([rich(spans(*pair)) for pair in zip(marks, part.items, strict=True)])
        case Table():
            return _table(part)
        case CodeBlock():
            return [_code(part)]
        case Divider():
            return [{"type": "TextBlock", "text": " ", "separator": True, "spacing": "Small"}]
        case Progress():
            return [rich(progress_text(part))]
        case Buttons():
            return _buttons(place, part)
        case Fold():
            return _fold(names, place, part)
        case TextInput() | Choice():
            return [_input(part)]
        case _:
            assert_never(part)


def _paragraph(inline: Inline, look: dict[str, object]) -> list[Json]:
    return [rich(inline, **look)] if inline_text(inline).strip() else []


def _close(blocks: list[Json]) -> list[Json]:
    """The blocks of one element without the gap that parts elements."""
    return [*blocks[:1], *({**block, "spacing": "None"} for block in blocks[1:])]


def _fact(label: str, value: Inline) -> Json:
    return rich(spans(Bold(f"{clean(label)}: "), value if inline_text(value) else NO_VALUE))


def _code(code: CodeBlock) -> Json:
    """One block for each line, its indentation in no-break blanks, because clients fold white space."""
    lines = clean(code.text, lines=True).split("\n")
    kept = [line.replace(" ", "\u00a0", len(line) - len(line.lstrip(" "))) or "\u00a0" for line in lines]
    items = _close([rich(line, fontType="Monospace", size="Small") for line in kept])
    return {"type": "Container", "style": "emphasis", "items": items}


def _table(table: Table) -> list[Json]:
    caption = [rich(Bold(table.caption))] if table.caption else []
    if len(table.columns) > TABLE_COLUMNS_MAX:
        return [*caption, *_close([rich(spans("• ", line)) for line in table_rows_as_lines(table)])]
    header = tuple(Bold(column) for column in table.columns)
    rows: list[tuple[Inline, ...]] = [header, *table.rows]
    widths = [min(max(len(inline_text(cell)) for cell in column), 40) + 4 for column in zip(*rows, strict=True)]
    sets = _close([_row(row, widths) for row in rows])
    return [*caption, sets[0], *({**one, "separator": True} for one in sets[1:2]), *sets[2:]]


def _row(row: tuple[Inline, ...], widths: list[int]) -> Json:
    columns = [
        {"type": "Column", "width": width, "items": [rich(cell)]} for cell, width in zip(row, widths, strict=True)
    ]
    return {"type": "ColumnSet", "columns": columns}


def _fold(names: dict[str, str], place: str, fold: Fold) -> list[Json]:
    items = [one for number, part in enumerate(fold.elements) for one in _draw(names, f"{place}.{number}", part)]
    return _toggled(f"fold-{place.replace('.', '-')}", fold.title, items) if items else []


def _toggled(target: str, title: str, items: list[Json]) -> list[Json]:
    return [
        {"type": "ActionSet", "actions": [_toggle(target, title)]},
        {"type": "Container", "id": target, "isVisible": False, "items": items},
    ]


def _toggle(target: str, title: str) -> Json:
    return {"type": "Action.ToggleVisibility", "title": _title(title), "targetElements": [target]}


def _buttons(place: str, row: Buttons) -> list[Json]:
    actions = [_action(button) for button in row.shown]
    menu = [_action(button) for button in row.menu]
    if not menu:
        return [{"type": "ActionSet", "actions": actions}] if actions else []
    sets = [
        {"type": "ActionSet", "actions": menu[start : start + ACTIONS_MAX]}
        for start in range(0, len(menu), ACTIONS_MAX)
    ]
    target = f"more-{place.replace('.', '-')}"
    return [
        {"type": "ActionSet", "actions": [*actions, _toggle(target, "More")]},
        {"type": "Container", "id": target, "isVisible": False, "items": sets},
    ]


def _action(button: Button) -> Json:
    if button.url is not None:
        return {"type": "Action.OpenUrl", "title": _title(button.label), "url": button.url}
    if button.confirm is None:
        return _execute(button, button.label)
    body = [rich(Bold(button.confirm.title)), rich(button.confirm.text)]
    question = {"type": "AdaptiveCard", "body": body, "actions": [_execute(button, button.confirm.yes)]}
    return {"type": "Action.ShowCard", "title": _title(button.label), **_style(button), "card": question}


def _execute(button: Button, title: str) -> Json:
    """Action.Execute, and Action.Submit for clients that do not know it."""
    shown = {"title": _title(title), **_style(button)}
    identity = _identity(button.action, button.value)
    fallback = {"type": "Action.Submit", **shown, "data": identity["data"]}
    return {"type": "Action.Execute", **shown, **identity, "fallback": fallback}


def _identity(action: str, value: str) -> Json:
    return {"verb": action, "data": {IDENTITY_KEY: encode(action, value)}}


def _style(button: Button) -> Json:
    return {"style": _STYLES[button.style]} if button.style in _STYLES else {}


def _title(text: str) -> str:
    return shorten_middle(clean(text), TITLE_MAX).strip() or NO_VALUE


def _input(part: Input) -> Json:
    label = clean(part.label)
    drawn: Json = {"id": part.id, "label": label, "isRequired": part.required}
    if part.required:
        drawn["errorMessage"] = "An answer is needed here."
    match part:
        case TextInput():
            drawn |= {"type": "Input.Text", "isMultiline": part.multiline, "maxLength": max(1, part.max_length)}
            drawn |= {"placeholder": clean(part.placeholder)} if part.placeholder else {}
            value = clean(part.value, lines=part.multiline)[: max(1, part.max_length)]
        case Choice():
            choices = [{"title": _title(option.label), "value": option.value} for option in part.options]
            # Compact, because the titles of an expanded set are read as Markdown.
            drawn |= {"type": "Input.ChoiceSet", "style": "compact", "choices": choices}
            value = part.value
        case _:
            assert_never(part)
    return {**drawn, "value": value} if value else drawn
