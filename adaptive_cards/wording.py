"""What all renderers say in the same words: the first line, times, bars, and text made shorter."""

from collections.abc import Iterator
from datetime import UTC
from typing import assert_never

from adaptive_cards.card import (
    SEVERITY_SIGNS,
    SEVERITY_WORDS,
    Bold,
    Bullets,
    Buttons,
    Card,
    Choice,
    Code,
    CodeBlock,
    Divider,
    Facts,
    Fold,
    Heading,
    Inline,
    Link,
    Mention,
    Note,
    Part,
    Plain,
    Progress,
    Span,
    Status,
    Table,
    Text,
    TextInput,
    When,
    spans,
)
from adaptive_cards.plain import clean

SUMMARY_MAX = 140
"""Characters of a card's first line; a phone's lock screen shows little more."""
SIMULATED = "SIMULATED"
SIMULATED_LINE = "SIMULATED: nothing here is real"
WORD_LENGTHS = (48, 32, 24, 16)
"""How long a word of a line may be that is too long, from what most names need down to what still says something."""
BAR_WIDTH = 10
NO_VALUE = "—"


def headline(card: Card) -> str:
    """The first line of a card, which is also the notification: sign and word, then what happened."""
    text = clean(card.summary).strip()
    if card.severity is not None:
        text = f"{SEVERITY_SIGNS[card.severity]} {SEVERITY_WORDS[card.severity]} {text}"
    if not card.simulated:
        return _shorten_line(text, SUMMARY_MAX)
    mark = f" · {SIMULATED}"
    return _shorten_line(text, SUMMARY_MAX - len(mark)) + mark


def _shorten_line(text: str, limit: int) -> str:
    """Keep what stands behind the last dot whole if it leaves room: it says how bad things are."""
    if len(text) <= limit:
        return text
    text = _shorten_words(text, limit)
    head, dot, tail = text.rpartition(" · ")
    if len(text) <= limit or not dot or len(tail) > limit // 2:
        return shorten_middle(text, limit)
    room = limit - len(dot) - len(tail) - len("…")
    return f"{_to_last_blank(head[:room]).rstrip()}…{dot}{tail}"


def shorten_middle(text: str, limit: int) -> str:
    """At most `limit` characters: first the middle of overlong words goes, then the middle of the line.

    The beginning says what it is about and the end how bad it is, so both stay.
    """
    if len(text) <= limit:
        return text
    text = _shorten_words(text, limit)
    if len(text) <= limit:
        return text
    tail = (limit - 3) * 2 // 5
    head = limit - 3 - tail
    return f"{_to_last_blank(text[:head])} … {_from_first_blank(text[-tail:] if tail else '')}".strip()


def _shorten_words(text: str, limit: int) -> str:
    for longest in WORD_LENGTHS:
        if len(text) > limit:
            text = " ".join(_shorten_word(word, longest) for word in text.split(" "))
    return text


def _shorten_word(word: str, longest: int) -> str:
    if len(word) <= longest:
        return word
    tail = longest * 2 // 5
    return f"{word[: longest - tail - 1]}…{word[-tail:]}"


def _to_last_blank(text: str) -> str:
    cut = text.rfind(" ", max(0, len(text) - 12))
    return text[:cut] if cut > 0 else text


def _from_first_blank(text: str) -> str:
    cut = text.find(" ", 0, 12)
    return text[cut + 1 :] if cut >= 0 else text


def characters_not_shown(count: int) -> str:
    """The words for text that was cut off."""
    return f" … {count:,} more {'character is' if count == 1 else 'characters are'} not shown"


def items_not_shown(count: int) -> str:
    """The words for list items, facts or rows that were left out."""
    return f"… {count:,} more {'is' if count == 1 else 'are'} not shown"


def parts_not_shown(count: int) -> str:
    """The words for whole elements that were left out of a card."""
    return f"… {count:,} more {'part is' if count == 1 else 'parts are'} not shown"


def utc_text(when: When) -> str:
    """The moment in UTC, with its date unless the style says time."""
    pattern = "%H:%M UTC" if when.style == "time" else "%Y-%m-%d %H:%M UTC"
    return when.at.astimezone(UTC).strftime(pattern)


def when_text(when: When) -> str:
    """The moment in plain text: age and UTC."""
    age = clean(when.age)
    return f"{age} ({utc_text(when)})" if age else utc_text(when)


def span_text(span: Span) -> str:
    """A span without its emphasis, link or mention."""
    match span:
        case Plain() | Bold() | Code() | Link():
            return clean(span.text)
        case When():
            return when_text(span)
        case Mention():
            return clean(span.label)


def inline_text(inline: Inline) -> str:
    """A whole line of spans as plain text."""
    return "".join(span_text(span) for span in spans(inline))


def progress_text(progress: Progress) -> str:
    """A bar of characters with its figures and label: ``■■■■□□□□□□ 2 of 5 · checks``."""
    label = f" · {clean(progress.label)}" if progress.label else ""
    if progress.total <= 0:
        return f"{max(progress.done, 0)} done{label}"
    done = min(max(progress.done, 0), progress.total)
    full = done * BAR_WIDTH // progress.total
    return f"{'■' * full}{'□' * (BAR_WIDTH - full)} {done} of {progress.total}{label}"


def table_rows_as_lines(table: Table) -> tuple[tuple[Span, ...], ...]:
    """Each row as one line, ``first cell · second column: its cell``, for where columns find no room."""
    lines: list[tuple[Span, ...]] = []
    for row in table.rows:
        first = tuple(Bold(one.text) if isinstance(one, Plain) else one for one in spans(row[0]))
        line: list[Span] = [*first]
        for column, cell in zip(table.columns[1:], row[1:], strict=True):
            line += spans(f" · {column}: ", cell if inline_text(cell) else NO_VALUE)
        lines.append(tuple(line))
    return tuple(lines)


def aligned(rows: tuple[tuple[str, ...], ...]) -> str:
    """Rows of equally many cells as lines with columns under each other, two blanks apart."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def table_cells(table: Table) -> tuple[tuple[str, ...], ...]:
    """Header and rows of a table as plain text."""
    header = tuple(clean(column) for column in table.columns)
    return (header, *(tuple(inline_text(cell) for cell in row) for row in table.rows))


def flatten(elements: tuple[Part, ...]) -> Iterator[Part]:
    """Every element, also those within folds."""
    for element in elements:
        yield element
        if isinstance(element, Fold):
            yield from flatten(element.elements)


def element_spans(part: Part) -> tuple[Span, ...]:
    """The spans that an element itself shows, not those of elements within it."""
    match part:
        case Text() | Note() | Status():
            return spans(part.spans)
        case Facts():
            return spans(*(value for _, value in part.rows))
        case Bullets():
            return spans(*part.items)
        case Table():
            return spans(*(cell for row in part.rows for cell in row))
        case Heading() | CodeBlock() | Divider() | Progress() | Buttons() | Fold() | TextInput() | Choice():
            return ()
        case _:
            assert_never(part)
