"""Making a card as short as a platform needs it, saying what is left out, and losing no button."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar, assert_never

from adaptive_cards.card import (
    Bold,
    Bullets,
    Buttons,
    Choice,
    Code,
    CodeBlock,
    Divider,
    Element,
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
from adaptive_cards.wording import (
    characters_not_shown,
    inline_text,
    items_not_shown,
    parts_not_shown,
    shorten_middle,
    span_text,
)

ROOMS = (3000, 1500, 700, 300, 120, 0)
"""Characters that one element gets, from what the platforms take at most down to nothing."""
LEAST = 40
"""A shorter rest of an item than this is left out rather than shown."""

KEPT = Buttons | TextInput | Choice
"""What no shortening takes away."""

D = TypeVar("D")


class Weight(NamedTuple):
    """What a drawn element costs: how many blocks, and how large they are in the platform's own measure."""

    blocks: int
    size: int

    def within(self, budget: "Weight") -> bool:
        """Whether it fits into `budget`."""
        return self.blocks <= budget.blocks and self.size <= budget.size


@dataclasses.dataclass(frozen=True, slots=True)
class Fitter(Generic[D]):
    """How one platform draws and weighs; `draw` gets the element's place in the card and the element."""

    draw: Callable[[str, Part], list[D]]
    weigh: Callable[[Sequence[D]], Weight]

    def fit(self, elements: tuple[Part, ...], budget: Weight) -> list[D]:
        """Draw all elements within `budget`, shortening the last ones first; buttons and inputs stay.

        What comes first on a card is what matters most. ValueError is raised if what must stay does not fit.
        """
        drawn = [self._drawn(place, element, ROOMS[0]) for place, element in enumerate(elements)]
        weights = [self.weigh(one) for one in drawn]
        dropped: list[int] = []
        note = self.weigh(self.draw("rest", Note(parts_not_shown(len(elements)))))
        for place in reversed(range(len(elements))):
            for room in ROOMS[1:]:
                if _total(weights, note if dropped else None).within(budget):
                    break
                drawn[place] = self._drawn(place, elements[place], room)
                weights[place] = self.weigh(drawn[place])
                if room == 0 and not isinstance(elements[place], KEPT | Divider):
                    dropped.append(place)
        if not _total(weights, note if dropped else None).within(budget):
            raise ValueError("the buttons and inputs of this card alone are too large for the platform")
        if dropped:
            drawn.insert(min(dropped), self.draw("rest", Note(parts_not_shown(len(dropped)))))
        return [one for several in drawn for one in several]

    def _drawn(self, place: int, element: Part, room: int) -> list[D]:
        pieces = cut(element, room)
        return [one for number, piece in enumerate(pieces) for one in self.draw(f"{place}.{number}", piece)]


def _total(weights: list[Weight], note: Weight | None) -> Weight:
    every = [*weights, note] if note else weights
    return Weight(sum(one.blocks for one in every), sum(one.size for one in every))


def cut(part: Part, room: int) -> tuple[Part, ...]:
    """The element within about `room` characters of text, followed by words for what is left out.

    Room 0 leaves nothing but buttons and inputs.
    """
    return (part,) if isinstance(part, TextInput | Choice) else _cut_element(part, room)


def _cut_element(element: Element, room: int) -> tuple[Element, ...]:
    match element:
        case Buttons():
            return (element,)
        case Fold():
            return _cut_fold(element, room)
        case _ if room == 0:
            return ()
        case Heading():
            return (Heading(shorten_middle(clean(element.text), room)),)
        case Text() | Note() | Status():
            return (dataclasses.replace(element, spans=cut_inline(element.spans, room)),)
        case Progress():
            return (dataclasses.replace(element, label=shorten_middle(clean(element.label), room)),)
        case CodeBlock():
            return (CodeBlock(_cut_text(clean(element.text, lines=True), room)),)
        case Divider():
            return (element,)
        case Facts() | Bullets() | Table():
            return _cut_rows(element, room)
        case _:
            assert_never(element)


def _cut_rows(element: Facts | Bullets | Table, room: int) -> tuple[Element, ...]:
    match element:
        case Facts():
            rows = [(label, value) for label, value in element.rows]
            kept = _keep([spans(f"{label}: ", value) for label, value in rows], room)
            facts = [(label, cut_inline(value, max(room - len(label), LEAST))) for label, value in rows[:kept]]
            return _with_rest(Facts(tuple(facts)), len(rows) - kept)
        case Bullets():
            kept = _keep([spans(item) for item in element.items], room)
            items = tuple(cut_inline(item, room) for item in element.items[:kept])
            return _with_rest(dataclasses.replace(element, items=items), len(element.items) - kept)
        case Table():
            lines = [spans(*(part for cell in row for part in (cell, "  "))) for row in element.rows]
            kept = _keep(lines, room)
            each = max(room // len(element.columns), LEAST)
            cells = tuple(tuple(cut_inline(cell, each) for cell in row) for row in element.rows[:kept])
            return _with_rest(dataclasses.replace(element, rows=cells), len(element.rows) - kept)


def _keep(lines: Sequence[tuple[Span, ...]], room: int) -> int:
    """How many lines fit; the first always does, because it can be cut itself."""
    left = room
    for number, line in enumerate(lines):
        left -= len(inline_text(line))
        if left < 0 and number:
            return number
    return len(lines)


def _with_rest(element: Element, missing: int) -> tuple[Element, ...]:
    return (element, Note(items_not_shown(missing))) if missing else (element,)


def _cut_fold(fold: Fold, room: int) -> tuple[Element, ...]:
    if room == 0:
        survivors = tuple(piece for element in fold.elements for piece in _cut_element(element, 0))
        if not survivors and fold.instead is None:
            return ()
        return (dataclasses.replace(fold, elements=survivors),)
    left, parts, missing = room, list[Element](), 0
    for element in fold.elements:
        size = text_size(element)
        pieces = _cut_element(element, max(left, 0) if size <= left or left >= LEAST else 0)
        missing += not pieces and not isinstance(element, Divider)
        parts += pieces
        left -= size
    if missing:
        parts.append(Note(parts_not_shown(missing)))
    return (dataclasses.replace(fold, elements=tuple(parts)),)


def text_size(element: Element) -> int:
    """How many characters of text an element shows."""
    match element:
        case Heading():
            return len(clean(element.text))
        case CodeBlock():
            return len(clean(element.text, lines=True))
        case Text() | Note() | Status():
            return len(inline_text(element.spans))
        case Facts():
            return sum(len(clean(label)) + len(inline_text(value)) for label, value in element.rows)
        case Bullets():
            return sum(len(inline_text(item)) for item in element.items)
        case Table():
            return sum(len(inline_text(cell)) for row in element.rows for cell in row)
        case Fold():
            return len(clean(element.title)) + sum(text_size(one) for one in element.elements)
        case Buttons() | Divider() | Progress():
            return 0
        case _:
            assert_never(element)


def cut_inline(inline: Inline, room: int) -> tuple[Span, ...]:
    """The spans within `room` characters, then the words for how many more there are."""
    every = spans(inline)
    total = sum(len(span_text(span)) for span in every)
    if total <= room:
        return every
    kept: list[Span] = []
    left = room
    for span in every:
        size = len(span_text(span))
        if size <= left:
            kept.append(span)
            left -= size
            continue
        shortened = _cut_span(span, left)
        if shortened is not None:
            kept.append(shortened)
            left -= len(span_text(shortened))
        break
    shown = sum(len(span_text(span)) for span in kept)
    return (*kept, Plain(characters_not_shown(total - shown)))


def _cut_span(span: Span, room: int) -> Span | None:
    if room <= 0:
        return None
    match span:
        case Plain() | Bold() | Code() | Link():
            return dataclasses.replace(span, text=clean(span.text)[:room])
        case When() | Mention():
            return None
        case _:
            assert_never(span)


def _cut_text(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    return f"{text[:room]}\n{characters_not_shown(len(text) - room).strip()}"
