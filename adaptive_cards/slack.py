"""Cards as Slack messages and forms as Slack views (Block Kit).

Slack folds nothing in every workspace: a Fold stands open and short, or is its button (see `Fold`). Tables are
aligned lines where they fit a phone on its side, else one list item for each row.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from adaptive_cards.card import (
    Bold,
    Bullets,
    Button,
    Buttons,
    Card,
    Choice,
    Code,
    CodeBlock,
    Confirm,
    Divider,
    Facts,
    Fold,
    Form,
    Heading,
    Inline,
    Input,
    Note,
    Part,
    Plain,
    Progress,
    Span,
    Status,
    Table,
    Text,
    TextInput,
    spans,
)
from adaptive_cards.fit import Fitter, Weight, cut
from adaptive_cards.identity import encode
from adaptive_cards.plain import clean
from adaptive_cards.slack_text import LINE_BREAK, Json, context, escape, plain_text, preformatted, section
from adaptive_cards.wording import (
    NO_VALUE,
    SIMULATED_LINE,
    aligned,
    flatten,
    headline,
    inline_text,
    items_not_shown,
    progress_text,
    shorten_middle,
    table_cells,
    table_rows_as_lines,
)

MESSAGE_BLOCKS_MAX = 50
"""https://docs.slack.dev/reference/block-kit/blocks"""
MESSAGE_SIZE_MAX = 12_000
"""Characters of all blocks as escaped JSON, which is more than Slack is seen to count: it documents no figure and
answers msg_blocks_too_long from about 13,200 on (https://github.com/slackapi/bolt-js/issues/2509)."""
VIEW_BLOCKS_MAX = 100
"""https://docs.slack.dev/reference/views/modal-views"""
VIEW_SIZE_MAX = 100_000
"""Characters of a view's blocks; Slack takes 250 KB (view_too_large) and a character may need two bytes."""
VIEW_TITLE_MAX = 24
"""Also of its submit and close: https://docs.slack.dev/reference/views/modal-views"""
HEADER_MAX = 150
"""https://docs.slack.dev/reference/block-kit/blocks/header-block"""
ACTIONS_MAX = 25
"""https://docs.slack.dev/reference/block-kit/blocks/actions-block"""
BUTTON_TEXT_MAX = 75
"""https://docs.slack.dev/reference/block-kit/block-elements/button-element"""
OPTION_TEXT_MAX = 75
OPTION_VALUE_MAX = 150
"""https://docs.slack.dev/reference/block-kit/composition-objects/option-object"""
OVERFLOW_MAX = 5
"""https://docs.slack.dev/reference/block-kit/block-elements/overflow-menu-element"""
SELECT_MAX = 100
"""https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element"""
CONFIRM_TITLE_MAX = 100
CONFIRM_TEXT_MAX = 300
CONFIRM_BUTTON_MAX = 30
"""https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object"""
REVISION_MAX = 64
"""Ours; a block_id made of it stays within the 255 of https://docs.slack.dev/reference/block-kit/blocks"""
INPUT_LABEL_MAX = 2000
"""https://docs.slack.dev/reference/block-kit/blocks/input-block"""
PLACEHOLDER_MAX = 150
INPUT_TEXT_MAX = 3000
"""https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element"""
TABLE_WIDTH_MAX = 64
"""Characters of an aligned line that a phone on its side still shows unbroken."""
FOLD_ROOM = 700
"""Characters of each element of a fold that stands open."""
_BLOCK_ID_SIZE = REVISION_MAX + len('"block_id": "999-", ')
INPUT_ACTION = "value"
"""The action_id of every input: an answer is view.state.values[input id]["value"]."""


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """Arguments of chat.postMessage: `text` is the notification, escaped; `blocks` is the card.

    Post with ``mrkdwn=False``, because emphasis characters in `text` cannot be escaped.
    """

    text: str
    blocks: list[Json]


def render(card: Card, revision: str = "") -> SlackMessage:
    """Draw a card; `revision` must differ at each update of the same message, for Slack wants new block ids.

    Raises ValueError for a revision of over 64 characters, and if the buttons alone exceed a message.
    """
    if len(revision) > REVISION_MAX:
        raise ValueError(f"a revision has at most {REVISION_MAX} characters")
    first = headline(card)
    top = [_rich(section(Bold(first)))]
    if card.simulated:
        top.insert(0, {"type": "context", "elements": [plain_text(SIMULATED_LINE, HEADER_MAX)]})
    taken = _weigh(top)
    budget = Weight(MESSAGE_BLOCKS_MAX - taken.blocks, MESSAGE_SIZE_MAX - taken.size)
    blocks = top + _FITTER.fit(card.elements, budget)
    return SlackMessage(text=escape(first), blocks=_with_ids(blocks, revision))


def render_view(form: Form) -> Json:
    """Draw a form as a modal view; callback_id is its action and private_metadata its identity.

    Inputs are never left out, so ValueError is raised if they alone are more than a view can hold.
    """
    blocks = _FITTER.fit(form.elements, Weight(VIEW_BLOCKS_MAX, VIEW_SIZE_MAX))
    view: Json = {
        "type": "modal",
        "callback_id": form.action,
        "private_metadata": encode(form.action, form.value),
        "title": plain_text(form.title, VIEW_TITLE_MAX),
        "close": plain_text("Cancel" if form.submit else "Close", VIEW_TITLE_MAX),
        "blocks": _with_ids(blocks or [_rich(section(NO_VALUE))], ""),
    }
    if form.submit or any(isinstance(element, TextInput | Choice) for element in form.elements):
        view["submit"] = plain_text(form.submit or "Send", VIEW_TITLE_MAX)
    return view


def _weigh(blocks: Sequence[Json]) -> Weight:
    size = sum(len(escape(json.dumps(block, ensure_ascii=False))) + _BLOCK_ID_SIZE for block in blocks)
    return Weight(len(blocks), size)


def _with_ids(blocks: list[Json], revision: str) -> list[Json]:
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", revision)
    return [{"block_id": f"{number}-{safe}", **block} for number, block in enumerate(blocks)]


def _draw(place: str, part: Part) -> list[Json]:  # noqa: C901, PLR0911, PLR0912 -- one arm for each element
    match part:
        case Heading():
            return [{"type": "header", "text": plain_text(part.text, HEADER_MAX)}] if part.text.strip() else []
        case Text():
            return _paragraph(part.spans, subtle=part.subtle)
        case Note():
            return _paragraph(part.spans, subtle=True)
        case Status():
            return [_rich(section(spans(Bold(f"{part.sign} {part.word}"), "  ", part.spans)))]
        case Facts():
            return [_rich(_facts(part))] if part.rows else []
        case Bullets():
            return [_rich(_list(part.items, numbered=part.numbered))] if part.items else []
        case Table():
            return [_rich(*_table(part))]
        case CodeBlock():
            return [_rich(preformatted(clean(part.text, lines=True)))]
        case Divider():
            return [{"type": "divider"}]
        case Progress():
            return [_rich(section(progress_text(part)))]
        case Buttons():
            return _buttons(part)
        case Fold():
            return _fold(place, part)
        case TextInput() | Choice():
            return [_input(part)]
        case _:
            assert_never(part)


def _rich(*elements: Json) -> Json:
    return {"type": "rich_text", "elements": list(elements)}


def _paragraph(inline: Inline, *, subtle: bool) -> list[Json]:
    if not inline_text(inline).strip():
        return []
    small = context(inline) if subtle else None
    return [{"type": "context", "elements": small}] if small else [_rich(section(inline))]


def _facts(facts: Facts) -> Json:
    """All in one section: whether two sections of one block stand on two lines is not documented."""
    lines: list[Span] = []
    for label, value in facts.rows:
        lines += spans(Bold(f"{clean(label)}: "), value if inline_text(value) else NO_VALUE)
        lines.append(LINE_BREAK)
    return section(tuple(lines[:-1]))


def _list(items: Sequence[Inline], *, numbered: bool) -> Json:
    style = "ordered" if numbered else "bullet"
    return {"type": "rich_text_list", "style": style, "elements": [section(item) for item in items]}


def _table(table: Table) -> list[Json]:
    caption = [section(Bold(table.caption))] if table.caption else []
    lines = aligned(table_cells(table))
    bare = all(isinstance(span, Plain | Bold | Code) for row in table.rows for cell in row for span in spans(cell))
    if bare and max(len(line) for line in lines.split("\n")) <= TABLE_WIDTH_MAX:
        return [*caption, preformatted(lines)]
    return [*caption, _list(table_rows_as_lines(table), numbered=False)]


def _fold(place: str, fold: Fold) -> list[Json]:
    if fold.instead is not None:
        within = [part for part in flatten(fold.elements) if isinstance(part, Buttons)]
        kept = [block for part in within for block in _draw(place, part)]
        return [*_buttons(Buttons((fold.instead,))), *kept]
    pieces = [piece for element in fold.elements for piece in cut(element, FOLD_ROOM)]
    drawn = [block for number, piece in enumerate(pieces) for block in _draw(f"{place}.{number}", piece)]
    title = Bold(shorten_middle(clean(fold.title), HEADER_MAX))
    return [_rich(section(title)), *drawn]


def _buttons(row: Buttons) -> list[Json]:
    menu = [one for one in row.menu if _fits_menu(one)]
    if len(menu) > OVERFLOW_MAX:
        menu = [one for one in menu if one.url is None]  # only an overflow menu opens addresses
    beside = [one for one in row.menu if one not in menu]
    elements = [_button(one, number) for number, one in enumerate(row.shown)]
    if len(menu) > OVERFLOW_MAX:
        starts = range(0, len(menu), SELECT_MAX)
        elements += [_select(menu[start : start + SELECT_MAX], start) for start in starts]
    elif menu:
        options = [_menu_option(one, number) for number, one in enumerate(menu)]
        elements.append({"type": "overflow", "action_id": "more", "options": options})
    elements += [_button(one, len(row.shown) + number) for number, one in enumerate(beside)]
    starts = range(0, len(elements), ACTIONS_MAX)
    return [{"type": "actions", "elements": elements[start : start + ACTIONS_MAX]} for start in starts]


def _fits_menu(button: Button) -> bool:
    """A menu asks no question of one entry alone, and holds short values only."""
    if button.confirm is not None:
        return False
    return button.url is not None or len(encode(button.action, button.value)) <= OPTION_VALUE_MAX


def _menu_option(button: Button, number: int) -> Json:
    if button.url is None:
        return _option(button.label, encode(button.action, button.value))
    return {**_option(button.label, f"open.{number}"), "url": button.url}


def _select(menu: Sequence[Button], start: int) -> Json:
    return {
        "type": "static_select",
        "action_id": f"more.{start}",
        "placeholder": plain_text("More", PLACEHOLDER_MAX),
        "options": [_option(one.label, encode(one.action, one.value)) for one in menu],
    }


def _option(label: str, value: str) -> Json:
    if len(value) > OPTION_VALUE_MAX:
        raise ValueError(f"the value of an option has at most {OPTION_VALUE_MAX} characters")
    return {"text": plain_text(label, OPTION_TEXT_MAX), "value": value}


def _button(button: Button, number: int) -> Json:
    drawn: Json = {"type": "button", "text": plain_text(button.label, BUTTON_TEXT_MAX)}
    if button.url is not None:
        return {**drawn, "action_id": f"open.{number}", "url": button.url}
    drawn |= {"action_id": f"{button.action}.{number}", "value": encode(button.action, button.value)}
    if button.style != "default":
        drawn["style"] = button.style
    if button.confirm is not None:
        drawn["confirm"] = _confirm(button.confirm, danger=button.style == "danger")
    return drawn


def _confirm(confirm: Confirm, *, danger: bool) -> Json:
    drawn = {
        "title": plain_text(confirm.title, CONFIRM_TITLE_MAX),
        "text": plain_text(confirm.text, CONFIRM_TEXT_MAX),
        "confirm": plain_text(confirm.yes, CONFIRM_BUTTON_MAX),
        "deny": plain_text(confirm.no, CONFIRM_BUTTON_MAX),
    }
    return {**drawn, "style": "danger"} if danger else drawn


def _input(part: Input) -> Json:
    drawn: Json = {
        "type": "input",
        "block_id": part.id,
        "label": plain_text(part.label, INPUT_LABEL_MAX),
        "optional": not part.required,
        "element": _text_input(part) if isinstance(part, TextInput) else _choice(part),
    }
    missing = len(part.options) - SELECT_MAX if isinstance(part, Choice) else 0
    return {**drawn, "hint": plain_text(items_not_shown(missing), INPUT_LABEL_MAX)} if missing > 0 else drawn


def _text_input(part: TextInput) -> Json:
    longest = max(1, min(part.max_length, INPUT_TEXT_MAX))
    drawn: Json = {
        "type": "plain_text_input",
        "action_id": INPUT_ACTION,
        "multiline": part.multiline,
        "max_length": longest,
    }
    if part.placeholder:
        drawn["placeholder"] = plain_text(part.placeholder, PLACEHOLDER_MAX)
    if part.value:
        drawn["initial_value"] = clean(part.value, lines=part.multiline)[:longest]
    return drawn


def _choice(part: Choice) -> Json:
    chosen = [option for option in part.options if option.value == part.value][:1]
    others = [option for option in part.options if option not in chosen]
    kept = part.options if len(part.options) <= SELECT_MAX else (*chosen, *others)[:SELECT_MAX]
    drawn: Json = {
        "type": "static_select",
        "action_id": INPUT_ACTION,
        "options": [_option(option.label, option.value) for option in kept],
    }
    return {**drawn, "initial_option": _option(chosen[0].label, chosen[0].value)} if chosen else drawn


_FITTER = Fitter(draw=_draw, weigh=_weigh)
