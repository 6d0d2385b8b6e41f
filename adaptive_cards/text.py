"""Cards and forms as lines of plain text: the console, golden files, and whoever reads with their ears."""

import textwrap
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class _Page:
    """How everything on it is drawn."""

    width: int
    links: bool = True
    folds: bool = True

    def narrower(self) -> "_Page":
        return replace(self, width=self.width - len(INDENT))


def render(card: Card, width: int = 80, *, links: bool = True, folds: bool = True) -> str:
    """Draw a card in lines of `width` characters; only code and words longer than a line exceed it.

    Without `links` addresses are left out, and without `folds` details are named only.
    """
    page = _Page(width, links, folds)
    mark = [f"[{SIMULATED_LINE}]"] if card.simulated else []
    lines = [*mark, *_wrap(headline(card), width)]
    for part in card.elements:
        lines += _draw(part, page)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def render_form(form: Form, width: int = 80) -> str:
    """Draw a form: its title, what it says, and what it asks."""
    lines = _wrap(clean(form.title), width)
    for part in form.elements:
        lines += _draw(part, _Page(width))
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


def _inline(inline: Inline, page: _Page) -> str:
    return "".join(_span(span, page) for span in spans(inline))


def _span(span: Span, page: _Page) -> str:
    url = safe_url(span.url) if isinstance(span, Link) and page.links else None
    return span_text(span) if url is None else f"{span_text(span)} <{url}>"


def _draw(part: Part, page: _Page) -> list[str]:  # noqa: C901, PLR0911, PLR0912 -- one arm for each element
    width = page.width
    match part:
        case Heading():
            return ["", clean(part.text), "-" * min(len(clean(part.text)), width)]
        case Text() | Note():
            return _wrap(_inline(part.spans, page), width) if inline_text(part.spans).strip() else []
        case Status():
            return _wrap(f"{clean(part.sign)} {clean(part.word)}  {_inline(part.spans, page)}", width, "", INDENT)
        case Facts():
            return _facts(part, page)
        case Bullets():
            marks = [f"{number}. " if part.numbered else "* " for number in range(1, len(part.items) + 1)]
            pairs = zip(marks, part.items, strict=True)
            return [line for mark, item in pairs for line in _wrap(_inline(item, page), width, mark, " " * len(mark))]
        case Table():
            return _table(part, page)
        case CodeBlock():
            return [f"{INDENT}{INDENT}{line}" for line in clean(part.text, lines=True).split("\n")]
        case Divider():
            return ["-" * width]
        case Progress():
            return [progress_text(part)]
        case Buttons():
            return _buttons(part, page)
        case Fold():
            if not page.folds:
                return [f"[{clean(part.title)}]"]
            inner = [line for one in part.elements for line in _draw(one, page.narrower())]
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


def _facts(facts: Facts, page: _Page) -> list[str]:
    longest = max((len(clean(label)) for label, _ in facts.rows), default=0) + 2
    lines: list[str] = []
    for label, value in facts.rows:
        first = f"{clean(label)}:".ljust(longest)
        lines += _wrap(_inline(value, page) or NO_VALUE, page.width, first, " " * longest)
    return lines


def _table(table: Table, page: _Page) -> list[str]:
    caption = [clean(table.caption)] if table.caption else []
    cells = table_cells(table)
    rule = tuple("-" * max(len(cell) for cell in column) for column in zip(*cells, strict=True))
    lines = aligned((cells[0], rule, *cells[1:])).split("\n")
    if max(len(line) for line in lines) <= page.width:
        return [*caption, *lines]
    return caption + [
        line for row in table_rows_as_lines(table) for line in _wrap(_inline(row, page), page.width, "* ", INDENT)
    ]


def _buttons(row: Buttons, page: _Page) -> list[str]:
    shown = " ".join(_button(button, page) for button in row.shown)
    menu = " ".join(_button(button, page) for button in row.menu)
    both = [shown, f"More: {menu}" if menu else ""]
    return [line for text in both if text for line in _wrap(text, page.width)]


def _button(button: Button, page: _Page) -> str:
    target = f" <{button.url}>" if button.url and page.links else ""
    return f"[{clean(button.label)}]{target}"


def _asked(part: TextInput | Choice) -> str:
    return clean(part.label) if part.required else f"{clean(part.label)} (optional)"
