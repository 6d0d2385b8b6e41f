"""Cards and forms as lines of plain text: the console, golden files, and whoever reads with their ears."""

import textwrap
from typing import assert_never

from adaptive_cards.card import (
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
    Link,
    Note,
    Part,
    Progress,
    Span,
    Status,
    Table,
    Text,
    TextInput,
    spans,
)
from adaptive_cards.plain import clean, safe_url
from adaptive_cards.wording import (
    NO_VALUE,
    SIMULATED_LINE,
    aligned,
    headline,
    inline_text,
    progress_text,
    span_text,
    table_cells,
    table_rows_as_lines,
)

INDENT = "  "


def render(card: Card, width: int = 80) -> str:
    """Draw a card in lines of `width` characters; only code and words longer than a line exceed it."""
    mark = [f"[{SIMULATED_LINE}]"] if card.simulated else []
    lines = [*mark, *_wrap(headline(card), width)]
    for part in card.elements:
        lines += _draw(part, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def render_form(form: Form, width: int = 80) -> str:
    """Draw a form: its title, what it says, and what it asks."""
    lines = _wrap(clean(form.title), width)
    for part in form.elements:
        lines += _draw(part, width)
    if form.submit:
        lines.append(f"[{clean(form.submit)}]")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _wrap(text: str, width: int, first: str = "", later: str = "") -> list[str]:
    lines = textwrap.wrap(
        text,
        max(width, 20),
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [first]


def _indented(lines: list[str]) -> list[str]:
    return [INDENT + line for line in lines]


def _inline(inline: Inline) -> str:
    return "".join(_span(span) for span in spans(inline))


def _span(span: Span) -> str:
    url = safe_url(span.url) if isinstance(span, Link) else None
    return span_text(span) if url is None else f"{span_text(span)} <{url}>"


def _draw(part: Part, width: int) -> list[str]:  # noqa: C901, PLR0911, PLR0912 -- one arm for each element
    match part:
        case Heading():
            return ["", clean(part.text), "-" * min(len(clean(part.text)), width)]
        case Text() | Note():
            return _wrap(_inline(part.spans), width) if inline_text(part.spans).strip() else []
        case Status():
            return _wrap(f"{clean(part.sign)} {clean(part.word)}  {_inline(part.spans)}", width, "", INDENT)
        case Facts():
            return _facts(part, width)
        case Bullets():
            marks = [f"{number}. " if part.numbered else "* " for number in range(1, len(part.items) + 1)]
            pairs = zip(marks, part.items, strict=True)
            return [line for mark, item in pairs for line in _wrap(_inline(item), width, mark, " " * len(mark))]
        case Table():
            return _table(part, width)
        case CodeBlock():
            return [f"{INDENT}{INDENT}{line}" for line in clean(part.text, lines=True).split("\n")]
        case Divider():
            return ["-" * width]
        case Progress():
            return [progress_text(part)]
        case Buttons():
            return _buttons(part, width)
        case Fold():
            inner = [line for one in part.elements for line in _draw(one, width - len(INDENT))]
            return [f"{clean(part.title)}:", *_indented(inner)]
        case TextInput():
            return _wrap(f"{_asked(part)}: {clean(part.value) or '_' * 10}", width)
        case Choice():
            options = [
                f"({'x' if option.value == part.value else ' '}) {clean(option.label)}" for option in part.options
            ]
            return [f"{_asked(part)}:", *_indented(options)]
        case _:
            assert_never(part)


def _facts(facts: Facts, width: int) -> list[str]:
    longest = max((len(clean(label)) for label, _ in facts.rows), default=0) + 2
    lines: list[str] = []
    for label, value in facts.rows:
        first = f"{clean(label)}:".ljust(longest)
        lines += _wrap(_inline(value) or NO_VALUE, width, first, " " * longest)
    return lines


def _table(table: Table, width: int) -> list[str]:
    caption = [clean(table.caption)] if table.caption else []
    cells = table_cells(table)
    rule = tuple("-" * max(len(cell) for cell in column) for column in zip(*cells, strict=True))
    lines = aligned((cells[0], rule, *cells[1:])).split("\n")
    if max(len(line) for line in lines) <= width:
        return [*caption, *lines]
    return caption + [line for row in table_rows_as_lines(table) for line in _wrap(_inline(row), width, "* ", INDENT)]


def _buttons(row: Buttons, width: int) -> list[str]:
    shown = " ".join(_button(button) for button in row.shown)
    menu = " ".join(_button(button) for button in row.menu)
    both = [shown, f"More: {menu}" if menu else ""]
    return [line for text in both if text for line in _wrap(text, width)]


def _button(button: Button) -> str:
    target = f" <{button.url}>" if button.url else ""
    return f"[{clean(button.label)}]{target}"


def _asked(part: TextInput | Choice) -> str:
    return clean(part.label) if part.required else f"{clean(part.label)} (optional)"
